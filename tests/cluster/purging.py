"""NGINX as a CDN on another machine: it keeps what the origin lets it keep, and a receiver drops what it is told to.

The free NGINX has no purge of its own; what is kept lies in a file named by the MD5 of its key, so the receiver removes
that file.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CONF = """user {user};
worker_processes 1;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/cache/bodies; proxy_temp_path {folder}/cache/passing;
    fastcgi_temp_path {folder}/cache/x; uwsgi_temp_path {folder}/cache/x; scgi_temp_path {folder}/cache/x;
    access_log off;
    proxy_cache_path {folder}/cache/cdn levels=1:2 keys_zone=cdn:1m max_size=100m inactive=1d use_temp_path=off;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {origin};
            proxy_set_header Host {origin_host};
            proxy_set_header Cookie "";
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache cdn;
            proxy_cache_key $uri;
            proxy_cache_revalidate on;
            proxy_cache_lock on;
            {more}
            add_header X-CDN $upstream_cache_status always;
        }}
    }}
}}
"""


class Receiver(ThreadingHTTPServer):
    """Takes the list of addresses and removes what is kept of them. `refuse`: how many times it says no first."""

    def __init__(self, cache: Path, secret: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cache, self.secret = cache, secret
        self.refuse = 0
        self.purged: list[str] = []
        self.answered: list[int] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The value of the setting `cdn`."""
        return f"http://127.0.0.1:{self.server_address[1]}/purge"

    def purge(self, url: str) -> None:
        """Remove what is kept of an address."""
        name = hashlib.md5(urlsplit(url).path.encode(), usedforsecurity=False).hexdigest()
        (self.cache / "cdn" / name[-1] / name[-3:-1] / name).unlink(missing_ok=True)
        self.purged.append(url)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """One purge."""
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        receiver, status = self.server, 204
        if self.headers["Authorization"] != f"Bearer {receiver.secret}":
            status = 401
        elif receiver.refuse:
            receiver.refuse -= 1
            status = 503
        else:
            for url in told["urls"]:
                receiver.purge(url)
        receiver.answered.append(status)
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
