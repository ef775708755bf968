"""The steps that authors compose canaries and toggles of, and the gates between them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Name, Part
from scenarios.distributions import Distribution
from scenarios.guardrails import Guardrail, guardrail_labels
from scenarios.quantities import PositiveDurationS, PositiveRatio, Ratio

__all__ = ["Analysis", "CanaryStep", "Gates", "Share", "ToggleStep"]


def _parse_share(value: Any) -> float | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip(), re.ASCII)
        if match is not None and float(match[1]) <= 100:
            return float(match[1]) / 100.0
    raise ValueError("must be a count of replicas, such as 1, or a percentage of them, such as 25%")


_SHARE_SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 0},
    {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
]

# A whole number is a count of replicas; a float is a share of them.
Share = Annotated[float | int, BeforeValidator(_parse_share), WithJsonSchema({"anyOf": _SHARE_SCHEMAS})]

MATCH = "match"


def _parse_scale(value: Any) -> float | int | str:
    if value == MATCH:
        return MATCH
    try:
        share = _parse_share(value)
    except ValueError:
        share = 0
    if share == 0:
        raise ValueError("must be replicas, such as 2 or 25%, above 0, or match")
    return share


_Scale = Annotated[
    float | int | Literal["match"],
    BeforeValidator(_parse_scale),
    WithJsonSchema({"anyOf": [*_SHARE_SCHEMAS, {"const": MATCH}]}),
]


class Analysis(Part):
    """Judges look at the release for a time; the first that finds it bad takes it back."""

    for_s: PositiveDurationS = Field(alias="for")
    checks: list[Guardrail] = Field(min_length=1)
    inconclusive: Literal["pause", "rollback", "go-on"] = Field(
        "pause", description="when a check has not seen enough at the end; pause: until the person on call goes on"
    )

    @model_validator(mode="after")
    def _acts_as_a_whole(self) -> Self:
        for place, check in enumerate(self.checks):
            if "action" in check.model_fields_set:
                raise ValueError(f"checks[{place}] must have no action: a failed analysis takes the release back")
            interval_s = check.interval_s(0.0)
            if interval_s > self.for_s:
                raise ValueError(f"for must be at least {interval_s:g}s, or checks[{place}] never looks")
            if check.mann_whitney is not None and self.for_s < check.mann_whitney.points * interval_s:
                needed = f"{check.mann_whitney.points} points, one each {interval_s:g}s"
                raise ValueError(f"for must be at least as long as checks[{place}] takes to see enough: {needed}")
            if check.consecutive * interval_s > self.for_s:
                needed = f"{check.consecutive} looks in a row, one each {interval_s:g}s"
                raise ValueError(f"for must be at least as long as checks[{place}] takes to fail: {needed}")
        return self

    @property
    def title(self) -> str:
        """What the timeline calls it."""
        return f"analysis {self.for_s:g} s"

    @property
    def names(self) -> list[str]:
        """What the timeline calls each check that trips, in their order."""
        return [f"{self.title}: {label}" for label in guardrail_labels(self.checks)]


class Gates(Part):
    """What may stand between two steps of traffic."""

    bake_s: PositiveDurationS | None = Field(None, alias="bake")
    pause: Distribution | None = Field(None, description="until a person goes on")
    analysis: Analysis | None = None
    approve: Name | None = Field(None, description="a sign-off of operations.approvals")

    @model_validator(mode="after")
    def _one(self) -> Self:
        fields = type(self).model_fields
        given = [name for name in fields if getattr(self, name) is not None]
        if len(given) != 1:
            words = ", ".join(field.alias or name for name, field in fields.items())
            raise ValueError(f"must have exactly one of {words}")
        return self

    @property
    def shifts(self) -> bool:
        """Whether it is a step of traffic or replicas, and no gate."""
        return all(getattr(self, name) is None for name in Gates.model_fields)


class CanaryStep(Gates):
    """One step of a canary: traffic, copies, replicas, or a gate."""

    weight: PositiveRatio | None = None
    scale: _Scale | None = Field(None, description="replicas of the new version from here on, whatever the traffic")
    cohort: Name | None = Field(None, description="all requests of a cohort go to the new version")
    mirror: Ratio | None = Field(None, description="share of the requests that are copied to the new version")


class ToggleStep(Gates):
    """One step of a toggle: the flag on for more requests, or a gate."""

    on: PositiveRatio | None = None
    cohort: Name | None = Field(None, description="the flag is on for all requests of a cohort")
