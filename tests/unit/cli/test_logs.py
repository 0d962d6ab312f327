"""Lines of the log: for people or as JSON, with the request that the work is for."""

import contextvars
import json
import logging

import msgspec

from townsquare.cli.logs import JsonLines, TextLines
from townsquare.kit.request_id import REQUEST_ID
from townsquare.model.tasks import FanOutStatus, decode_task, encode_task, request_of_task


def _record(message: str, *, fault: BaseException | None = None) -> logging.LogRecord:
    info = (type(fault), fault, fault.__traceback__) if fault else None
    return logging.LogRecord("townsquare.web", logging.ERROR, "x.py", 1, message, (), info)


def test_a_json_line_is_one_line() -> None:
    """Line ends and quotes in what is told cannot make another line."""
    line = JsonLines().format(_record('bad "thing"\n{"level": "info"}', fault=ValueError("two\nlines")))
    assert "\n" not in line
    told = json.loads(line)
    assert told["message"] == 'bad "thing"\n{"level": "info"}'
    assert told["level"] == "error"
    assert told["where"] == "townsquare.web"
    assert "two\nlines" in told["error"]
    assert "request" not in told


def test_both_forms_tell_of_the_request() -> None:
    """The request's id comes from the context of the work."""

    def lines() -> tuple[str, str]:
        REQUEST_ID.set("abc-7")
        return JsonLines().format(_record("told")), TextLines().format(_record("told"))

    as_json, as_text = contextvars.copy_context().run(lines)
    assert json.loads(as_json)["request"] == "abc-7"
    assert as_text.endswith("told [abc-7]")


def test_a_task_carries_its_request() -> None:
    """Beside the task: who reads tasks finds the same one."""
    task = FanOutStatus(status_id=5, author=6)
    plain, with_request = encode_task(task), encode_task(task, request="abc-7")
    assert decode_task(with_request) == decode_task(plain) == task
    assert request_of_task(with_request) == "abc-7"
    assert request_of_task(plain) == ""
    assert request_of_task(b"\xc1 nonsense") == ""
    assert msgspec.msgpack.decode(with_request) == {**msgspec.msgpack.decode(plain), "request": "abc-7"}
