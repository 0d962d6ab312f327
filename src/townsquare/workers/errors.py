"""What an error of a task means for its message.

Box: workers.
"""

from enum import StrEnum

from townsquare.model.errors import Invalid, NotFound, Unavailable


class Verdict(StrEnum):
    """What becomes of the message."""

    DROP = "drop"  # nothing is left to do
    WAIT = "wait"  # an engine is away: again later, and it is not the task's fault
    RETRY = "retry"  # again later, and parked when it failed too often


VERDICT: dict[type[BaseException], Verdict] = {
    NotFound: Verdict.DROP,
    Invalid: Verdict.DROP,
    Unavailable: Verdict.WAIT,
    TimeoutError: Verdict.WAIT,
}  # else RETRY


def verdict_of(error: BaseException) -> Verdict:
    """The verdict on an error; on a group, the gravest of its members' verdicts."""
    if isinstance(error, BaseExceptionGroup):
        verdicts = {verdict_of(member) for member in error.exceptions}
        return next(verdict for verdict in (Verdict.RETRY, Verdict.WAIT, Verdict.DROP) if verdict in verdicts)
    return next((VERDICT[kind] for kind in type(error).__mro__ if kind in VERDICT), Verdict.RETRY)


def reason_of(error: BaseException) -> str:
    """The error in one line for the operator."""
    return f"{type(error).__name__}: {error}"[:500]
