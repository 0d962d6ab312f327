"""Lanes: kinds of work that must not wait for each other, as data.

Box: workers. What people see first stands first.
"""

import msgspec


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One lane, and how much of it one process does at a time."""

    name: str
    concurrency: int  # handlers that run at once
    most_out: int = 256  # messages taken from the queue and not finished; bounds batches, and what a crash repeats
    about: str


LANES: tuple[Lane, ...] = (
    Lane(
        name="fan_out", concurrency=4, most_out=512, about="New and changed statuses into home timelines and streams."
    ),
    Lane(name="notify", concurrency=8, about="Notices: mentions, follows, favourites, ended polls."),
    Lane(name="counts", concurrency=2, most_out=1024, about="Reactions, replies, votes and statuses, counted."),
    Lane(name="graph", concurrency=4, about="Follows, blocks and mutes: what follows from them."),
    Lane(name="media", concurrency=1, most_out=4, about="Uploads turned into what is shown; each takes a core."),
    Lane(name="film", concurrency=1, most_out=2, about="Films and sounds made fit to be played; each takes minutes."),
    Lane(name="cards", concurrency=8, most_out=32, about="Pages behind links, fetched for previews."),
    Lane(name="index", concurrency=2, about="Statuses and accounts made findable."),
    Lane(name="facts", concurrency=1, most_out=64, about="What happened, counted for the dashboards."),
    Lane(name="mail", concurrency=4, most_out=16, about="Messages to users' addresses."),
    Lane(name="cleanup", concurrency=1, most_out=16, about="What was deleted, removed page by page."),
    Lane(name="cdn", concurrency=2, most_out=16, about="Deleted files, taken out of the CDN."),
)
