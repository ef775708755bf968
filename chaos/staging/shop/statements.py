"""The statements of the shop's store, for each schema that a version writes: an order in, and whether any is wrong.

A version of the old schema writes `amount`, one of the new schema `amount_cents`, and one that writes both (dual) does
so for as long as the old column is there. An order of less than nothing is none that anybody can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

__all__ = ["any_wrong", "insert"]

_VALUES: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "old": ("amount", "%(amount)s::numeric"),
    "new": ("amount_cents", "round(%(amount)s::numeric * 100)"),
    "dual": ("amount, amount_cents", "%(amount)s::numeric, round(%(amount)s::numeric * 100)"),
}
_CONFLICT: LiteralString = "ON CONFLICT (id) DO NOTHING"


def insert(schema: str, *, slowly: bool) -> LiteralString:
    """With `slowly`, it first spends `pause_s` inside the database."""
    columns, values = _VALUES[schema]
    into: LiteralString = f"INSERT INTO orders (id, function, cohort, {columns}, version)"
    row: LiteralString = f"%(id)s, %(function)s, %(cohort)s, {values}, %(version)s"
    if slowly:
        pause: LiteralString = "WITH pause AS MATERIALIZED (SELECT pg_sleep(%(pause_s)s))"
        return f"{pause} {into} SELECT {row} FROM pause {_CONFLICT}"  # noqa: S608 -- our own words
    return f"{into} VALUES ({row}) {_CONFLICT}"


def any_wrong(schema: str) -> LiteralString:
    """Whether a row that this schema reads is wrong, and has been there for `after_s`."""
    column: LiteralString = "amount" if schema == "old" else "amount_cents"
    age: LiteralString = "created_at <= clock_timestamp() - make_interval(secs => %(after_s)s)"
    return f"SELECT EXISTS (SELECT FROM orders WHERE {column} < 0 AND {age})"  # noqa: S608 -- our own words
