"""Our tables in QuestDB's SQL: made, filled by the line protocol, asked, emptied.

An empty text is NULL there, as a symbol cannot be empty. A row that is forgotten keeps its time and id, and is of no
kind: rows of a table with a log cannot be deleted.

Box: analytics. Source: QuestDB, https://questdb.com/docs/
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from townsquare.analytics.places import class_of
from townsquare.analytics.port import MOST_ROWS, Question
from townsquare.model.facts import Fact, band_of

_COLUMNS = (
    "ts TIMESTAMP, id LONG, kind SYMBOL CAPACITY 64, value LONG, actor LONG, author LONG, object LONG, amount LONG, "
    "cohort INT, band SHORT, visibility SYMBOL CAPACITY 16, app VARCHAR, language SYMBOL CAPACITY 256, label VARCHAR"
)
_NUMBERS = frozenset(("actor", "author", "object", "cohort", "band"))
_EMPTIED = ", ".join(
    [f"{name} = NULL" for name in ("kind", "visibility", "app", "language", "label")]
    + [f"{name} = 0" for name in ("value", "actor", "author", "object", "amount", "cohort")]
    + ["band = cast(0 AS SHORT)"]
)
_SUMS = {"value": "sum(value)", "amount": "sum(value * amount)", "least": "min(amount)", "greatest": "max(amount)"}
_AGAIN = {"value": "sum(n)", "amount": "sum(n)", "least": "min(n)", "greatest": "max(n)"}
_PARTITIONS = {"always": "MONTH", "d400": "WEEK"}  # others by DAY
_LAST_MS = 253_402_300_799_999  # of the year 9999


def make(table: str, name: str) -> str:
    """The table of a class."""
    partition = _PARTITIONS.get(name, "DAY")
    keys = "DEDUP UPSERT KEYS(ts, id)"
    return f"CREATE TABLE IF NOT EXISTS {table} ({_COLUMNS}) TIMESTAMP(ts) PARTITION BY {partition} WAL {keys}"


def lines(start: str, facts: Iterable[Fact]) -> bytes:
    """The facts by the line protocol, times in ms. `start`: of the tables' names."""
    return "".join([_line(start, fact) for fact in facts]).encode()


def _line(start: str, fact: Fact) -> str:
    texts = ""
    for name, text in (
        ("visibility", fact.visibility),
        ("app", fact.app),
        ("language", fact.language),
        ("label", fact.label),
    ):
        if text:
            texts += f',{name}="{_escaped(text)}"'
    return (
        f'{start}{class_of(fact.kind)} id={fact.id}i,kind="{_escaped(fact.kind)}",value={fact.value}i,'
        f"actor={fact.actor}i,author={fact.author}i,object={fact.object}i,amount={fact.amount}i,"
        f"cohort={fact.cohort}i,band={band_of(fact.amount)}i{texts} {fact.at_ms}\n"
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\\n").replace("\r", "\\\r")


def ask(start: str, question: Question) -> str:
    """The whole question, for rows of the time (where there are buckets), the fields, and the number."""
    keys = (["at"] if question.step_s else []) + [f"k{n}" for n in range(len(question.by))]
    names = sorted({class_of(kind) for kind in question.kinds})
    grouped = " UNION ALL ".join(f"({_group(start + name, question)})" for name in names)
    columns = ", ".join([*keys, f"{_AGAIN[question.measure]} n"])
    grouped = f"SELECT {columns} FROM ({grouped})" if len(names) > 1 else grouped
    there = "n IS NOT NULL AND n != 0" if question.measure in ("value", "amount") else "n IS NOT NULL"
    shown = [key if key == "at" or _is_number(question, key) else f"coalesce({key}, '') {key}" for key in keys]
    found = f"SELECT {', '.join([*shown, 'n'])} FROM ({grouped}) WHERE {there}"
    if question.spread:
        at = ["at"] if question.step_s else []
        keys = [*at, "k0"]
        found = f"SELECT {', '.join([*at, 'n k0', 'count() n'])} FROM ({found})"
    order = [*(["n DESC"] if question.limit < MOST_ROWS else []), *keys]
    return f"SELECT * FROM ({found})" + (f" ORDER BY {', '.join(order)}" if order else "") + f" LIMIT {question.limit}"


def _is_number(question: Question, key: str) -> bool:
    return question.by[int(key[1:])] in _NUMBERS


def _group(table: str, question: Question) -> str:
    columns = [f"{_bucket(question)} at"] if question.step_s else []
    columns += [f"{_text(name)} k{n}" for n, name in enumerate(question.by)]
    where = [_one_of("kind", question.kinds), f"ts >= {_time(question.since_ms)}", f"ts < {_time(question.until_ms)}"]
    where += [_one_of(name, values) for name, values in question.where]
    if question.measure in ("least", "greatest"):
        where.append("value > 0")
    return f"SELECT {', '.join([*columns, _SUMS[question.measure] + ' n'])} FROM {table} WHERE {' AND '.join(where)}"


def _text(name: str) -> str:
    """A symbol as text, so that the tables' different symbols come together."""
    return name if name in _NUMBERS or name in ("app", "label") else f"cast({name} AS VARCHAR)"


def _bucket(question: Question) -> str:
    offset, step = question.offset_s * 1_000, question.step_s * 1_000
    return f"(cast(ts AS LONG) / 1000 - {offset}) / {step} * {step} + {offset}"


def _one_of(name: str, values: Sequence[int | str]) -> str:
    if name in _NUMBERS:
        return f"{name} IN ({', '.join(str(int(value)) for value in values)})"
    texts = ["'" + str(value).replace("'", "''") + "'" for value in values if value]
    options = [f"{name} IN ({', '.join(texts)})"] if texts else []
    options += [f"{name} IS NULL"] if "" in values else []
    return f"({' OR '.join(options)})"


def _time(at_ms: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=max(0, min(at_ms, _LAST_MS)))
    return f"'{at.strftime('%Y-%m-%dT%H:%M:%S.%f')}Z'"


def forget(table: str, ids: Sequence[int]) -> str:
    """Empty the rows of these actors or authors."""
    some = ", ".join(str(int(each)) for each in ids)
    return f"UPDATE {table} SET {_EMPTIED} WHERE actor IN ({some}) OR author IN ({some})"


def outdate(table: str, kinds: Sequence[str], before_ms: int) -> str:
    """Empty the older rows of these kinds."""
    return f"UPDATE {table} SET {_EMPTIED} WHERE {_one_of('kind', kinds)} AND ts < {_time(before_ms)}"


def drop_partitions(table: str, name: str, before_ms: int) -> str:
    """Be rid of partitions all of whose rows are older."""
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=before_ms)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    match _PARTITIONS.get(name):
        case "MONTH":
            day = day.replace(day=1)
        case "WEEK":
            day -= timedelta(days=day.weekday())
    return f"ALTER TABLE {table} DROP PARTITION WHERE ts < '{day.strftime('%Y-%m-%dT%H:%M:%S')}Z'"


def take_over(new: str, old: str, kinds: Sequence[str], since_ms: int) -> str:
    """Copy the rows of these kinds, and all since then."""
    wanted = [f"ts >= {_time(since_ms)}", *([_one_of("kind", kinds)] if kinds else [])]
    return f"INSERT INTO {new} SELECT * FROM {old} WHERE kind IS NOT NULL AND ({' OR '.join(wanted)})"
