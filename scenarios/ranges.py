"""Inputs that nobody knows exactly, written as ranges: `2%..10%`, `4m..15m`, `x1.5..x4`, `2..6`.

A range stands wherever a number stands that describes the world. Each replication draws a value of its own, equally
likely from low to high; the scenario itself, where one value is needed, has the middle. Ranges are replaced in the
plain data, before the models see it: so every rule of the language holds for what is drawn.

Not a range may be: what is decided and not guessed (objectives, expectations, what good means, the limits of
guardrails), and what gives the record its shape (duration, measure, cohorts).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scenarios.yaml_text import Path

__all__ = ["QUANTITY", "Range", "Refused", "Value", "dotted", "is_fixed", "ranges_in", "with_values"]

QUANTITY = re.compile(
    r"(?P<sign>[x+]?)\s*(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*"
    r"(?P<unit>(?:us|ms|[smhd]|/s|/m|/h|%|[kMGT]B(?:/s)?)?)",
    re.ASCII,
)
"""One number with its unit, and before it x (a factor) or + (an addition)."""
# Units that measure the same, by their size in the first of them.
_SCALES: tuple[Mapping[str, float], ...] = (
    {"s": 1.0, "us": 1e-6, "ms": 1e-3, "m": 60.0, "h": 3600.0, "d": 86400.0},
    {"/s": 1.0, "/m": 1 / 60.0, "/h": 1 / 3600.0},
    {"MB": 1.0, "kB": 1e-3, "GB": 1e3, "TB": 1e6},
    {"MB/s": 1.0, "kB/s": 1e-3, "GB/s": 1e3, "TB/s": 1e6},
)
_DIGITS = 12

Value = str | int | float

_FIXED: tuple[tuple[str, ...], ...] = (
    ("schema",), ("name",), ("description",), ("sources",), ("start",), ("duration",), ("measure",), ("expect",),
    ("published",), ("calendar",), ("fidelity",),
    ("functions", "*", "rto"), ("functions", "*", "rpo"), ("functions", "*", "good"), ("functions", "*", "tier"),
    ("functions", "*", "cohorts"), ("functions", "*", "revenue"), ("release", "guardrails"), ("release", "changes"),
)  # fmt: skip
_TEXTS = ("description", "sources", "source", "reason", "name", "from", "to", "on")


@dataclass(frozen=True, slots=True)
class Refused:
    """A range where none may stand."""

    path: Path
    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class Range:
    """One uncertain input: where it stands, its text, and its ends, in `unit`; `whole` for counts."""

    path: Path
    text: str
    low: float
    high: float
    sign: str
    unit: str
    whole: bool

    @property
    def name(self) -> str:
        """Its place, as messages and tables write it."""
        return dotted(self.path)

    def at(self, share: float) -> Value:
        """The value at a share (0 to 1) of the way from low to high, as it would stand in the text."""
        if self.whole:
            # Each whole number is equally likely.
            return min(int(self.high), int(self.low + share * (self.high - self.low + 1)))
        value = self.low + share * (self.high - self.low)
        return f"{self.sign}{value:.{_DIGITS}g}{self.unit}" if self.sign or self.unit else value


def dotted(path: Path) -> str:
    """`system.calls[0].timeout`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def ranges_in(data: Any) -> tuple[list[Range], list[Refused]]:
    """Every range of the plain data in the order of the text, and those that must not be there."""
    found, refused = [], []
    for path, text in _texts(data, ()):
        ends = _ends(text)
        if ends is None:
            continue
        made = _range(path, text, *ends)
        if isinstance(made, Refused):
            refused.append(made)
        elif is_fixed(path):
            rule = "must be one value, not a range: it is decided, or gives the record its shape"
            refused.append(Refused(path, text, rule))
        else:
            found.append(made)
    return found, refused


def with_values(data: Any, ranges: Sequence[Range], values: Sequence[Value]) -> Any:
    """A copy of the plain data with a value in the place of each range."""
    changed = copy.deepcopy(data)
    for each, value in zip(ranges, values, strict=True):
        holder = changed
        for step in each.path[:-1]:
            holder = holder[step]
        holder[each.path[-1]] = value
    return changed


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _texts(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _texts(child, (*path, index))
    elif isinstance(value, str) and not (path and path[-1] in _TEXTS):
        yield path, value


def _ends(text: str) -> tuple[re.Match[str], re.Match[str]] | None:
    if text.count("..") != 1:
        return None
    low, high = (QUANTITY.fullmatch(part.strip()) for part in text.split(".."))
    return None if low is None or high is None else (low, high)


def _range(path: Path, text: str, low: re.Match[str], high: re.Match[str]) -> Range | Refused:
    if low["sign"] != high["sign"]:
        return Refused(path, text, "must be a range of one kind, such as x1.5..x4")
    scale = next((each for each in _SCALES if low["unit"] in each and high["unit"] in each), None)
    if scale is None and low["unit"] != high["unit"]:
        return Refused(path, text, "must be a range of one unit, such as 2%..10% or 4m..15m")
    unit = low["unit"] if scale is None else next(iter(scale))
    factors = (1.0, 1.0) if scale is None else (scale[low["unit"]], scale[high["unit"]])
    ends = float(low["number"]) * factors[0], float(high["number"]) * factors[1]
    if ends[0] >= ends[1]:
        return Refused(path, text, "must be a range from low to high")
    whole = not unit and not low["sign"] and ends[0].is_integer() and ends[1].is_integer()
    return Range(path, text, *ends, low["sign"], unit, whole)


def is_fixed(path: Path) -> bool:
    """Whether a range must not stand there."""
    return any(
        len(path) >= len(fixed) and all(wanted in ("*", step) for wanted, step in zip(fixed, path, strict=False))
        for fixed in _FIXED
    )
