"""When measures start: after a time that the author gives, or `auto`, one that a simulation finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, TypeAdapter, WithJsonSchema

from scenarios.quantities import DurationS, parse_duration_s
from scenarios.rule_views import Data, Violation, duration_s_of, items, mapping

__all__ = ["AUTO", "Warmup", "warmup_rules"]

AUTO = "auto"


def _parse(value: Any) -> Any:
    try:
        return value if value == AUTO else parse_duration_s(value)
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from error


Warmup = Annotated[
    float | Literal["auto"],
    BeforeValidator(_parse),
    WithJsonSchema({"anyOf": [{"const": AUTO}, TypeAdapter(DurationS).json_schema()]}),
]


def warmup_rules(view: Data) -> Iterator[Violation]:
    """Measures must have started when the release and the first fault do."""
    value = mapping(view.top.get("measure")).get("warmup")
    warmup_s = duration_s_of(value)
    if warmup_s is None:
        return
    starts_s = [duration_s_of(view.release.get("at", "30s"))]
    starts_s += [duration_s_of(fault.get("at")) for _, fault in items(view.top.get("faults"))]
    first_s = min((each for each in starts_s if each is not None), default=warmup_s)
    if warmup_s > first_s:
        rule = f"must be over before the release and the first fault, after {first_s:g} s"
        yield Violation(("measure", "warmup"), value, rule)
