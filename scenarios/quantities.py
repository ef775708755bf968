"""Quantities with their units in the text: `250ms`, `40/s`, `1.5%`, `55 EUR`, `x2.5`, `>= 99%`.

A bare number is refused wherever a unit is needed, because `timeout: 5` has cost people outages. Everything is
kept in seconds, per second and shares of one; the text that the author wrote stays in the run record.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

__all__ = [
    "Bound",
    "Count",
    "DurationS",
    "LatencyCeiling",
    "Money",
    "MoneyAmount",
    "PositiveCount",
    "PositiveDurationS",
    "PositiveRatio",
    "RatePerS",
    "Ratio",
    "RatioBound",
    "RatioFloor",
    "SizeBytes",
    "ThroughputBytesPerS",
    "parse_duration_s",
    "parse_money",
    "parse_positive_duration_s",
    "parse_ratio",
    "parse_size_bytes",
    "parse_throughput_bytes_per_s",
]

_NUMBER = r"(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
# ASCII only: \d would take any script's digits, which the JSON Schema does not.
_DURATION = re.compile(rf"{_NUMBER}\s*(?P<unit>us|ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(rf"{_NUMBER}\s*/\s*(?P<unit>s|m|h)", re.ASCII)
_RATIO = re.compile(rf"{_NUMBER}\s*%", re.ASCII)
_MONEY = re.compile(rf"{_NUMBER}\s*(?P<currency>[A-Z]{{3}})", re.ASCII)
# Decimal units, as disks, networks and object stores are sold and measured.
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_SIZE = re.compile(rf"{_NUMBER}\s*(?P<unit>B|kB|MB|GB|TB)", re.ASCII)
_THROUGHPUT = re.compile(rf"{_NUMBER}\s*(?P<unit>B|kB|MB|GB|TB)\s*/\s*s", re.ASCII)
_BOUND = re.compile(r"(?P<op>>=|<=|>|<)\s*(?P<value>.+)")

# Long enough for any release, short enough that a slip of the unit (ms for d) is caught here.
_DURATION_S_MAX = 366 * 86400.0
_RATE_PER_S_MAX = 1e7
_SIZE_BYTES_MAX = 1e18


def _matched(pattern: re.Pattern[str], value: Any, rule: str) -> re.Match[str]:
    """The match of a whole text; raises ValueError with the rule for what is none, or is negative."""
    text = value.strip() if isinstance(value, str) else ""
    match = pattern.fullmatch(text)
    if match is None and text.startswith("-") and pattern.fullmatch(text[1:].lstrip()):
        raise ValueError("must not be negative")
    if match is None:
        raise ValueError(rule)
    return match


def _number(match: re.Match[str]) -> float:
    number = float(match["number"])
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def parse_duration_s(value: Any) -> float:
    """Seconds of a text such as `250ms`, `1.5s`, `5m`, `2h`, `1d`; raises ValueError with the rule broken."""
    rule = "must be a duration with its unit (us, ms, s, m, h, d), such as 250ms or 5m"
    match = _matched(_DURATION, value, rule)
    duration_s = _number(match) * _SECONDS[match["unit"]]
    if duration_s > _DURATION_S_MAX:
        raise ValueError("must be at most 366d")
    return duration_s


def parse_positive_duration_s(value: Any) -> float:
    """As `parse_duration_s`, for times that must not be 0."""
    duration_s = parse_duration_s(value)
    if duration_s <= 0:
        raise ValueError("must be longer than 0s")
    return duration_s


def _parse_rate_per_s(value: Any) -> float:
    rule = "must be a rate with its unit (/s, /m, /h), such as 40/s"
    match = _matched(_RATE, value, rule)
    rate_per_s = _number(match) / _PER[match["unit"]]
    if not 0 < rate_per_s <= _RATE_PER_S_MAX:
        raise ValueError(f"must be above 0/s and at most {_RATE_PER_S_MAX:.0f}/s")
    return rate_per_s


def parse_ratio(value: Any) -> float:
    """A share of one from a text such as `1.5%`; raises ValueError with the rule broken."""
    rule = "must be a percentage from 0% to 100%, such as 1.5%"
    ratio = _number(_matched(_RATIO, value, rule)) / 100.0
    if not 0 <= ratio <= 1:
        raise ValueError(rule)
    return ratio


def parse_size_bytes(value: Any) -> float:
    """Bytes of a text such as `12GB`; raises ValueError with the rule broken."""
    return _bytes(value, _SIZE, "must be a size with its unit (B, kB, MB, GB, TB), such as 12GB")


def parse_throughput_bytes_per_s(value: Any) -> float:
    """Bytes a second of a text such as `200MB/s`; raises ValueError with the rule broken."""
    return _bytes(
        value, _THROUGHPUT, "must be a throughput with its unit (B/s, kB/s, MB/s, GB/s, TB/s), such as 200MB/s"
    )


def _bytes(value: Any, pattern: re.Pattern[str], rule: str) -> float:
    match = _matched(pattern, value, rule)
    found = _number(match) * _BYTES[match["unit"]]
    if not 0 < found <= _SIZE_BYTES_MAX:
        raise ValueError("must be above 0 and at most 1000000TB")
    return found


def _parse_positive_ratio(value: Any) -> float:
    ratio = parse_ratio(value)
    if ratio <= 0:
        raise ValueError("must be above 0%")
    return ratio


@dataclass(frozen=True, slots=True)
class Money:
    """An amount and its currency (ISO 4217 code)."""

    amount: float
    currency: str


def parse_money(value: Any) -> Money:
    """An amount with its currency from a text such as `55 EUR`; raises ValueError with the rule broken."""
    rule = "must be an amount and a currency code, such as 55 EUR"
    match = _matched(_MONEY, value, rule)
    return Money(_number(match), match["currency"])


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit on a number, such as `>= 99%`: the side that is allowed, and the value, in units of one or seconds."""

    op: str
    value: float

    def holds(self, number: float) -> bool:
        """Whether `number` is on the allowed side; false for NaN."""
        if self.op == ">=":
            return number >= self.value
        if self.op == "<=":
            return number <= self.value
        if self.op == ">":
            return number > self.value
        return number < self.value

    def __str__(self) -> str:
        return f"{self.op} {self.value:g}"


