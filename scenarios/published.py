"""What was published about an incident that a scenario replays; shown beside the prediction, never simulated."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from scenarios.base import Part, Text
from scenarios.quantities import DurationS, Ratio

__all__ = ["Published"]


class Published(Part):
    """The outcome of the real incident for one business function, with its source."""

    rto_s: DurationS | None = Field(None, alias="rto", description="from impact to recovery")
    rpo_s: DurationS | None = Field(None, alias="rpo", description="oldest acknowledged write that was lost")
    failed_share: Ratio | None = Field(None, description="share of the requests that failed, from impact to recovery")
    not_reproduced: Text | None = Field(None, description="why the model cannot say what happened")
    source: Text

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.rto_s is None and self.rpo_s is None and self.failed_share is None:
            raise ValueError("must have at least one of rto, rpo, failed_share")
        return self
