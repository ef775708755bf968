"""What reports say, as neutral tables: built here once, rendered as text, HTML or Markdown elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.assess import scenario_of
from evidence.beside import Beside, BesideRow
from evidence.caveats import caveats
from evidence.comparison import Comparison, StrategyRow, compare
from evidence.detection import JudgeRow, detection
from evidence.diagnosis import Diagnosis, diagnose
from evidence.errors import JudgeError
from evidence.events import Event
from evidence.header import Header, World
from evidence.measures import FunctionMeasure
from evidence.pairs import CANNOT_TELL, Difference
from evidence.process import ProcessRow, process
from evidence.published import PublishedRow, published_beside_predicted
from evidence.reach import reach_of
from evidence.record import RunRecord
from evidence.recovery import recoveries
from evidence.release_summary import ReleaseSummary, summarise
from evidence.report.comparing import pareto_table
from evidence.report.drill_table import drill_table
from evidence.report.recovery import recovery_table
from evidence.report.release_tables import cohorts_table, release_table
from evidence.report.table import Table, money, percent, replications, seconds, share, with_range
from evidence.statistics import Estimate
from evidence.strata import Chances, chances_of
from evidence.tables import CLIENT
from evidence.verdicts import Verdict
from scenarios.models import Scenario

__all__ = [
    "NOTHING_EXPECTED",
    "RunContent",
    "beside_table",
    "checks_table",
    "comparison_of",
    "comparison_table",
    "comparison_tables",
    "events_table",
    "facts_table",
    "gather",
    "published_table",
    "reach_text",
    "replays_table",
]

NOTHING_EXPECTED = "the scenario expects nothing (expect), so there is nothing to judge"
"""Why a verdict without checks is inconclusive."""


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
        return recovery_table(recoveries(self.measures)), release_table(summaries), cohorts_table(summaries)

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

    def result_table(self) -> Table:
        """The measures: of a drill one by one, of a simulation over its replications."""
        if self.header.world is World.STAGING:
            return drill_table(self.measures, self.header.resolution_s)
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


def checks_table(verdict: Verdict) -> Table:
    """Every check with its reason."""
    return Table(
        title="Checks",
        headers=("verdict", "of", "reason"),
        rows=tuple((check.status.value, check.subject, check.reason) for check in verdict.checks),
        align="lll",
        marks=tuple(check.status.value for check in verdict.checks),
    )


def comparison_table(comparison: Comparison) -> Table:
    """Strategies side by side, the best of each function first to name and the others against it."""
    several = len({row.strategy for row in comparison.rows}) > 1
    headers = (
        "function",
        "strategy",
        "RTO met",
        "RTO p50",
        "RTO p95",
        "RPO met",
        "failed",
        "revenue lost",
        "rolled back",
        "release takes",
    )
    rows = tuple((*_strategy_cells(row), *((_against_best(row),) if several else ())) for row in comparison.rows)
    n = comparison.rows[0].replications if comparison.rows else 0
    return Table(
        title="Strategies compared" if several else "Predicted",
        headers=(*headers, "against the best") if several else headers,
        rows=rows,
        align="llrrrrrrrr" + ("l" if several else ""),
        marks=tuple("best" if row.best and several else "" for row in comparison.rows),
        note=f"{replications(n)}. In brackets: 95 % Clopper-Pearson intervals. Failed, revenue and duration are means.",
        grouped=True,
    )


def comparison_tables(comparison: Comparison) -> list[Table]:
    """What is compared of the release as a whole; nothing where there is one run alone."""
    if len(comparison.release) < 2:
        return []
    return [release_table(comparison.release), cohorts_table(comparison.release), pareto_table(comparison)]


def _strategy_cells(row: StrategyRow) -> tuple[str, ...]:
    return (
        row.function,
        row.strategy,
        _share(row.rto_attainment),
        seconds(row.rto_p50_s.value),
        seconds(row.rto_p95_s.value),
        "-" if row.rpo_attainment is None else _share(row.rpo_attainment),
        percent(row.failed_share.value) if row.failed_share else "-",
        money(row.revenue_lost.value, row.currency) if row.revenue_lost else "-",
        percent(row.rolled_back.value),
        seconds(row.release_duration_s.value) if row.release_duration_s else "-",
    )


def _share(estimate: Estimate) -> str:
    return share(estimate.value, estimate.low, estimate.high)


def _against_best(row: StrategyRow) -> str:
    if row.best:
        return "best"
    told = [
        f"{statement}: {', '.join(_difference(each, row.currency) for each in those)}"
        for statement in ("better", "worse")
        if (those := [each for each in row.differences if each.statement == statement and each.measure in _SHOWN])
    ]
    if not told and all(each.same for each in row.differences if each.measure in _SHOWN):
        return "the same in every replication"
    return "; ".join(told) or CANNOT_TELL


def _difference(difference: Difference, currency: str | None) -> str:
    return _SHOWN[difference.measure](difference.estimate.value, currency)


_SHOWN: dict[str, Callable[[float, str | None], str]] = {
    "rto_attainment": lambda value, _: f"RTO met {value * 100:+.1f} points",
    "rpo_attainment": lambda value, _: f"RPO met {value * 100:+.1f} points",
    "rto_s": lambda value, _: f"RTO {value:+.2f} s",
    "failed_share": lambda value, _: f"failed {value * 100:+.2f} points",
    "revenue_lost": lambda value, currency: f"revenue lost {value:+,.0f} {currency or ''}".rstrip(),
}
"""What a table's cell has room for; the statements and the JSON document have all of them."""


