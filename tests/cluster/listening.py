"""A client of the stream, for tests that look at what it misses and how long it is away."""

import json
import threading
import time
from typing import Any

import websockets.sync.client as ws
from websockets.exceptions import ConnectionClosed


class Stream(threading.Thread):
    """A client of the stream that connects again when it is told to go elsewhere."""

    def __init__(self, address: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._address, self._over = address, over
        self.gaps_s: list[float] = []
        self.codes: list[int | None] = []
        self.heard: set[str] = set()
        self.open = threading.Event()

    def run(self) -> None:
        lost_at = 0.0
        while not self._over.is_set():
            try:
                with ws.connect(self._address, close_timeout=1) as socket:
                    if lost_at:
                        self.gaps_s.append(time.monotonic() - lost_at)
                    self.open.set()
                    self._listen(socket)
            except ConnectionClosed as exc:
                self.codes.append(exc.rcvd.code if exc.rcvd else None)
                lost_at = time.monotonic()
            except Exception:  # noqa: BLE001 - refused just now: the gap goes on
                self._over.wait(0.1)

    def _listen(self, socket: Any) -> None:
        while not self._over.is_set():
            try:
                told = json.loads(socket.recv(timeout=0.3))
            except TimeoutError:
                continue
            if told["event"] == "update":
                self.heard.add(json.loads(told["payload"])["id"])
