"""The charts of those who run the server, about its safety and its machines.

Box: social.
"""

from townsquare.model.insights import Step
from townsquare.social.insights.charts import Chart, Percentiles, Series, Split, Sums

_DAYS: tuple[Step, ...] = ("day", "week", "month")

SAFETY: tuple[Chart, ...] = (
    Chart(
        name="moderation",
        title="Reports and acts of moderators, per {step}",
        about="Reports that came in, and what moderators did.",
        limits="It counts acts of any weight alike.",
        kind="bars",
        unit="acts",
        audience="operator",
        shape=Sums(
            series=(
                Series(name="report", title="Reports", plus=("report",), own="actor"),
                Series(name="moderation", title="Acts of moderators", plus=("moderation",), own="actor"),
            )
        ),
    ),
    Chart(
        name="reports_by_category",
        title="Reports by category, per {step}",
        about="Reports by what they were said to be about.",
        limits="The category is that of whoever reported.",
        kind="bars",
        unit="reports",
        audience="operator",
        shape=Split(kinds=("report",), by="label", own="actor"),
        steps=_DAYS,
    ),
    Chart(
        name="response_time",
        title="Time from a report to the act on it, s, per {step}",
        about="Percentiles over the acts of moderators that followed a report.",
        limits="Reports that still wait are not in it. Out of bands: up to a fourth off.",
        kind="lines",
        unit="s",
        audience="operator",
        shape=Percentiles(kinds=("moderation",), above_zero=True),
        steps=_DAYS,
    ),
    Chart(
        name="blocks",
        title="Blocks and mutes, per {step}",
        about="How often people blocked or muted somebody.",
        limits="Nobody is named, neither who did it nor whom it met.",
        kind="bars",
        unit="acts",
        audience="operator",
        shape=Sums(
            series=(
                Series(name="block", title="Blocks", plus=("block",), own="actor"),
                Series(name="mute", title="Mutes", plus=("mute",), own="actor"),
            )
        ),
        steps=_DAYS,
    ),
)

MACHINE: tuple[Chart, ...] = (
    Chart(
        name="delivery",
        title="Delivery lag: from posting to the last home timeline, ms, per {step}",
        about="Percentiles over statuses that are in all home timelines of the author's followers.",
        limits="Statuses on their way are not in it. Out of bands: up to a fourth off. Kept for 400 days.",
        kind="lines",
        unit="ms",
        audience="operator",
        shape=Percentiles(kinds=("delivery",)),
    ),
    Chart(
        name="queue_ages",
        title="Age of the oldest waiting message by lane, ms, greatest of the {step}",
        about="Taken each minute.",
        limits="What came and went within a minute is not seen. A gap means that nobody looked. Kept for 90 days.",
        kind="lines",
        unit="ms",
        audience="operator",
        shape=Split(kinds=("queue_age",), by="label", measure="greatest"),
    ),
    Chart(
        name="media",
        title="Media made fit to be shown, bytes, per {step}",
        about="Bytes of uploads by sort.",
        limits="Uploads that were refused, or deleted since, are told no differently.",
        kind="bars",
        unit="bytes",
        audience="operator",
        shape=Split(kinds=("media",), by="label", measure="amount"),
    ),
    Chart(
        name="storage",
        title="Stored, bytes, greatest of the {step}",
        about="What the store, the media and the facts take up, taken each hour.",
        limits="A gap means that nobody looked. Engines on other machines tell it only where they can.",
        kind="lines",
        unit="bytes",
        audience="operator",
        shape=Split(kinds=("storage",), by="label", measure="greatest"),
    ),
    Chart(
        name="requests",
        title="Answered requests by class, per {step}",
        about="Requests by their class and the family of the answer's status.",
        limits="Kept for 90 days.",
        kind="lines",
        unit="times",
        audience="operator",
        shape=Split(kinds=("request",), by="label"),
    ),
    Chart(
        name="request_time",
        title="Mean time to answer a request, ms, per {step}",
        about="Over all classes.",
        limits="A mean hides the slow ones. Kept for 90 days.",
        kind="lines",
        unit="ms",
        audience="operator",
        shape=Sums(series=(Series(name="mean", title="Mean", plus=("request",), measure="amount", over=("request",)),)),
    ),
    Chart(
        name="error_rate",
        title="Requests that failed by our fault, %, per {step}",
        about="Answers of the family 5xx as a part of all.",
        limits="Requests that never came to us are not in it. Kept for 90 days.",
        kind="lines",
        unit="percent",
        audience="operator",
        shape=Sums(
            series=(
                Series(name="failed", title="Failed", plus=("request",), ending="5xx", over=("request",), scale=100),
            )
        ),
    ),
    Chart(
        name="errors",
        title="Faults of ours by where they happened, per {step}",
        about="In web servers and in each lane of the workers.",
        limits="A task that fails and is tried again counts each time. Kept for 400 days.",
        kind="bars",
        unit="faults",
        audience="operator",
        shape=Split(kinds=("error",), by="label"),
    ),
    Chart(
        name="push",
        title="Push messages by outcome, per {step}",
        about="Sent, gone (the device no longer wants any) or failed.",
        limits="Sent is not seen. Kept for 400 days.",
        kind="bars",
        unit="times",
        audience="operator",
        shape=Split(kinds=("push",), by="label"),
    ),
)
