"""A checker of the Mastodon API, kept beside the checkout, finds no answer of ours that deviates.

What we have no route for answers 404; on every declared route each deviation is a fault.
"""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.live import ROOT, eventually, live_server
from townsquare.web.server.table import ALL_ROUTES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("clients")]

CHECKER = ROOT.parent / "shared" / "tools" / "apicheck.py"
_UNDECLARED = re.compile(r"status +\d+ +(?P<path>/\S*): 404 ")


def _declared(path: str) -> bool:
    """Whether we have a route like this one, whatever its parameters are called."""
    shapes = {re.sub(r"[:{][^/]*", "*", route.path) for route in ALL_ROUTES if route.method == "GET"}
    return re.sub(r":[^/]*", "*", path) in shapes


@pytest.mark.skipif(not CHECKER.exists(), reason="the checker is not beside the checkout")
def test_no_declared_route_deviates(tmp_path: Path) -> None:
    with live_server(tmp_path / "data", "--web-processes", "1") as server:
        server.cli("seed", "--people", "20", "--mean-follows", "5", "--posts-each", "3", "--pictures", "0.3")
        scopes = "read write follow push profile admin:read admin:write"
        owner = server.account("owner", role="owner", scopes=scopes)
        others = [row["id"] for row in server.cli("accounts", "list") if row["id"] != owner["id"]]
        with server.client(owner["token"]) as client:
            for each in others[:8]:
                client.post(f"/api/v1/accounts/{each}/follow")
            poll = {"poll[options][]": ["yes", "no"], "poll[expires_in]": "3600"}
            made = client.post("/api/v1/statuses", data={"status": "Yes or no? #test", **poll}).json()
            home = eventually(lambda: client.get("/api/v1/timelines/home").json())
            for act in ("bookmark", "favourite", "reblog"):
                client.post(f"/api/v1/statuses/{home[-1]['id']}/{act}")
            client.post(f"/api/v1/statuses/{made['id']}/pin")
            client.post(f"/api/v1/accounts/{others[-1]}/mute")
            client.post(f"/api/v1/accounts/{others[-2]}/block")
            client.post("/api/v1/markers", data={"home[last_read_id]": made["id"]})
            token = server.cli("tokens", "create", _name(client, others[0]), "--scopes", "read write")["token"]
        with server.client(token) as client:
            client.post(f"/api/v1/accounts/{owner['id']}/follow")
            client.post("/api/v1/statuses", data={"status": "Hello @owner", "visibility": "direct"})
            client.post(f"/api/v1/statuses/{made['id']}/favourite")
        with server.client(owner["token"]) as client:
            eventually(lambda: len(client.get("/api/v1/notifications").json()) >= 3)
        done = subprocess.run(
            [sys.executable, str(CHECKER), "live", server.url, owner["token"], owner["token"]],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    assert re.fullmatch(r"\d+ passed, \d+ failed", lines[-1]), done.stdout + done.stderr
    faults = []
    for line in lines[:-2]:
        undeclared = _UNDECLARED.match(line)
        if line.startswith("unknown keys:") or (undeclared and not _declared(undeclared["path"])):
            continue
        faults.append(line)
    assert faults == []


def _name(client: httpx.Client, account_id: str) -> str:
    answer = client.get(f"/api/v1/accounts/{account_id}")
    return str(answer.json()["username"])
