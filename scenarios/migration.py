"""What a release does to data: a migration of a store's schema, and the repair of what was written wrong."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part
from scenarios.distributions import Distribution
from scenarios.quantities import DurationS, PositiveRatio, Ratio

__all__ = ["Backfill", "BadData", "Migration", "Reconcile", "Repair"]


class Backfill(Part):
    """Old rows are rewritten for the new schema while the store serves."""

    takes: Distribution
    load: Ratio = Field(0.0, description="of the store's capacity, taken from its statements meanwhile")

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.load >= 1.0:
            raise ValueError("load must be below 100%: the store would serve nobody")
        return self


class Migration(Part):
    """Expand and contract: the schema takes both versions until `contract`, the point of no return."""

    store: Name
    expand: Distribution | None = None
    lock_s: DurationS = Field(0.0, alias="lock", description="at the start of expand all statements wait so long")
    backfill: Backfill | None = None
    dual_writes: bool = Field(True, description="the new version writes what the old one reads, too")
    switch: Distribution | None = Field(None, description="after the rollout: reads go to the new schema")
    contract: Distribution | None = Field(None, description="after the switch: what the old version needs is dropped")
    revert: Distribution | None = Field(None, description="what revert-migration takes")


class Reconcile(Part):
    """Rows that were written wrong, or where the old version does not see them, are put right one by one."""

    takes: Distribution | None = None
    per_row_s: DurationS = Field(0.0, alias="per_row")
    leaves: Ratio = Field(0.0, description="share of the rows that cannot be put right")


class Repair(Part):
    """What people do about bad data that shows when no rollback is there any more to catch it."""

    detect: Distribution | None = Field(None, description="from the first symptom until somebody knows")
    steps: list[Literal["reconcile", "restore"]] = Field(min_length=1)


class BadData(Part):
    """What a defect does to rows. It outlives the version that wrote them."""

    share: PositiveRatio = Field(description="of the rows that the new version writes")
    symptom_after_s: DurationS = Field(0.0, alias="symptom_after", description="from the first such row to its symptom")
    errors: Ratio = Field(0.0, description="of the service's requests, whatever its version, from the symptom on")

    @model_validator(mode="after")
    def _shows(self) -> Self:
        if self.symptom_after_s and not self.errors:
            raise ValueError("symptom_after needs errors above 0%")
        return self
