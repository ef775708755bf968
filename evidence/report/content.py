"""What a report is made of: a judged record, or several to be compared, and what is worked out from their measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.assess import scenario_of
from evidence.caveats import caveats
from evidence.comparison import Comparison, compare
from evidence.detection import JudgeRow, detection
from evidence.diagnosis import Diagnosis, diagnose
from evidence.errors import JudgeError
from evidence.events import Event
from evidence.header import Header, World
from evidence.measures import FunctionMeasure
from evidence.process import ProcessRow, process
from evidence.published import PublishedRow, published_beside_predicted
from evidence.record import RunRecord
from evidence.recovery import recoveries
from evidence.release_summary import ReleaseSummary, summarise
from evidence.report.comparison_tables import comparison_table
from evidence.report.drill_table import drill_table
from evidence.report.recovery import recovery_table
from evidence.report.release_tables import cohorts_table, release_table
from evidence.report.table import Table
from evidence.strata import Chances, chances_of
from evidence.tables import CLIENT
from evidence.timeline import Timeline
from evidence.verdicts import Verdict
from scenarios.models import Scenario

__all__ = ["RunContent", "comparison_of", "gather"]


@dataclass(frozen=True, slots=True)
class RunContent:
    """A judged record, read once."""

    record: RunRecord
    scenario: Scenario
    events: list[Event]
    measures: list[FunctionMeasure]
    verdict: Verdict

    @property
    def header(self) -> Header:
        """The record's header."""
        return self.record.header

    @property
    def played(self) -> int:
        """Replications that there are: fewer than were asked for in a run that was interrupted."""
        return len({row.replication for row in self.measures})

    @property
    def chances(self) -> Chances:
        """How likely each defect was that the replications of a simulation drew."""
        return chances_of(self.scenario, self.header.defects)

    def comparison(self) -> Comparison:
        """The run's own strategy as a comparison of one."""
        label = self.header.label
        return compare(self.header.scenario.name, {label: self.measures}, {label: self.chances})

    def summary(self) -> ReleaseSummary:
        """What a simulated release meant as a whole."""
        return summarise(self.measures, self.chances)

    def published(self) -> list[PublishedRow]:
        """What was published of the incident that the scenario replays, beside this simulation's prediction."""
        if self.header.world is not World.SIMULATION:
            return []
        return published_beside_predicted(self.scenario.published, self.measures, self.header.resolution_s)

    def judges(self) -> list[JudgeRow]:
        """How well each guardrail told bad releases from good ones, over the replications of a simulation."""
        return detection(self.scenario, self.measures) if self.header.world is World.SIMULATION else []

    def release_tables(self) -> tuple[Table, ...]:
        """Of a simulation, how functions recover, and what the release meant as a whole, and for which cohorts."""
        if self.header.world is not World.SIMULATION or not self.measures:
            return ()
        summaries = {self.header.label: self.summary()}
        recovered = recovery_table(recoveries(self.measures, self.chances))
        return recovered, release_table(summaries), cohorts_table(summaries)

    def caveats(self) -> list[str]:
        """What to know before the figures of a simulation are believed; of a drill they are what happened."""
        if self.header.world is not World.SIMULATION:
            return []
        return caveats(self.scenario, self.measures, self.header.defects)

    def process(self) -> list[ProcessRow]:
        """What calendars and people did, over the replications of a simulation; a drill's timeline tells it."""
        return process(self.measures) if self.header.world is World.SIMULATION else []

    def diagnosis(self) -> Diagnosis | None:
        """Where the failures of a drill's requests began; None where nothing failed, or nothing tells."""
        spans = self.record.spans()
        # A staging whose services keep no spans for us would seem never to have been reached.
        if all(span.service == CLIENT for span in spans):
            return None
        found = diagnose(spans, silent=self.scenario.system.stores)
        return found if found.failed else None

    def unsettled(self) -> tuple[int, int] | None:
        """Of a drill: payments without an order, and those of them that were acknowledged; None: not counted."""
        return Timeline.of(self.events).unsettled()

    def result_table(self) -> Table:
        """The measures: of a drill one by one, of a simulation over its replications."""
        if self.header.world is World.STAGING:
            return drill_table(self.measures, self.header.resolution_s, self.unsettled())
        return comparison_table(self.comparison())


def gather(folder: Path) -> RunContent:
    """Read a judged record. Raises JudgeError when it has not been judged, RecordError when it cannot be read."""
    record = RunRecord.open(folder)
    found = record.verdict()
    if found is None:
        raise JudgeError(f"{folder}: has no verdict yet; assess it first")
    return RunContent(
        record=record,
        scenario=scenario_of(record),
        events=record.events(),
        measures=record.measures() if record.has("measures") else [],
        verdict=Verdict.from_json(found),
    )


def comparison_of(runs: Sequence[RunContent]) -> Comparison:
    """Strategies, or variants of one text, compared from their stored simulations.

    Raises JudgeError unless they played one text of one scenario, or variants of it, with one seed, each once: other
    runs are not pairs of the same random draws.
    """
    for run in runs:
        if run.header.world is not World.SIMULATION:
            raise JudgeError(
                f"run {run.header.run_id}: must be a simulation to be compared, is {run.header.world.value}"
            )
    for what, found in (
        ("scenario texts", {_base(run.header) for run in runs}),
        ("seeds", {run.header.seed for run in runs}),
        ("given defects", {run.header.defects for run in runs}),
    ):
        if len(found) != 1:
            raise JudgeError(f"runs must have one and the same of {what}, have {len(found)} different ones")
    measures = {run.header.label: run.measures for run in runs}
    if len(measures) != len(runs):
        raise JudgeError(f"strategies of {len(runs)} runs must differ, are {len(measures)}: {', '.join(measures)}")
    return compare(runs[0].header.scenario.name, measures, {run.header.label: run.chances for run in runs})


def _base(header: Header) -> str:
    """Digest of the text that was played, or of the one that it is a variant of."""
    return header.scenario.digest if header.variant is None else header.variant.base
