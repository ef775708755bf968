"""The same scenario with every assumed quantity as a range around what it is, to ask which of them matters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from scenarios.ranges import QUANTITY, is_fixed
from scenarios.yaml_text import Path, parse

__all__ = ["widened"]

# Parts that describe the world. What the release does, how it is watched and taken back, is decided.
_ASSUMED: tuple[tuple[str, ...], ...] = (
    ("system",), ("functions",), ("operations",), ("faults",), ("release", "defects"), ("release", "migration"),
)  # fmt: skip
_DIGITS = 12


def widened(text: str, source: str, spread: float) -> str:
    """The text with each quantity q of the world as the range q (1 - spread) to q (1 + spread); 0 < spread < 1.

    Percentages end at 100 %. Left as they are: whole numbers (replicas, workers), zeros, when a fault begins and what
    may not be a range. Comments are lost.
    """
    data, _ = parse(text, source)
    for path, value in list(_leaves(data, ())):
        if not _is_assumed(path):
            continue
        range_text = _range_text(value, spread)
        if range_text is not None:
            holder = data
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = range_text
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(data, stream)
    return stream.getvalue()


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _leaves(child, (*path, index))
    else:
        yield path, value


def _is_assumed(path: Path) -> bool:
    begins = any(path[: len(part)] == part for part in _ASSUMED)
    return begins and not is_fixed(path) and not (path[0] == "faults" and path[-1] == "at")


def _range_text(value: Any, spread: float) -> str | None:
    if isinstance(value, float):
        return _between(value, spread, "", "") if value > 0 else None
    if not isinstance(value, str):
        return None
    match: re.Match[str] | None = QUANTITY.fullmatch(value.strip())
    if match is None or not match["unit"] + match["sign"] or float(match["number"]) == 0:
        return None
    return _between(float(match["number"]), spread, match["sign"], match["unit"])


def _between(value: float, spread: float, sign: str, unit: str) -> str | None:
    low, high = value * (1 - spread), value * (1 + spread)
    if unit == "%":
        high = min(high, 100.0)
    if sign == "x":
        low = max(low, 1.0)
    ends = [f"{sign}{end:.{_DIGITS}g}{unit}" for end in (low, high)]
    return "..".join(ends) if low < high else None
