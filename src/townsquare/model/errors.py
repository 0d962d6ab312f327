"""Errors, in few families. Each door has one table of what they become there.

Box: model.
"""


class TownsquareError(Exception):
    """Base. The message is safe to show anyone; the cause (`raise ... from`) is for the log."""


class NotFound(TownsquareError):
    """It is not there, or the viewer may not know that it is."""

    def __init__(self, message: str = "Record not found") -> None:
        super().__init__(message)


class Invalid(TownsquareError):
    """The request cannot be done as it stands. `details`: per field, a list of (ERR_ code, description)."""

    def __init__(self, message: str, details: dict[str, list[tuple[str, str]]] | None = None) -> None:
        super().__init__(message)
        self.details = details


class BadRequest(TownsquareError):
    """The request cannot be read."""


class Unauthorized(TownsquareError):
    """Nobody is signed in, or the token does not work."""

    def __init__(self, message: str = "The access token is invalid") -> None:
        super().__init__(message)


class Forbidden(TownsquareError):
    """Signed in, but not allowed."""

    def __init__(self, message: str = "This action is not allowed") -> None:
        super().__init__(message)


class Conflict(TownsquareError):
    """Somebody else was first: a name that is taken."""


class TooLarge(TownsquareError):
    """The body is over the cap of its route."""


class TooMany(TownsquareError):
    """Over a rate limit; `reset_ms` says when it opens again."""

    def __init__(self, reset_ms: int, limit: int) -> None:
        super().__init__("Too many requests")
        self.reset_ms, self.limit = reset_ms, limit


class Unavailable(TownsquareError):
    """An engine does not answer just now; a repeat is safe."""


class CannotStart(Exception):
    """The settings, or the engines that they name, keep a process from beginning. The message says what to do."""
