"""The id of the request that is being worked on, in whatever process its work goes on.

Box: kit. Each request and each unit of work runs in a task of its own, so each has its own value.
"""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
