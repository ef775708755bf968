"""Parts of a scenario that change nothing. It may be meant, as of a defect for --defect alone; mostly it is a mistake.

What can only be one is refused: scenarios.rules_meant.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from evidence.offered import calls_per_s_at_most
from evidence.reach import services_used
from scenarios.models import Defect, Scenario, Strategy, guardrail_labels

__all__ = ["idle"]

# A rate that is so many standard deviations above a mean within a second is hardly ever seen.
_DEVIATIONS = 4.0


def idle(scenario: Scenario, given: Collection[str] | None) -> list[str]:
    """A line for each, with its key; `given` are the defects of every replication (None: they are drawn)."""
    release = scenario.release
    return [
        *_never_drawn(scenario, given),
        *(line for defect in release.defects for line in _never_shows(scenario, defect)),
        *_longer_than_the_run(scenario),
        *_never_often_enough(scenario),
        *(line for each in (release.strategy, *release.alternatives) for line in _of_strategy(scenario, each)),
        *_on_nobody(scenario),
        *_never_asked(scenario),
        *_never_told(scenario),
    ]


def _never_drawn(scenario: Scenario, given: Collection[str] | None) -> Iterator[str]:
    for defect in scenario.release.defects if given is None else ():
        if defect.probability == 0.0:
            yield f"release.defects.{defect.name}: has a probability of 0 %: only --defect {defect.name} plays it"
    for risk in scenario.release.rollback_risks:
        if risk.probability == 0.0:
            yield f"release.rollback_risks.{risk.name}: has a probability of 0 %: no rollback has it"


def _never_shows(scenario: Scenario, defect: Defect) -> Iterator[str]:
    left_s = scenario.duration_s - scenario.release.at_s
    if defect.after_s >= left_s:
        yield (
            f"release.defects.{defect.name}: shows {defect.after_s:g} s after its first request, and the run ends "
            f"{left_s:g} s after the start of the release: nobody meets it"
        )
    if defect.above_rate_per_s is None:
        return
    service = scenario.release.defective(defect)
    most = calls_per_s_at_most(scenario, service)
    if most + _DEVIATIONS * math.sqrt(most) < defect.above_rate_per_s:
        yield (
            f"release.defects.{defect.name}: shows above {defect.above_rate_per_s:g}/s, and at most about {most:,.0f} "
            f"requests/s come to {service}: nobody meets it"
        )


def _longer_than_the_run(scenario: Scenario) -> Iterator[str]:
    guardrails = scenario.release.guardrails
    for place, (guardrail, name) in enumerate(zip(guardrails, guardrail_labels(guardrails), strict=True)):
        burn = guardrail.burn_rate
        windows_s = [guardrail.window_s] if guardrail.above is not None else [] if burn is None else burn.windows_s
        if windows_s and max(windows_s) > scenario.duration_s:
            yield (
                f"release.guardrails[{place}]: {name} looks at {max(windows_s):g} s, more than the run is long "
                f"({scenario.duration_s:g} s): it never sees its whole window"
            )


def _never_often_enough(scenario: Scenario) -> Iterator[str]:
    """Judges that must find a release bad more often in a row than they look at it."""
    release, resolution_s = scenario.release, scenario.measure.resolution_s
    left_s = scenario.duration_s - release.at_s
    for place, guardrail in enumerate(release.guardrails):
        interval_s, looks = guardrail.interval_s(resolution_s), guardrail.consecutive
        if (looks - 1) * interval_s > left_s:  # the first look is at the start of the release
            yield (
                f"release.guardrails[{place}]: {guardrail.name} must find it bad at {looks} looks in a row, one each "
                f"{interval_s:g} s, and the run ends {left_s:g} s after the start of the release: it never trips"
            )
    for analysis in (each for strategy in (release.strategy, *release.alternatives) for each in strategy.analyses):
        for check in analysis.checks:
            if check.consecutive * resolution_s > analysis.for_s:
                yield (
                    f"release.strategy: {analysis.title}: {check.name} must find it bad at {check.consecutive} looks "
                    f"in a row, one each {resolution_s:g} s: it never fails"
                )


def _of_strategy(scenario: Scenario, strategy: Strategy) -> Iterator[str]:
    """Counts above the replicas that there are, of a rolling deploy (a toggle's is one, too); waves that are empty."""
    rolling, at = strategy.rolling, "rolling"
    if strategy.toggle is not None:
        rolling, at = strategy.toggle.deploy, "toggle.deploy"
    waves, zones = strategy.waves, scenario.system.zones
    for change in scenario.release.changes:
        replicas = scenario.system.services[change.service].replicas
        counts = {} if rolling is None else {"surge": rolling.surge, "unavailable": rolling.unavailable}
        for key, wanted in counts.items():
            if isinstance(wanted, int) and wanted > replicas:
                yield f"release.strategy.{at}.{key}: {wanted} is more than the {replicas} replicas of {change.service}"
        if waves is not None and waves.by == "zones" and replicas < len(zones):
            empty = ", ".join(zones[replicas:])
            yield f"release.strategy.waves: none of the {replicas} replicas of {change.service} stands in {empty}"


def _on_nobody(scenario: Scenario) -> Iterator[str]:
    reached: set[str] = set()
    for function in scenario.functions.values():
        services, stores = services_used(scenario, function)
        reached |= services | stores
    for place, fault in enumerate(scenario.faults):
        on = str(fault.target).split("->")[-1].strip()
        known = on in scenario.system.services or on in scenario.system.stores
        if known and on not in reached:
            yield f"faults[{place}]: {fault.kind} on {fault.target}: no function reaches {on}, so nobody feels it"


def _never_asked(scenario: Scenario) -> Iterator[str]:
    """People whom no page reaches, and sign-offs that no strategy waits for."""
    operations, release = scenario.operations, scenario.release
    escalation = [] if operations.on_call is None else operations.on_call.escalation
    for name in sorted(operations.people.keys() - {step.to for step in escalation}):
        yield f"operations.people.{name}: operations.on_call.escalation does not lead there, so nobody pages them"
    signed = {name for each in (release.strategy, *release.alternatives) for name in each.approvals}
    for name in sorted(operations.approvals.keys() - signed):
        yield f"operations.approvals.{name}: no step of a strategy waits for it"


def _never_told(scenario: Scenario) -> Iterator[str]:
    """A silence that hides nothing, and notices of what cannot happen."""
    operations, release = scenario.operations, scenario.release
    actions = {guardrail.action for guardrail in release.guardrails}
    silence = operations.suppression
    if silence is not None and not actions & ({"page", "rollback"} if silence.guardrails == "all" else {"page"}):
        whom = "pages or takes back" if silence.guardrails == "all" else "pages"
        yield f"operations.suppression: no guardrail of the release {whom}, so it silences nothing"
    events = {notice.on for notice in operations.notices}
    if "acknowledge" in events and not _may_page(scenario):
        yield "operations.notices: nobody is paged, so there is no first acknowledge to tell of"
    analyses = any(each.analyses for each in (release.strategy, *release.alternatives))
    desk = operations.tickets is not None and operations.tickets.page is not None
    if "guardrail-trip" in events and not (actions & {"page", "rollback"} or analyses or desk):
        yield "operations.notices: nothing trips, so there is no first guardrail-trip to tell of"


def _may_page(scenario: Scenario) -> bool:
    """Whether anything pages anybody: guardrails, support, analyses that are open, stores, bad data."""
    operations, release = scenario.operations, scenario.release
    stores = scenario.system.stores.values()
    return (
        any(guardrail.action == "page" for guardrail in release.guardrails)
        or (operations.tickets is not None and operations.tickets.page is not None)
        or any(
            analysis.inconclusive == "pause"
            for strategy in (release.strategy, *release.alternatives)
            for analysis in strategy.analyses
        )
        or any(store.failover is not None and store.failover.by == "on-call" for store in stores)
        or (release.repair is not None and operations.on_call is not None)
    )
