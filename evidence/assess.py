"""Judge a stored run, again or for the first time, from what its folder holds and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from evidence.errors import JudgeError, RecordForeignError
from evidence.events import Event
from evidence.header import ScenarioText, World
from evidence.judging import judge
from evidence.measures import FunctionMeasure
from evidence.measuring import measure_record
from evidence.record import RunRecord
from evidence.verdicts import Check, Status, Verdict, guarded
from scenarios.errors import ScenarioError
from scenarios.loading import load_text
from scenarios.models import Scenario

__all__ = ["assess", "scenario_of"]


def scenario_of(record: RunRecord) -> Scenario:
    """The scenario as the record keeps it.

    Raises RecordForeignError when the text does not match its digest, JudgeError when it can no longer be read.
    """
    stored = record.header.scenario
    if ScenarioText.of(stored.name, stored.text).digest != stored.digest:
        raise RecordForeignError(f"{record.folder}: the scenario's text does not match its digest {stored.digest}")
    try:
        return load_text(stored.text, stored.source or f"{record.folder}/run.json")
    except ScenarioError as error:
        raise JudgeError(f"{record.folder}: the stored scenario cannot be read: {error}") from error


def assess(folder: Path) -> Verdict:
    """Judge the record in `folder` and write verdict.json (for a drill, measures.parquet too).

    Raises EvidenceError when there is no record to judge. What is wrong inside a record is a verdict: error.
    """
    record = RunRecord.open(folder)
    scenario = scenario_of(record)
    if not record.complete:
        verdict = judge(scenario, record.header, [], [], guarded("record", record.header.run_id, lambda: _kept(record)))
    elif record.header.world is World.STAGING:
        verdict = _assess_drill(record, scenario)
    else:
        verdict = _assess_simulation(record, scenario)
    record.judged(verdict.to_json())
    return verdict


def _assess_drill(record: RunRecord, scenario: Scenario) -> Verdict:
    events: list[Event] = []
    measures: list[FunctionMeasure] = []

    def measured() -> Iterator[Check]:
        yield from _alterations(record)
        events.extend(record.events())
        measures.extend(_recompute(record, scenario))
        record.write_measures(measures)

    problems = guarded("measures", record.header.run_id, measured)
    return judge(scenario, record.header, events, measures, problems)


def _assess_simulation(record: RunRecord, scenario: Scenario) -> Verdict:
    events: list[Event] = []
    measures: list[FunctionMeasure] = []

    def read() -> Iterator[Check]:
        yield from _alterations(record)
        events.extend(record.events())
        measures.extend(record.measures())
        yield from _disagreements(measures, _recompute(record, scenario), record.measure_columns())
        yield from _rows(record, scenario, measures)

    problems = guarded("record", record.header.run_id, read)
    return judge(scenario, record.header, events, measures, problems)


def _kept(record: RunRecord) -> Iterator[Check]:
    """What a run that did not come to its end has left: it is told, and nothing is judged by it."""
    if record.has("measures"):
        played = len({row.replication for row in record.measures()})
        reason = f"interrupted: measures.parquet has {played} of {record.header.replications} replications"
        yield Check("record", record.header.run_id, Status.ERROR, reason)


def _alterations(record: RunRecord) -> Iterator[Check]:
    """An error for each part of the record that was changed after the run."""
    for name in record.altered():
        reason = f"{name} is not what it was when the run was recorded: its SHA-256 digest differs"
        yield Check("record", name, Status.ERROR, reason)


def _rows(record: RunRecord, scenario: Scenario, measures: Sequence[FunctionMeasure]) -> Iterator[Check]:
    """An error unless there is one row for each replication and function, and a timeline to prove some."""
    wanted = {(number, name) for number in range(record.header.replications) for name in scenario.functions}
    found = [(row.replication, row.function) for row in measures]
    if len(found) != len(wanted) or set(found) != wanted:
        reason = f"measures have {len(found)} rows, must be one for each of {len(wanted)} replications and functions"
        yield Check("record", "measures", Status.ERROR, reason)
    if not record.header.timelines:
        yield Check("record", "timelines", Status.ERROR, "no timeline is kept: nothing proves the measures")


def _recompute(record: RunRecord, scenario: Scenario) -> list[FunctionMeasure]:
    return measure_record(scenario, record.header, record.events(), record.samples(), record.ledger())


def _disagreements(
    stored: Sequence[FunctionMeasure], recomputed: Sequence[FunctionMeasure], columns: Sequence[str]
) -> Iterator[Check]:
    """An error for each replication and function whose kept timeline says something else than its measure.

    `columns` are those that the record has: it may be of before some measures were taken.
    """
    by_key = {(row.replication, row.function): row for row in stored}
    for row in recomputed:
        subject = f"replication {row.replication}, {row.function}"
        kept = by_key.get((row.replication, row.function))
        if kept is None:
            yield Check("record", subject, Status.ERROR, "timeline kept, but measures have no such row")
            continue
        for field in (each for each in fields(FunctionMeasure) if each.name in columns):
            ours, theirs = getattr(row, field.name), getattr(kept, field.name)
            # A simulator need not carry service rows for every replication, only for kept timelines.
            if field.name == "services_unhealthy" and (ours is None or theirs is None):
                continue
            if not _same(ours, theirs):
                reason = f"{field.name} is {theirs!r} in measures, {ours!r} from the timeline"
                yield Check("record", subject, Status.ERROR, reason)


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return bool(ours == theirs)
