"""What a process says on stderr: lines for people, or one JSON object a line for programs.

Box: cli. Both tell of the request that the work is for, also in the workers.
"""

import logging
import sys
from datetime import UTC, datetime

import msgspec

from townsquare.kit.request_id import REQUEST_ID
from townsquare.settings import Settings

_ENCODER = msgspec.json.Encoder()


class JsonLines(logging.Formatter):
    """One object a line: at, level, where, process, message; request and error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "where": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if request := REQUEST_ID.get():
            line["request"] = request
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line).decode()


class TextLines(logging.Formatter):
    """Time, level, where, what; the request in brackets where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s[%(process)d] %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return f"{line} [{request}]" if (request := REQUEST_ID.get()) else line


def set_up_logging(settings: Settings) -> None:
    """Lines on stderr as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    server = logging.getLogger("uvicorn.error")
    server.setLevel(logging.WARNING)  # it would log addresses of streams, with tokens
    server.addFilter(_is_a_fault)


def _is_a_fault(record: logging.LogRecord) -> bool:
    """Whether a line of the HTTP server's is worth one: it takes every refused WebSocket for an unfinished one."""
    return not record.getMessage().startswith("ASGI callable returned without completing handshake")
