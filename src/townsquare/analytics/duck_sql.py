"""Questions in DuckDB's SQL.

Box: analytics. Source: https://duckdb.org/docs/stable/sql/introduction
"""

from collections.abc import Sequence

from townsquare.analytics.port import MOST_ROWS, Field, Question

COLUMNS = {
    "id": "BIGINT",
    "kind": "VARCHAR",
    "at_ms": "BIGINT",
    "value": "BIGINT",
    "actor": "BIGINT",
    "author": "BIGINT",
    "object": "BIGINT",
    "amount": "BIGINT",
    "visibility": "VARCHAR",
    "app": "VARCHAR",
    "language": "VARCHAR",
    "label": "VARCHAR",
    "cohort": "BIGINT",
}
CREATE = f"({', '.join(f'{name} {kind} NOT NULL' for name, kind in COLUMNS.items())})"

# `band_of`. The logarithm is a guess, which a shift sets right: floating point knows no large integers.
_GUESS = "CAST(floor(log2(amount)) AS INTEGER)"
_OCTAVE = f"({_GUESS} + CASE WHEN amount >> {_GUESS} < 1 THEN -1 WHEN amount >> {_GUESS} > 1 THEN 1 ELSE 0 END)"
_QUARTER = f"(CASE WHEN {_OCTAVE} < 2 THEN amount << (2 - {_OCTAVE}) ELSE amount >> ({_OCTAVE} - 2) END & 3)"
_BAND = f"CASE WHEN amount <= 0 THEN 0 ELSE 1 + 4 * {_OCTAVE} + {_QUARTER} END"

_MEASURES = {
    "value": "sum(value)",
    "amount": "sum(value * amount)",
    "least": "min(amount)",
    "greatest": "max(amount)",
}

Value = int | str


def sql_of(question: Question, table: str) -> tuple[str, list[Value]]:
    """The question over a table, with the values of its places. Its rows: the time, the fields, the number."""
    values = list[Value]()
    conditions = [
        _among("kind", question.kinds, values),
        f"at_ms >= {int(question.since_ms)}",
        f"at_ms < {int(question.until_ms)}",
        *(_among(_expression(field), wanted, values) for field, wanted in question.where),
    ]
    sums = question.measure in ("value", "amount")
    if not sums:
        conditions.append("value > 0")
    names = [f"by{n}" for n in range(len(question.by))]
    fields = "".join(f", {_expression(field)} AS {name}" for field, name in zip(question.by, names, strict=True))
    found = (
        f"SELECT {_bucket(question)} AS bucket{fields}, {_MEASURES[question.measure]} AS n FROM {table} "
        f"WHERE {' AND '.join(conditions)} GROUP BY ALL HAVING n {'<> 0' if sums else 'IS NOT NULL'}"
    )
    if question.spread:
        found, names = f"SELECT bucket, n AS by0, count(*) AS n FROM ({found}) GROUP BY ALL", ["by0"]
    order = ["bucket", *names]
    if question.limit < MOST_ROWS:
        order.insert(0, "n DESC")
    listed = ", ".join(["bucket", *names, "n"])
    limit = max(0, int(question.limit))
    return f"SELECT {listed} FROM ({found}) ORDER BY {', '.join(order)} LIMIT {limit}", values


def _among(expression: str, wanted: Sequence[Value], values: list[Value]) -> str:
    if not wanted:
        return "false"
    if all(isinstance(each, int) for each in wanted):
        return f"{expression} IN ({', '.join(str(int(each)) for each in wanted)})"
    values += wanted
    return f"{expression} IN ({', '.join('?' * len(wanted))})"


def _expression(field: Field) -> str:
    return _BAND if field == "band" else COLUMNS[field] and field


def _bucket(question: Question) -> str:
    """Where the bucket of time begins. Twice `%`: the first may be below zero, before 1970."""
    if not question.step_s:
        return "0"
    offset, step = int(question.offset_s) * 1_000, int(question.step_s) * 1_000
    return f"at_ms - ((at_ms - {offset}) % {step} + {step}) % {step}"
