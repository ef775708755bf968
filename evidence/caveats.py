"""What to know of a scenario before its figures are believed: said beside them, never left to be found out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from evidence.events import NOT_STARTED, Outcome
from evidence.idle import idle
from evidence.measures import FunctionMeasure
from evidence.offered import calls_per_s_at_most
from evidence.precision import DEFECT_MET, seldom_risked
from evidence.release_summary import taken_back
from evidence.strata import risks_of
from scenarios.models import Guardrail, Scenario, guardrail_labels

__all__ = ["Simulated", "caveats", "caveats_compared"]

# A share of windows that are empty by chance, above which it shows in an RTO over thousands of windows.
_EMPTY_MAX = 1e-3
_TAKES_BACK = {"route-back", "retire"}
# A share of replications that are hurt before anything has happened, above which it is more than bad luck.
_HURT_MAX = 0.05
# A share of replications that end before their release does, above which figures of the release mean little.
_UNENDED_MAX = 0.05
# Bad releases from which on intervals of means hold as they say (docs/verification.md).
_BAD_ENOUGH = 20
# A count that is so many standard deviations away does not come by chance.
_DEVIATIONS = 4.0


def caveats(
    scenario: Scenario, measures: Sequence[FunctionMeasure] = (), defects: Sequence[str] | None = None
) -> list[str]:
    """A line for each thing that makes a figure mean less than it seems to; none for most scenarios.

    `measures` are those of a simulation of it, where there is one, with `defects` in every replication (None: drawn).
    """
    seldom = _seldom_met(scenario, measures) if defects is None else []
    return [
        *_sparse(scenario), *_blind(scenario), *_young(scenario), *_left_behind(scenario), *_old_schema(scenario),
        *idle(scenario, defects), *_hurt_before(scenario, measures), *_unended(scenario, measures),
        *_to_nobody(scenario, measures), *_near_capacity(scenario, measures), *_still_losing(scenario, measures),
        *seldom, *_seldom_risked(scenario, measures)
    ]  # fmt: skip


Simulated = tuple[Scenario, Sequence[FunctionMeasure], Sequence[str] | None]
"""A scenario, its measures, and the defects that were given (None: drawn)."""


def caveats_compared(runs: Mapping[str, Simulated]) -> list[str]:
    """Of simulations by their labels: what holds for all of them once, the rest with those that it holds for."""
    said = {label: [*_not_started(run[1]), *caveats(*run)] for label, run in runs.items()}
    found = _measured_unlike([scenario for scenario, _, _ in runs.values()])
    for line in dict.fromkeys(line for each in said.values() for line in each):
        labels = [label for label, each in said.items() if line in each]
        found.append(line if len(labels) == len(said) else f"{', '.join(labels)}: {line}")
    return found


def _measured_unlike(scenarios: Sequence[Scenario]) -> list[str]:
    """A longer run has more good requests to put the failed ones in; it would seem the better for it."""
    found = []
    if len({scenario.duration_s for scenario in scenarios}) > 1:
        found.append(
            "duration: is not the same in all that is compared: failed shares are of all requests of a run, so they "
            "are smaller in a longer one with the same failures: compare revenue lost, or failed requests by cohort"
        )
    if any(scenario.measure != scenarios[0].measure for scenario in scenarios):
        found.append(
            "measure: is not the same in all that is compared: RTOs, their attainment and what guardrails see follow "
            "from it, so differences may be those of the measure"
        )
    return found


def _sparse(scenario: Scenario) -> list[str]:
    """Requests come at random: a window of n expected ones holds none with probability exp(-n), and counts as bad."""
    measure, found = scenario.measure, []
    for name in scenario.functions:
        rate_per_s = _least_rate_per_s(scenario, name, scenario.duration_s)
        empty = _empty_windows(scenario, name, scenario.duration_s)
        if empty > _EMPTY_MAX:
            enough_s = math.ceil(-math.log(_EMPTY_MAX) / rate_per_s)
            found.append(
                f"functions.{name}: at {rate_per_s:g}/s a window of {measure.window_s:g} s holds no request with a "
                f"probability of {empty:.1%}, and is not good then: for an RTO of outages only, give measure.window "
                f"at least {enough_s} s"
            )
    return found


def _least_rate_per_s(scenario: Scenario, name: str, until_s: float) -> float:
    return min(rate for _, rate in scenario.functions[name].rates(scenario.clock, until_s))


def _empty_windows(scenario: Scenario, name: str, until_s: float) -> float:
    """The share of windows that hold no request of a function, where fewest come."""
    return math.exp(-_least_rate_per_s(scenario, name, until_s) * scenario.measure.window_s)


def _blind(scenario: Scenario) -> list[str]:
    """A guardrail whose windows never hold its minimum, even with all traffic on what it watches, sees nothing."""
    found = []
    for place, guardrail, name, windows_s in _windowed(scenario):
        window_s = min(windows_s)
        most = window_s * calls_per_s_at_most(scenario, guardrail.of)
        if most + _DEVIATIONS * math.sqrt(most) < guardrail.minimum:
            found.append(
                f"release.guardrails[{place}]: {name} never trips: within {window_s:g} s at most about {most:,.0f} "
                f"requests come to {guardrail.of}, and its minimum is {guardrail.minimum:,}"
            )
    return found


def _young(scenario: Scenario) -> list[str]:
    """A real service has served for longer than its guardrails look back; one that the load has just begun for has not.

    The new version has nothing to look back on in either.
    """
    before_s, found = scenario.release.at_s, []
    for place, guardrail, name, windows_s in _windowed(scenario):
        if guardrail.metric == "error-ratio" and guardrail.version != "new" and max(windows_s) > before_s:
            found.append(
                f"release.guardrails[{place}]: {name} looks back {max(windows_s):g} s, and the release begins "
                f"{before_s:g} s after the load: with so little quiet in its window it trips sooner than it would for "
                f"real: give release.at at least {max(windows_s):g} s"
            )
    return found


def _windowed(scenario: Scenario) -> Iterator[tuple[int, Guardrail, str, Sequence[float]]]:
    """Guardrails that look back, with place, name and windows; the other judges count from the release on."""
    guardrails = scenario.release.guardrails
    for place, (guardrail, name) in enumerate(zip(guardrails, guardrail_labels(guardrails), strict=True)):
        burn = guardrail.burn_rate
        if burn is not None or guardrail.above is not None:
            yield place, guardrail, name, [guardrail.window_s] if burn is None else burn.windows_s


def _left_behind(scenario: Scenario) -> list[str]:
    """A kill switch takes back what a flag turned on, and nothing else."""
    release = scenario.release
    if _TAKES_BACK & set(release.rollback):
        return []
    kinds = [each.kind for each in (release.strategy, *release.alternatives) if each.toggle is None]
    if not kinds:
        return []
    named = ", ".join(kinds)
    return [f"release.rollback: has neither route-back nor retire: after one of {named} the new version still serves"]


def _to_nobody(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[str]:
    """A release goes on after a page: by the time of the decision there may be no old version left to route back to."""
    steps, played = scenario.release.rollback, {row.replication for row in measures}
    down = {row.replication for row in measures if row.outcome == Outcome.FAILED and row.rto_censored}
    if "route-back" not in steps or "redeploy" in steps or not down:
        return []
    counted = f"{len(down):,} of {len(played):,} replications were still down after their rollback"
    nobody = "nobody answers where the release had stopped the old version"
    return [f"release.rollback: has route-back without redeploy, and {counted}: {nobody}"]


def _old_schema(scenario: Scenario) -> list[str]:
    """What a flag hides stays deployed, and lives with the new schema alone."""
    release = scenario.release
    toggles = any(each.toggle is not None for each in (release.strategy, *release.alternatives))
    taken = [step for step in ("revert-migration", "restore") if step in release.rollback]
    if release.migration is None or not toggles or not taken or "redeploy" in release.rollback:
        return []
    stays = "and without redeploy a toggle leaves the new version, which cannot live with it"
    return [f"release.rollback: {taken[0]} brings the old schema back, {stays}"]


def _hurt_before(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[str]:
    """The longest impact may be later, so that this counts too few rather than too many.

    Windows that hold no request have a caveat of their own, which says more. Third parties that come and go by
    themselves hurt at any time, which is no mistake of the scenario.
    """
    if any(service.availability is not None for service in scenario.system.services.values()):
        return []
    first_s = min([scenario.release.at_s, *(fault.at_s for fault in scenario.faults)])
    found = []
    for name in scenario.functions:
        if _empty_windows(scenario, name, first_s) > _EMPTY_MAX:
            continue
        rows = [row for row in measures if row.function == name]
        hurt = sum(row.impact_start_s is not None and row.impact_start_s < first_s for row in rows)
        if hurt > _HURT_MAX * len(rows):
            found.append(
                f"functions.{name}: not good before the release and every fault (at {first_s:g} s) in {hurt:,} of "
                f"{len(rows):,} replications: the system cannot carry this load, or `good` asks for more than it gives"
            )
    return found


def _unended(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[str]:
    """A release that never ends hurts nobody and is never taken back: it would seem the best of all."""
    ended = {row.replication: row.outcome != Outcome.RUNNING for row in measures}
    unended = len(ended) - sum(ended.values())
    if unended <= _UNENDED_MAX * len(ended):
        return []
    line = (
        f"release: it, or its rollback, was still under way when the load ended (at {scenario.duration_s:g} s) in "
        f"{unended:,} of {len(ended):,} replications, and nobody knows how it ends: give a longer `duration`"
    )
    deadline = scenario.release.progress_deadline_s is not None
    return [line if deadline else f"{line}, or `progress_deadline` where replicas never become ready"]


def _not_started(measures: Sequence[FunctionMeasure]) -> list[str]:
    """Of one simulation the table of the calendar says so; side by side, who releases nothing would seem the best."""
    outcomes = {row.replication: row.outcome for row in measures}
    without = sum(outcome in NOT_STARTED for outcome in outcomes.values())
    if not without:
        return []
    counted = f"{without:,} of {len(outcomes):,} replications"
    return [f"release: the calendar let none start in {counted}: they count as good ones, but nothing was released"]


def _near_capacity(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[str]:
    """Flows follow means; next to a service's capacity it is chance that makes queues wait, refuse and collapse."""
    runs = {row.replication: dict(zip(row.near_capacity, row.near_capacity_s, strict=True)) for row in measures}
    found = []
    for kind, names in (("services", scenario.system.services), ("stores", scenario.system.stores)):
        for name in names:
            near_s = [run[name] for run in runs.values() if run.get(name, 0.0) >= scenario.measure.window_s]
            if near_s:
                mean_s = sum(near_s) / len(near_s)
                when = f"{mean_s:,.0f} s ({mean_s / scenario.duration_s:.1%} of the run)"
                found.append(
                    f"system.{kind}.{name}: had about as much to do as it can for {when} in {len(near_s):,} of "
                    f"{len(runs):,} replications: there chance decides what waits and fails, and flows do not know it: "
                    "play it with fidelity requests"
                )
    return found