def beside_table(beside: Beside) -> Table:
    """Predicted beside measured."""
    defects = ", ".join(beside.defects) or "no defect"
    note = (
        f"Predicted: median [p5, p95] of the {beside.replications} of {beside.of_replications} replications with the "
        f"drill's defects ({defects}); no brackets where p5 and p95 are the same. RTO is resolved to "
        f"{beside.resolution_s:g} s."
    )
    if not beside.same_scenario:
        note += " The two runs played different texts of the scenario."
    return Table(
        title="Predicted beside measured",
        headers=("function", "measure", "predicted", "measured", "inside"),
        rows=tuple(
            (row.function or "all", row.measure, _predicted(row), _measured(row), _INSIDE[row.inside])
            for row in beside.rows
        ),
        align="llrrl",
        marks=tuple({True: "pass", False: "fail", None: ""}[row.inside] for row in beside.rows),
        note=note,
        grouped=True,
    )


def _shown(value: float | None, unit: str) -> str:
    if unit == "s":
        return seconds(value)
    return percent(value) if unit == "%" else money(value, unit)


def _predicted(row: BesideRow) -> str:
    if row.unit == "names":
        return row.predicted_text
    return with_range(row.predicted, row.low, row.high, row.unit)


def _measured(row: BesideRow) -> str:
    if row.unit == "names":
        return row.measured_text
    return ("> " if row.measured_censored else "") + _shown(row.measured, row.unit)


_INSIDE = {True: "inside", False: "outside", None: "-"}


def published_table(rows: Sequence[PublishedRow]) -> Table:
    """What was published of the incident that a scenario replays, beside the prediction."""
    n = max((row.n for row in rows), default=0)
    return Table(
        title="Published beside predicted",
        headers=("function", "measure", "published", "predicted", "inside", "source"),
        rows=tuple(
            (
                row.function,
                row.measure,
                _shown(row.published, row.unit),
                with_range(row.predicted, row.low, row.high, row.unit),
                _INSIDE[row.inside],
                row.source,
            )
            for row in rows
        ),
        align="llrrll",
        marks=tuple({True: "pass", False: "fail", None: ""}[row.inside] for row in rows),
        note=f"Predicted: median [p5, p95] of {n} replications. Failed share: of the requests that were meant to be "
        "sent between impact and recovery. Published figures take part in no simulation, and no check judges them.",
        grouped=True,
    )


