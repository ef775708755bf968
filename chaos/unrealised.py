"""What a scenario may ask for that the embedded staging does not have: refused by path, never left out in silence.

One function a topic; each names a path of the scenario and why it cannot be realised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from chaos.faults.base import Checkable
from chaos.faults.errors import FaultRefused
from chaos.faults.registry import FAULTS
from chaos.realise_data import unrealised_data
from chaos.staging.diversion import why_not
from scenarios.clock import worked
from scenarios.models import Defect, Scenario
from scenarios.warmup import AUTO

__all__ = ["undrillable", "unrealised"]


def unrealised(scenario: Scenario) -> list[str]:
    """A line for each part of the scenario that the embedded staging cannot realise."""
    return [line for topic in _TOPICS for line in topic(scenario)]


def undrillable(scenario: Scenario) -> list[str]:
    """A line for each part of the scenario that can be played on no staging at all."""
    return [line for topic in _ANYWHERE for line in topic(scenario)]


def _measure(scenario: Scenario) -> Iterator[str]:
    """A drill is one run of one system: there is nothing to find a warm-up from."""
    if scenario.measure.warmup == AUTO:
        yield "measure.warmup: auto is found by simulation; a drill needs a duration"


_DEFECT_FIELDS = ("after_s", "ramp_s", "above_rate_per_s", "crash", "crash_after_s", "incompatible_with")
_SERVICE_FIELDS = ("readiness", "liveness", "autoscaling", "availability")


def _way_back(scenario: Scenario) -> Iterator[str]:
    """The staging's tools are real: they work, or they do not."""
    if scenario.release.rollback_risks:
        yield "release.rollback_risks: a drill finds out what is wrong with its rollback, and cannot be given it"
    if scenario.release.progress_deadline_s is not None:
        yield "release.progress_deadline: a deploy on the staging has a deadline of its own"


def _fleets(scenario: Scenario) -> Iterator[str]:
    """The shop's processes have probes and start-up times of their own, and nobody who scales them."""
    for name, service in scenario.system.services.items():
        for field in _SERVICE_FIELDS:
            if field in service.model_fields_set:
                yield f"system.services.{name}.{field}: the staging keeps its processes up in its own way"
    for index, defect in enumerate(scenario.release.defects):
        for field in _DEFECT_FIELDS:
            if field in defect.model_fields_set:
                key = Defect.model_fields[field].alias or field
                yield f"release.defects[{index}].{key}: the shop's replicas have their defects from the start on"


_MECHANICS_OF_SERVICE = ("balancing", "ejection", "shedding", "quota")
_MECHANICS_OF_CALL = ("retry_budget", "breaker", "cancel", "parallel")


def _mechanics(scenario: Scenario) -> Iterator[str]:
    """The shop's services take turns, call one at a time, try again without a budget and let abandoned work go on."""
    for name, service in scenario.system.services.items():
        for field in _MECHANICS_OF_SERVICE:
            if field in service.model_fields_set:
                yield f"system.services.{name}.{field}: the shop's services do not have it"
    for index, call in enumerate(scenario.system.calls):
        for field in _MECHANICS_OF_CALL:
            if field in call.model_fields_set:
                yield f"system.calls[{index}].{field}: the shop's callers do not have it"


def _process(scenario: Scenario) -> Iterator[str]:
    """A drill waits as its scenario's clock says, but not for what does not come before its end."""
    clock, calendar = scenario.clock, scenario.calendar
    if scenario.operations.tickets is not None:
        yield "operations.tickets: nobody files tickets about a staging"
    if clock is None:
        return
    end = clock + timedelta(seconds=scenario.duration_s)
    planned = clock + timedelta(seconds=scenario.release.at_s)
    reason, opens = calendar.closed_by(planned), calendar.opens(planned)
    if reason is not None and (calendar.when_closed == "skip" or opens is None or opens >= end):
        yield f"calendar: closed when the release is to start ({reason}): there would be nothing to drill"
    for name, approval in scenario.operations.approvals.items():
        if worked(approval.hours, planned, 0.0) >= end:
            yield f"operations.approvals.{name}.hours: nobody signs off before the drill ends"


def _procedure(scenario: Scenario) -> Iterator[str]:
    """Operators have one, this staging has no operators."""
    if "procedure" in scenario.release.rollback:
        place = scenario.release.rollback.index("procedure")
        yield f"release.rollback[{place}]: procedure: the embedded staging has none, a staging file may (--staging)"


def _packets(scenario: Scenario) -> Iterator[str]:
    """Needs root and a kernel that can: known before anything starts."""
    places = [index for index, fault in enumerate(scenario.faults) if fault.kind == "packets"]
    reason = why_not() if places else None
    if reason is not None:
        yield from (f"faults[{index}].packets: packets cannot be diverted here: {reason}" for index in places)


def _faults(scenario: Scenario) -> Iterator[str]:
    """What its kind would refuse in the middle of the drill."""
    for index, fault in enumerate(scenario.faults):
        kind: object = FAULTS.get(fault.kind)
        if isinstance(kind, Checkable):
            try:
                kind.require_possible(fault)
            except FaultRefused as refused:
                yield f"faults[{index}].{fault.kind}: {refused}"


# What no staging can have, whichever it is.
_ANYWHERE = (_measure, _way_back, _process)
_TOPICS: tuple[Callable[[Scenario], Iterator[str]], ...] = (
    _measure,
    unrealised_data,
    _fleets,
    _way_back,
    _mechanics,
    _process,
    _procedure,
    _packets,
    _faults,
)
