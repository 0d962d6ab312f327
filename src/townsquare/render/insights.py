"""Charts and their answers as our own API gives them, and answers as CSV.

Box: render. These Structs are the API: its OpenAPI document is made from them.
"""

import csv
import io
from collections.abc import Sequence
from typing import Literal

import msgspec

from townsquare.kit.clock import iso
from townsquare.model.insights import Answer, Audience, Drawing, Line, Number, Step, Unit

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one


class ChartEntity(msgspec.Struct, frozen=True, kw_only=True):
    """A chart that may be asked for."""

    name: str
    title: str  # {step} stands for the width of a bucket
    about: str  # what it means
    limits: str  # what it cannot say
    kind: Drawing
    unit: Unit
    audience: Audience
    steps: tuple[Step, ...]
    default_days: int
    utc: bool  # its periods are those of UTC, whatever zone is asked for
    compared: bool  # with the period before
    url: str


class LineEntity(msgspec.Struct, frozen=True, kw_only=True):
    """One series. null is a gap: nothing is known there."""

    name: str
    title: str
    unit: Unit
    values: tuple[Number | None, ...]
    total: Number | None
    previous: tuple[Number | None, ...] | None
    previous_total: Number | None


class AnswerEntity(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a chart for a range of time. Times are ISO 8601 in UTC; `until` is not part of the range."""

    chart: str
    title: str
    kind: Drawing
    unit: Unit
    zone: str
    step: Step
    since: str
    until: str
    at: tuple[str, ...]  # where each bucket begins; empty where there is no axis of time
    labels: tuple[str, ...]
    links: tuple[str, ...]
    series: tuple[LineEntity, ...]
    unfinished: int | None  # index of the bucket that is not over
    known_from: str | None  # before this nothing was recorded
    complete_to: str | None  # facts that happened later may still be coming
    catching_up: bool


class StatusInsights(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one status."""

    status_id: str
    charts: tuple[AnswerEntity, ...]


class ErrorEntity(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong."""

    error: str
    details: dict[str, list[dict[Literal["error", "description"], str]]] | msgspec.UnsetType = msgspec.UNSET


def answer_entity(answer: Answer) -> AnswerEntity:
    """An answer."""
    return AnswerEntity(
        chart=answer.chart,
        title=answer.title,
        kind=answer.kind,
        unit=answer.unit,
        zone=answer.zone,
        step=answer.step,
        since=iso(answer.since_ms),
        until=iso(answer.until_ms),
        at=tuple(iso(ms) for ms in answer.at),
        labels=answer.labels,
        links=answer.links,
        series=tuple(_line(line, answer.unit) for line in answer.lines),
        unfinished=answer.unfinished,
        known_from=iso(answer.known_from_ms) if answer.known_from_ms else None,
        complete_to=iso(answer.complete_to_ms) if answer.complete_to_ms else None,
        catching_up=answer.catching_up,
    )


def _line(line: Line, unit: Unit) -> LineEntity:
    return LineEntity(
        name=line.name,
        title=line.title,
        unit=line.unit or unit,
        values=line.values,
        total=line.total,
        previous=line.previous,
        previous_total=line.previous_total,
    )


def answer_csv(answer: Answer) -> bytes:
    """An answer as CSV (RFC 4180, UTF-8): a row for each label, gaps empty, the period before in columns of its own."""
    columns: list[tuple[str, Sequence[Number | None]]] = []
    for line in answer.lines:
        columns.append((line.title, line.values))
        if line.previous is not None:
            columns.append((f"{line.title}, period before", line.previous))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    head = ["begins"] if answer.at else []
    head += [answer.step if answer.at else "label"] + (["link"] if answer.links else [])
    writer.writerow([*head, *(_cell(title) for title, _ in columns)])
    for n, label in enumerate(answer.labels):
        row: list[str | Number | None] = [iso(answer.at[n])] if answer.at else []
        row += [_cell(label)] + ([_cell(answer.links[n])] if answer.links else [])
        writer.writerow([*row, *(values[n] for _, values in columns)])
    return out.getvalue().encode()


def _cell(text: str) -> str:
    """What people wrote, so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
