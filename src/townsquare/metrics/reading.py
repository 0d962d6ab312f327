"""What the desk tells, read back: for who watches a server without Prometheus.

Box: metrics. Source: Prometheus text format, version 0.0.4
"""

import asyncio
import re

from townsquare.model.errors import Unavailable

_WITHIN_S = 3.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # listened at, asked at
_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? ([0-9.e+-]+)$", re.MULTILINE)
_LABEL = re.compile(r'(?<!\w)(\w{1,64}+)="([^"]*+)"')  # no label of ours holds a quote
Labels = dict[str, str]


async def ask_desk(address: str) -> str:
    """All metrics of the server whose setting `metrics` this is, HOST:PORT.

    Raises: Unavailable where nobody answers there.
    """
    host, _, port = address.rpartition(":")
    host = _ANYWHERE.get(host, host).strip("[]")
    try:
        async with asyncio.timeout(_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
                answer = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError) as exc:
        raise Unavailable(f"Nobody tells metrics at {address}") from exc
    return answer.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")


def values_of(text: str, name: str) -> list[tuple[Labels, float]]:
    """The values of one metric, each with its labels."""
    return [
        (dict(_LABEL.findall(labels)), float(value))
        for found, labels, value in _LINE.findall(text)
        if found == name
    ]  # fmt: skip
