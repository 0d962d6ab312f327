"""NGINX, for the edge. With `nginx.conf` in its folder it runs that; else a page that says it is there."""

import os
from pathlib import Path

from tests.engines import debian
from tests.engines.places import Places
from tests.engines.server import Command, ask

_CONF = """daemon off;
pid {folder}/nginx.pid;
error_log stderr;
worker_processes 1;
{user}events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; return 200 "here\\n"; }}
}}
"""


class Nginx:
    """One NGINX in the foreground."""

    starts_within_s, stops_within_s = 10.0, 5.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        brotli = Path("/usr/share/nginx/modules-available/mod-http-brotli-filter.conf").exists()
        return None if debian.program("nginx") and brotli else "nginx"

    def install(self, where: Places) -> None:
        debian.install(["nginx", "libnginx-mod-http-brotli-filter", "libnginx-mod-http-brotli-static"])

    def url(self, where: Places) -> str:
        return f"http://127.0.0.1:{where.first_port + self._port}"

    def command(self, where: Places, folder: Path) -> Command:
        conf = folder / "nginx.conf"
        if not conf.exists():
            user = "user root;\n" if os.geteuid() == 0 else ""
            conf.write_text(_CONF.format(folder=folder, port=where.first_port + self._port, user=user))
        return Command([debian.program("nginx") or "nginx", "-p", str(folder), "-c", str(conf)])

    def answers(self, where: Places) -> bool:
        request = b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
        return ask(("127.0.0.1", where.first_port + self._port), request, enough=8).startswith(b"HTTP/1.")