def _bound(parse: Callable[[Any], float], example: str) -> Callable[[Any], Bound]:
    def parse_bound(value: Any) -> Bound:
        rule = f"must be a bound such as {example!r}"
        match = _matched(_BOUND, value, rule)
        if ".." in match["value"]:
            raise ValueError(f"must be a bound of one value, not of a range, such as {example!r}")
        return Bound(match["op"], parse(match["value"]))

    return parse_bound


def _one_sided(parse: Callable[[Any], Bound], allowed: tuple[str, str]) -> Callable[[Any], Bound]:
    def parse_one_sided(value: Any) -> Bound:
        bound = parse(value)
        if bound.op not in allowed:
            raise ValueError(f"must be a bound with {allowed[0]} or {allowed[1]}")
        return bound

    return parse_one_sided


def _text(pattern: str, example: str) -> WithJsonSchema:
    """What an editor is told: the JSON Schema of the text, in the regular expressions of ECMA-262."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


_JSON_NUMBER = r"\d+(\.\d+)?([eE][+-]?\d+)?"
_JSON_DURATION = rf"{_JSON_NUMBER}\s*(us|ms|s|m|h|d)"
_JSON_RATIO = rf"{_JSON_NUMBER}\s*%"

_ratio_bound = _bound(parse_ratio, ">= 99%")
_duration_bound = _bound(parse_positive_duration_s, "<= 1.5s")

DurationS = Annotated[float, BeforeValidator(parse_duration_s), _text(_JSON_DURATION, "250ms")]
PositiveDurationS = Annotated[float, BeforeValidator(parse_positive_duration_s), _text(_JSON_DURATION, "5m")]
RatePerS = Annotated[float, BeforeValidator(_parse_rate_per_s), _text(rf"{_JSON_NUMBER}\s*/\s*(s|m|h)", "40/s")]
Ratio = Annotated[float, BeforeValidator(parse_ratio), _text(_JSON_RATIO, "1.5%")]
PositiveRatio = Annotated[float, BeforeValidator(_parse_positive_ratio), _text(_JSON_RATIO, "5%")]
MoneyAmount = Annotated[Money, BeforeValidator(parse_money), _text(rf"{_JSON_NUMBER}\s*[A-Z]{{3}}", "55 EUR")]
SizeBytes = Annotated[float, BeforeValidator(parse_size_bytes), _text(rf"{_JSON_NUMBER}\s*(B|kB|MB|GB|TB)", "12GB")]
ThroughputBytesPerS = Annotated[
    float,
    BeforeValidator(parse_throughput_bytes_per_s),
    _text(rf"{_JSON_NUMBER}\s*(B|kB|MB|GB|TB)\s*/\s*s", "200MB/s"),
]
RatioBound = Annotated[Bound, BeforeValidator(_ratio_bound), _text(rf"(>=|<=|>|<)\s*{_JSON_RATIO}", "<= 2%")]
RatioFloor = Annotated[
    Bound,
    BeforeValidator(_one_sided(_ratio_bound, (">=", ">"))),
    _text(rf"(>=|>)\s*{_JSON_RATIO}", ">= 99%"),
]
LatencyCeiling = Annotated[
    Bound,
    BeforeValidator(_one_sided(_duration_bound, ("<=", "<"))),
    _text(rf"(<=|<)\s*{_JSON_DURATION}", "<= 1.5s"),
]


def _strict_count(value: Any) -> int:
    # YAML's `true` is an int to Python, and `2.0` would pass for 2: neither is what an author means by a count.
    if isinstance(value, str) and value.isdecimal():
        raise ValueError("must be a whole number, without quotes")
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


Count = Annotated[
    int,
    BeforeValidator(_strict_count),
    Field(ge=0, le=100_000),
    WithJsonSchema({"type": "integer", "minimum": 0}),
]
PositiveCount = Annotated[
    int,
    BeforeValidator(_strict_count),
    Field(ge=1, le=100_000),
    WithJsonSchema({"type": "integer", "minimum": 1}),
]