def replays_table(rows: Sequence[tuple[str, PublishedRow]]) -> Table:
    """Several replays in one table: the incident's name before each of its rows."""
    n = max((row.n for _, row in rows), default=0)
    return Table(
        title="Published beside predicted",
        headers=("incident", "measure", "published", "predicted", "inside"),
        rows=tuple(
            (
                incident,
                row.measure,
                _shown(row.published, row.unit),
                with_range(row.predicted, row.low, row.high, row.unit),
                _INSIDE[row.inside],
            )
            for incident, row in rows
        ),
        align="llrrl",
        marks=tuple({True: "pass", False: "fail", None: ""}[row.inside] for _, row in rows),
        note=f"Predicted: median [p5, p95] of up to {n} replications; what was published takes part in none of them.",
        grouped=True,
    )


def events_table(events: Sequence[Event], replication: int | None = None) -> Table:
    """The timeline, of one replication where a number is given."""
    chosen = [event for event in events if replication is None or event.replication == replication]
    return Table(
        title="Timeline",
        headers=("time", "event", "what", "detail"),
        rows=tuple((f"{event.time_s:.3f} s", str(event.kind), event.subject, _detail(event)) for event in chosen),
        align="rlll",
    )


def _detail(event: Event) -> str:
    parts = []
    for key, value in event.detail.items():
        if isinstance(value, float):
            value = f"{value:.4g}"
        elif isinstance(value, list | tuple):
            value = ", ".join(str(each) for each in value) or "none"
        elif isinstance(value, dict):
            value = ", ".join(f"{name} {each}" for name, each in value.items())
        parts.append(f"{key.replace('_', ' ')}: {value}")
    return "; ".join(parts)


def facts_table(header: Header) -> Table:
    """Where the run came from."""
    dirty = " (with changes)" if header.dirty else ""
    rows = [
        ("run", header.run_id),
        ("world", header.world.value),
        ("scenario", f"{header.scenario.name} ({header.scenario.digest[:19]}...)"),
        ("strategy", header.strategy),
        *([] if header.variant is None else [("variant", header.variant.label)]),
        ("defects", "drawn" if header.defects is None else ", ".join(header.defects) or "none"),
        ("started", header.started_at),
        ("replications", str(header.replications)),
        ("seed", "-" if header.seed is None else str(header.seed)),
        ("resolution", f"{header.resolution_s:g} s, in windows of {header.window_s:g} s"),
        ("recovered after", f"{header.consecutive} consecutive good windows"),
        ("commit", f"{header.commit}{dirty}" if header.commit else "not a checkout"),
        ("host", ", ".join(f"{key} {value}" for key, value in header.host.items())),
        ("command", " ".join(header.argv)),
        ("versions", ", ".join(f"{name} {version}" for name, version in header.versions.items())),
    ]
    if header.fidelity is not None:
        rows.insert(2, ("fidelity", header.fidelity))
    if header.load is not None:
        validity = "valid" if header.load.valid else "invalid"
        late_s = header.load.lateness_p99_s
        late = "nothing was sent" if late_s is None else f"dispatch lateness p99 {late_s * 1e3:.2f} ms"
        senders = f", sent by {header.load.workers} workers" if header.load.workers > 1 else ""
        rows.append(("load", f"{validity}, {late}{senders}"))
    return Table(title="Where this comes from", headers=("fact", "value"), rows=tuple(rows), align="ll")


def reach_text(scenario: Scenario) -> str:
    """What each changed service could hit, a sentence each."""
    return " ".join(_reach_sentence(scenario, change.service) for change in scenario.release.changes)


def _reach_sentence(scenario: Scenario, service: str) -> str:
    reach = reach_of(scenario, service)
    parts = [f"{len(reach.functions)} of {len(scenario.functions)} functions ({', '.join(reach.functions) or 'none'})"]
    parts.append(f"{reach.requests_per_s:g} requests/s, {reach.request_share:.0%} of the load".replace("%", " %"))
    if reach.stores:
        parts.append(f"what is stored in {', '.join(reach.stores)}")
    return f"A bad {reach.service} can reach {'; '.join(parts)}."
