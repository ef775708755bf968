"""The whole scenario, and what must hold between its parts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Bounds, Name, Part, Text
from scenarios.calendar import Calendar
from scenarios.clock import Moment
from scenarios.distributions import Distribution
from scenarios.drills import Drill
from scenarios.faults import Fault
from scenarios.fidelity import Fidelity
from scenarios.functions import Function
from scenarios.people import Approval, Notice, OnCall, Person, Suppression, Tickets
from scenarios.published import Published
from scenarios.quantities import DurationS, PositiveCount, PositiveDurationS, RatioBound, RatioFloor
from scenarios.release import Release
from scenarios.system import System
from scenarios.warmup import Warmup

__all__ = [
    "Expect",
    "FunctionExpectation",
    "Measure",
    "Operations",
    "ReleaseExpectation",
    "Scenario",
]


class Measure(Part):
    """How health is measured: windows of `window`, slid by `resolution`; recovered after `consecutive` good ones."""

    resolution_s: PositiveDurationS = Field(0.25, alias="resolution")
    window_s: PositiveDurationS = Field(5.0, alias="window")
    consecutive: PositiveCount = 20
    warmup: Warmup = Field(0.0, description="measures start after it; auto: found by MSER-5")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        cells = self.window_s / self.resolution_s
        if cells < 1 or abs(cells - round(cells)) > 1e-9:
            raise ValueError("window must be a whole multiple of resolution")
        return self

    @property
    def window_cells(self) -> int:
        """Cells of the resolution in one window."""
        return round(self.window_s / self.resolution_s)


class Operations(Part):
    """People and tools around the release. Times of tools are for the simulator; a drill takes real ones."""

    on_call: OnCall | None = None
    deploy: Distribution | None = Field(None, description="a deploy takes besides the start of replicas; without, 0s")
    route: Distribution | None = Field(None, description="from an order to shift traffic until it is in force")
    metrics_delay_s: DurationS = Field(0.0, alias="metrics_delay", description="age of what guardrails see")
    repair: Distribution | None = Field(
        None, description="of a failed rollback step, by hand; without, it stays failed"
    )
    approvals: dict[Name, Approval] = Field({}, description="sign-offs that steps of the release wait for")
    people: dict[Name, Person] = Field({}, description="whom pages are escalated to")
    suppression: Suppression | None = None
    notices: list[Notice] = []
    tickets: Tickets | None = None


class FunctionExpectation(Bounds):
    """What must hold for a business function."""

    rto_attainment: RatioFloor | None = None
    rpo_attainment: RatioFloor | None = None
    failed_share: RatioBound | None = None


class ReleaseExpectation(Bounds):
    """What must hold for the release: bad ones caught, good ones not taken back but completed."""

    caught: RatioFloor | None = None
    false_alarms: RatioBound | None = None
    completed: RatioFloor | None = None


class Expect(Part):
    """Expectations by function name; the name `release` is the release's own."""

    release: ReleaseExpectation = ReleaseExpectation()
    functions: dict[Name, FunctionExpectation] = {}

    @model_validator(mode="before")
    @classmethod
    def _by_function(cls, value: Any) -> Any:
        # In the text the functions stand beside `release`, without a level of their own.
        if not isinstance(value, dict):
            return value
        functions = {name: each for name, each in value.items() if name != "release"}
        release = {"release": value["release"]} if "release" in value else {}
        return {**release, "functions": functions}


class Scenario(Part):
    """What is released onto what, how, and what must hold."""

    schema_version: Literal["windtunnel/v1"] = Field(alias="schema")
    name: Name
    description: str = ""
    sources: list[Text] = Field(min_length=1, description="where the numbers come from")
    duration_s: PositiveDurationS = Field(alias="duration", description="of the load; everything ends with it")
    fidelity: Fidelity = Field("requests", description="of the simulator's data plane; a drill is real")
    start: Moment | None = Field(None, description="what the wall clock says when the load begins")
    measure: Measure = Measure.model_construct(resolution_s=0.25, window_s=5.0, consecutive=20, warmup=0.0)
    system: System
    functions: dict[Name, Function] = Field(min_length=1)
    release: Release
    calendar: Calendar = Calendar()
    operations: Operations = Operations()
    faults: list[Fault] = []
    drill: Drill = Field(Drill(), description="what only a drill heeds; a simulation has nothing to protect")
    expect: Expect = Expect()
    published: dict[Name, Published] = Field({}, description="of a replay: the real outcome of each function")

    @property
    def clock(self) -> datetime | None:
        """What the wall clock says when the load begins, in a run that may have been postponed."""
        return None if self.start is None else self.calendar.postponed(self.start, self.release.at_s)

    def at_fidelity(self, fidelity: Fidelity | None) -> Scenario:
        """The scenario to be played at a fidelity; None: at its own."""
        return self if fidelity is None else self.model_copy(update={"fidelity": fidelity})
