"""The release: what changes, what may be wrong with it, how it is rolled out, watched and taken back."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part, Version
from scenarios.defects import Defect
from scenarios.guardrails import Guardrail
from scenarios.migration import Migration, Reconcile, Repair
from scenarios.quantities import DurationS, PositiveDurationS
from scenarios.rollback_risks import RollbackRisk
from scenarios.strategies import Strategy

__all__ = ["Change", "Release", "RollbackStep"]

RollbackStep = Literal[
    "redeploy",
    "route-back",
    "retire",
    "verify",
    "kill-switch",
    "procedure",
    "revert-migration",
    "reconcile",
    "restore",
    "fail-over",
]


class Change(Part):
    """One service goes from one version to another."""

    service: Name
    old: Version = Field(alias="from")
    new: Version = Field(alias="to")

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.old == self.new:
            raise ValueError("to must differ from from")
        return self


class Release(Part):
    """One release: one or several services, by one strategy."""

    at_s: DurationS = Field(30.0, alias="at", description="start, after the start of the load")
    changes: list[Change] = Field(min_length=1)
    order: Literal["sequential", "together"] = Field(
        "sequential", description="of several changes: one after the other as listed, or all at once"
    )
    defects: list[Defect] = []
    migration: Migration | None = Field(None, description="of a store, before and after the rollout")
    strategy: Strategy
    alternatives: list[Strategy] = Field([], description="what `compare` compares the strategy with")
    guardrails: list[Guardrail] = []
    rollback: list[RollbackStep] = Field(
        ["redeploy", "route-back", "retire", "verify"], min_length=1, description="steps, in their order"
    )
    rollback_risks: list[RollbackRisk] = Field([], description="what may be wrong with those steps")
    progress_deadline_s: PositiveDurationS | None = Field(
        None, alias="progress_deadline", description="a deploy that is not ready by then has failed; without, it waits"
    )
    reconcile: Reconcile | None = Field(None, description="what the step reconcile takes")
    repair: Repair | None = Field(None, description="of bad data that shows after the release is over")

    @property
    def change(self) -> Change:
        """The first change; of a drill the only one."""
        return self.changes[0]

    def change_of(self, service: str) -> Change | None:
        """The change of a service; None when it is not released."""
        return next((change for change in self.changes if change.service == service), None)

    def defective(self, defect: Defect) -> str:
        """The service whose new version a defect is of: the first that is released, unless it names one."""
        return self.change.service if defect.of is None else defect.of

    def strategy_of(self, kind: str) -> Strategy | None:
        """The strategy of that kind, the main one before the alternatives; None when the scenario has none."""
        return next((each for each in (self.strategy, *self.alternatives) if each.kind == kind), None)