def _still_losing(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[str]:
    """A loss that nobody stops is dated by the end of the load, for want of anything better."""
    found, replications = [], len({row.replication for row in measures})
    for defect in scenario.release.defects:
        if defect.lost_writes == 0.0 and defect.bad_data is None:
            continue
        losing = {
            row.replication
            for row in measures
            if defect.name in row.defects and row.lost_writes and row.outcome in (Outcome.PROMOTED, Outcome.RUNNING)
        }
        if losing:
            found.append(
                f"release.defects.{defect.name}: nobody takes it back in {len(losing):,} of {replications:,} "
                "replications, and it loses writes to the end of the load: the RPO of these is a lower bound, and "
                "grows with `duration`"
            )
    return found


def _seldom_met(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[str]:
    """Means without the bad releases vary little, so their intervals seem narrow; `--until` waits for as many."""
    met = {row.replication: row.defects for row in measures}
    found = []
    for defect in scenario.release.defects:
        times = sum(defect.name in names for names in met.values())
        if met and 0.0 < defect.probability < 1.0 and times < DEFECT_MET:
            found.append(
                f"release.defects.{defect.name}: met in {times} of {len(met):,} replications, so means and their "
                f"intervals say little of what it costs: play more, or ask of it alone by --defect {defect.name}"
            )
    drawn = {defect.name for defect in scenario.release.defects if 0.0 < defect.probability < 1.0}
    bad = sum(not drawn.isdisjoint(names) for names in met.values())
    if met and drawn and not found and bad < _BAD_ENOUGH:
        found.append(
            f"release.defects: only {bad} of {len(met):,} replications had one: where their harm varies much, 95 % "
            "intervals of means and of differences hold in about 90 %, for so few do not show the worst: play more"
        )
    return found


def _seldom_risked(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[str]:
    """What is seldom wrong with a rollback may be the worst of all, and is in no mean before it was met."""
    back, risks = len({row.replication for row in measures if taken_back(row)}), risks_of(scenario)
    return [
        f"release.rollback_risks.{name}: {back:,} of {len({row.replication for row in measures}):,} replications were "
        f"taken back, of which about {back * risks[name]:.1f} met it, so means and their intervals say little of what "
        "it costs: play more, or with a defect in every one (--defect)"
        for name in seldom_risked(measures, risks)
    ]
