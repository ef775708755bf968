"""The judge: measures and timeline in, verdict out. Pure; one set of rules a world.

Simulation: shares over replications against the scenario's expectations, by their intervals. A function
without an expectation is reported, not judged. Staging: one run, so each objective itself, and always.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from evidence.events import NOT_STARTED, Event, EventKind, Outcome
from evidence.header import Header, LoadFacts, Phase, World
from evidence.measures import FunctionMeasure
from evidence.reach import stores_written
from evidence.release_summary import taken_back
from evidence.statistics import mean_with_interval, share_with_interval
from evidence.strata import chances_of, strata_of
from evidence.verdicts import Check, Status, Verdict, guarded, judge_estimate, judge_value, shown_share
from scenarios.models import Scenario
from scenarios.quantities import Bound

__all__ = ["judge"]

# Replications with each defect, and replications in all, below which no mean is judged.
_ENOUGH = 10


def judge(
    scenario: Scenario,
    header: Header,
    events: Sequence[Event],
    measures: Sequence[FunctionMeasure],
    extra: Sequence[Check] = (),
) -> Verdict:
    """The verdict on one record. `extra` are checks already made, on the record itself."""
    checks = list(extra)
    checks += guarded("record", header.run_id, lambda: _record_checks(scenario, header, events))
    in_simulation = header.world is World.SIMULATION
    if any(check.status is Status.ERROR for check in checks):
        # What was measured proves nothing; what was found not to be as it was may tell why.
        looks = [] if in_simulation else guarded("restored", "system", lambda: _restored(events))
        checks += [replace(look, status=Status.ERROR) for look in looks if look.status is Status.FAIL]
        return Verdict(header.run_id, tuple(checks))
    if header.until is not None:
        checks.append(_precision(header))
    for name in scenario.functions:
        rows = [row for row in measures if row.function == name]
        simulated = partial(_simulated_function, scenario, header, name, rows)
        drilled = partial(_drilled_function, scenario, name, rows)
        checks += guarded("function", name, simulated if in_simulation else drilled)
    if not in_simulation:
        checks += guarded("restored", "system", lambda: _restored(events))
    first = next(iter(scenario.functions))
    runs = [row for row in measures if row.function == first]
    if in_simulation:
        checks += guarded("release", "release", lambda: _simulated_release(scenario, header, runs))
    else:
        checks += guarded("release", "release", lambda: _drilled_release(scenario, runs, events))
    return Verdict(header.run_id, tuple(checks))


def _record_checks(scenario: Scenario, header: Header, events: Sequence[Event]) -> Iterator[Check]:
    if header.phase is Phase.STARTED:
        yield Check("record", header.run_id, Status.ERROR, "unfinished: phase is started, must be recorded")
        return
    if header.world is World.SIMULATION:
        for event in events:
            if event.kind == EventKind.ERROR:
                reason = f"error at {event.time_s:.2f} s of replication {event.replication}: {_detail_text(event)}"
                yield Check("error", event.subject, Status.ERROR, reason)
        return
    load = header.load
    if load is None:
        yield Check("load", "client", Status.ERROR, "no facts about the load: was it valid?")
    elif not load.valid:
        yield Check("load", "client", Status.ERROR, f"invalid load: {_load_problems(load)}")
    for event in events:
        if event.kind in (EventKind.ERROR, EventKind.STOP):
            reason = f"{event.kind} at {event.time_s:.2f} s: {_detail_text(event)}"
            yield Check(str(event.kind), event.subject, Status.ERROR, reason)
    if not any(event.kind == EventKind.STOP for event in events):
        yield from _faults_missed(scenario, events)


def _faults_missed(scenario: Scenario, events: Sequence[Event]) -> Iterator[Check]:
    """An error for each fault of a drill that nothing says was in force, nor why it was not."""
    planned = Counter(f"{fault.kind} on {fault.target}" for fault in scenario.faults)
    end_s = min((event.time_s for event in events if event.kind == EventKind.LOAD_END), default=math.inf)
    told = Counter(
        event.subject
        for event in events
        if event.kind == EventKind.ERROR or (event.kind == EventKind.FAULT_START and event.time_s < end_s)
    )
    for subject, count in (planned - told).items():
        times = "" if planned[subject] == 1 else f" {count} of {planned[subject]} times"
        yield Check(
            "fault", subject, Status.ERROR, f"not in force before the load ended{times}: nothing is proven by it"
        )


def _precision(header: Header) -> Check:
    """Whether the precision that was asked for was reached."""
    status = Status.PASS if header.precise else Status.INCONCLUSIVE
    return Check("until", header.run_id, status, f"{header.reached or header.until} (n = {header.replications})")


def _load_problems(load: LoadFacts) -> str:
    """Records of before there were reasons were only refused for their lateness."""
    late = f"dispatch lateness p99 {(load.lateness_p99_s or 0.0) * 1e3:.1f} ms > {load.lateness_bound_s * 1e3:.1f} ms"
    return "; ".join(load.problems) or late


def _restored(events: Sequence[Event]) -> Iterator[Check]:
    """What every look at the system found: a later one does not excuse an earlier one."""
    looks = [event for event in events if event.kind == EventKind.VERIFY]
    if not looks:
        yield Check("restored", "system", Status.ERROR, "nothing looked whether the system is as before")
        return
    found = [(look, [str(each) for each in look.detail.get("differences", [])]) for look in looks]
    odd = [
        f"{look.subject} at {look.time_s:.2f} s: {'; '.join(differences)}" for look, differences in found if differences
    ]
    if odd:
        reason = f"differences from the baseline in {len(odd)} of {len(looks)} looks: {' | '.join(odd)}"
        yield Check("restored", "system", Status.FAIL, reason)
    else:
        names = ", ".join(look.subject for look in looks)
        yield Check("restored", "system", Status.PASS, f"no differences from the baseline: {names}")


def _detail_text(event: Event) -> str:
    about = ", ".join(f"{key} {value}" for key, value in event.detail.items() if key != "message")
    return ": ".join(str(each) for each in (about, event.detail.get("message")) if each) or event.subject


def _simulated_function(
    scenario: Scenario, header: Header, name: str, rows: Sequence[FunctionMeasure]
) -> Iterator[Check]:
    expected = scenario.expect.functions.get(name)
    if expected is None:
        return
    if expected.rto_attainment is not None:
        met = [row.met_rto is True for row in rows]
        yield _share("rto_attainment", name, met, expected.rto_attainment)
    if expected.rpo_attainment is not None:
        met = [row.met_rpo is True for row in rows if row.acknowledged_writes]
        yield _share("rpo_attainment", name, met, expected.rpo_attainment)
    if expected.failed_share is not None:
        yield _mean_failed_share(scenario, header, name, rows, expected.failed_share)


def _mean_failed_share(
    scenario: Scenario, header: Header, name: str, rows: Sequence[FunctionMeasure], bound: Bound
) -> Check:
    shares = [row.failed_share for row in rows if row.failed_share is not None]
    if not shares:
        return Check("failed_share", name, Status.INCONCLUSIVE, "failed_share: no data (0 replications)")
    # Of bad releases met less often the interval of a mean holds too, but says next to nothing of what they cost.
    possible = (
        [] if header.defects is not None else [each.name for each in scenario.release.defects if each.probability]
    )
    met = {defect: sum(defect in row.defects for row in rows) for defect in possible}
    rare = [f"{defect} met {count} times" for defect, count in met.items() if count < _ENOUGH]
    if rare or len(shares) < _ENOUGH:
        why = ", ".join(rare) or f"{len(shares)} replications"
        reason = (
            f"failed_share {shown_share(sum(shares) / len(shares))}: too little to judge a mean by ({why} < {_ENOUGH})"
        )
        return Check("failed_share", name, Status.INCONCLUSIVE, reason)
    drawn = [row.defects for row in rows if row.failed_share is not None]
    strata = strata_of(drawn, chances_of(scenario, header.defects)) if len(drawn) == len(rows) else None
    return judge_estimate("failed_share", name, mean_with_interval(shares, strata=strata), bound)


def _share(name: str, subject: str, hits: Sequence[bool], bound: Bound) -> Check:
    if not hits:
        return Check(name, subject, Status.INCONCLUSIVE, f"{name}: no data (0 replications)")
    return judge_estimate(name, subject, share_with_interval(sum(hits), len(hits)), bound)


def _simulated_release(scenario: Scenario, header: Header, runs: Sequence[FunctionMeasure]) -> Iterator[Check]:
    """With drawn defects all that is expected; with given ones what they can tell, as of a drill."""
    expected = scenario.expect.release
    has_bad, has_good = header.defects != (), not header.defects
    # A release that the calendar did not let start can be neither caught nor alarmed about; it is not completed.
    started = [run for run in runs if run.outcome not in NOT_STARTED]
    bad = [run.outcome == Outcome.ROLLED_BACK for run in started if run.defects]
    good = [run for run in runs if not run.defects]
    if expected.caught is not None and has_bad:
        yield _share("caught", "release", bad, expected.caught)
    if expected.false_alarms is not None and has_good:
        # An alarm is none the less false for a rollback that failed, or did not end.
        alarms = [taken_back(run) for run in started if not run.defects]
        yield _share("false_alarms", "release", alarms, expected.false_alarms)
    if expected.completed is not None and has_good:
        done = [run.outcome == Outcome.PROMOTED for run in good]
        yield _share("completed", "release", done, expected.completed)


def _drilled_function(scenario: Scenario, name: str, rows: Sequence[FunctionMeasure]) -> Iterator[Check]:
    function = scenario.functions[name]
    if len(rows) != 1:
        yield Check("rto", name, Status.ERROR, f"measures: must be 1 row, are {len(rows)}")
        return
    row = rows[0]
    if row.requests == 0:
        yield Check("rto", name, Status.ERROR, "rto: no data (0 requests)")
    elif row.rto_censored:
        reason = f"rto > {row.rto_s:g} s, not recovered by the end (objective {function.rto_s:g} s)"
        yield Check("rto", name, Status.FAIL, reason)
    else:
        yield judge_value("rto", name, row.rto_s, Bound("<=", function.rto_s), " s")
    if stores_written(scenario, function):
        yield _drilled_rpo(row, function.rpo_s)
    expected = scenario.expect.functions.get(name)
    if expected is not None and expected.failed_share is not None and row.failed_share is not None:
        yield judge_value("failed_share", name, row.failed_share, expected.failed_share)


def _drilled_rpo(row: FunctionMeasure, objective_s: float) -> Check:
    if row.acknowledged_writes == 0 or row.rpo_s is None:
        return Check("rpo", row.function, Status.ERROR, "rpo: no data (0 acknowledged writes)")
    counts = f"{row.lost_writes} of {row.acknowledged_writes} acknowledged writes missing"
    if row.met_rpo is None:
        reason = f"rpo {row.rpo_s:g} s, but some acknowledged writes were not looked up; {counts}"
        return Check("rpo", row.function, Status.INCONCLUSIVE, reason)
    op = "<=" if row.met_rpo else ">"
    status = Status.PASS if row.met_rpo else Status.FAIL
    return Check("rpo", row.function, status, f"rpo {row.rpo_s:g} s {op} {objective_s:g} s ({counts})")


def _drilled_release(scenario: Scenario, runs: Sequence[FunctionMeasure], events: Sequence[Event]) -> Iterator[Check]:
    """One run says something about `caught` or about the other two, never about all."""
    if not runs:
        return
    run, expected = runs[0], scenario.expect.release
    yield from _ended(run, events)
    names = ", ".join(run.defects) or "none"
    reason = f"release {run.outcome}, defects: {names}"
    if run.defects and expected.caught is not None:
        yield _one("caught", run.outcome == Outcome.ROLLED_BACK, reason)
    if not run.defects and expected.false_alarms is not None:
        yield _one("false_alarms", not taken_back(run), reason)
    if not run.defects and expected.completed is not None:
        yield _one("completed", run.outcome == Outcome.PROMOTED, reason)


def _ended(run: FunctionMeasure, events: Sequence[Event]) -> Iterator[Check]:
    """A release that did not end proves neither way; one whose way back failed has none."""
    if run.outcome == Outcome.FAILED:
        failed = [
            f"{event.subject}: {event.detail.get('message', 'failed')}"
            for event in events
            if event.kind == EventKind.ROLLBACK_STEP and event.detail.get("phase") == "failed"
        ]
        why = "; ".join(failed) or "its rollback left differences"
        yield Check("rollback", "release", Status.FAIL, f"release failed, it could not be taken back: {why}")
    elif run.outcome not in (Outcome.PROMOTED, Outcome.ROLLED_BACK):
        reason = f"release {run.outcome} when the load ended: neither promoted nor taken back"
        yield Check("release", "release", Status.INCONCLUSIVE, reason)


def _one(name: str, holds: bool, reason: str) -> Check:
    return Check(name, "release", Status.PASS if holds else Status.FAIL, reason)
