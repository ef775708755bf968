"""A drill from its scenario to its verdict: a staging to play on, a record to write, the play, the judgement."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.contract.check import check_contract
from chaos.drill import Drill, DrillReport, deadline_of
from chaos.errors import StagingNotUp
from chaos.load.workers import ALONE, Workers
from chaos.realise import defects_of, require_realisable, staging_config
from chaos.safety.guard import watched
from chaos.safety.lease import Lease
from chaos.safety.lever import require_lever_off
from chaos.safety.locks import require_no_drill
from chaos.safety.stop import Abort, abort_on_signals
from chaos.safety.undo import end_orphan
from chaos.staging import processes
from chaos.staging.adapter import StagingAdapter
from chaos.staging.adapters import open_staging, state_dir_of
from chaos.staging.config import StagingConfig
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.embedded_adapter import EmbeddedAdapter
from chaos.staging.files.fitting import require_baseline, require_fitting
from chaos.staging.files.loading import Loaded
from chaos.staging.paths import make_private, state_dir_default
from chaos.watching import Watcher
from evidence.assess import assess
from evidence.header import World
from evidence.provenance import header_for
from evidence.record import RunRecord
from evidence.verdicts import Verdict
from rollout.migration import after, before
from rollout.plan import planned
from rollout.steps import Step
from scenarios.loading import ScenarioText
from scenarios.models import Fault, Scenario, Strategy
from simulator.strategies import strategy_named
from windtunnel.choices import chosen_defects
from windtunnel.errors import UsageError

__all__ = [
    "DrillOutcome",
    "DrillPlan",
    "Say",
    "drill",
    "drill_plan",
    "opened",
    "require_free",
    "require_playable",
    "staging_for",
    "staging_text",
    "state_folder",
]

Say = Callable[[str], None]

# Within this a staging is up, or has failed to start.
_START_S = 120.0


@dataclass(frozen=True, slots=True)
class DrillOutcome:
    """A drill that came to its end. `report.stopped` says what ended it early, if anything did."""

    record: RunRecord
    report: DrillReport
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """What a drill would do; nothing is touched to make it."""

    scenario: str
    strategy: str
    defects: tuple[str, ...]
    duration_s: float
    release_at_s: float
    steps: tuple[str, ...]
    faults: tuple[str, ...]
    rollback: tuple[str, ...]
    repair: tuple[str, ...]
    load_per_s: dict[str, float]
    state_dir: str
    staging: str

    def text(self) -> str:
        """For a person."""
        load = ", ".join(f"{name} {rate:g}/s" for name, rate in self.load_per_s.items())
        lines = [
            f"drill of {self.scenario} by {self.strategy}, {self.duration_s:g} s",
            f"  staging   {self.staging}, in {self.state_dir}",
            f"  load      {load}",
            f"  defects   {', '.join(self.defects) or 'none: the release is good'}",
            f"  release   at {self.release_at_s:g} s: {'; '.join(self.steps)}",
            *(f"  fault     {fault}" for fault in self.faults),
            f"  rollback  {', '.join(self.rollback)}",
            *([f"  repair    {', '.join(self.repair)}, when bad data shows"] if self.repair else []),
        ]
        return "\n".join(lines)


def drill_plan(
    scenario: Scenario,
    *,
    strategy: str | None = None,
    defects: Sequence[str] | None = None,
    state_dir: Path | None = None,
    on: Loaded | None = None,
) -> DrillPlan:
    """What `drill` would do with the same arguments. Raises UsageError, RequestError and NotRealisable as it would."""
    chosen = strategy_named(scenario, strategy)
    names = chosen_defects(scenario, defects)
    require_playable(scenario, chosen, names, on)
    change = scenario.release.change
    replicas = scenario.system.services[change.service].replicas
    folder = state_folder(state_dir, on)
    return DrillPlan(
        scenario=scenario.name,
        strategy=chosen.kind,
        defects=names,
        duration_s=scenario.duration_s,
        release_at_s=scenario.release.at_s,
        steps=tuple(str(step) for step in _steps(scenario, chosen, replicas)),
        faults=tuple(_fault_text(fault) for fault in scenario.faults),
        rollback=tuple(scenario.release.rollback),
        repair=tuple(scenario.release.repair.steps if scenario.release.repair is not None else ()),
        load_per_s={
            name: max(rate for _, rate in each.rates(scenario.clock, scenario.duration_s))
            for name, each in scenario.functions.items()
        },
        state_dir=str(folder),
        staging=staging_text(folder, on),
    )


def drill(
    scenario: Scenario,
    source: ScenarioText,
    *,
    strategy: str | None = None,
    defects: Sequence[str] | None = None,
    seed: int = 1,
    state_dir: Path | None = None,
    on: Loaded | None = None,
    out: Path = Path("runs"),
    say: Say = lambda _: None,
    watcher: Watcher | None = None,
    contract: bool = False,
    workers: Workers = ALONE,
) -> DrillOutcome:
    """Play the release on a staging and judge what happened.

    On the embedded one, unless `on` describes another, it uses the one that runs in `state_dir`, or brings one up and
    takes it down again. `defects` names what is wrong with the new version: the scenario's first defect when None,
    nothing when empty. `watcher` is shown the drill as it plays; with `contract`, it begins only when the new version
    keeps the old one's contract. `workers` send its load.
    Raises UsageError, RequestError, ChaosError (StagingUnclean when something is left in force, ContractBroken when the
    gate holds it back), EvidenceError.
    """
    chosen = strategy_named(scenario, strategy)
    names = chosen_defects(scenario, defects)
    require_playable(scenario, chosen, names, on)
    if contract and on is not None:
        raise UsageError("--contract needs the embedded staging: of yours, nobody says how one version is asked")
    require_lever_off()
    deadline_s = deadline_of(scenario)
    with opened(scenario, chosen, seed, on, state_folder(state_dir, on), say, deadline_s) as (staging, lease):
        if contract:
            assert isinstance(staging, EmbeddedAdapter), "of others it was refused"
            check_contract(scenario, defects_of(scenario, names, chosen), staging, lease, say).require_kept()
        header = header_for(
            scenario,
            source.text,
            world=World.STAGING,
            strategy=chosen.kind,
            seed=seed,
            source=source.source,
            defects=names,
        )
        record = RunRecord.create_in(out, header)
        report = Drill(scenario, chosen, names, seed, staging, record, say, lease, watcher, workers).run()
    verdict = assess(record.folder)
    return DrillOutcome(RunRecord.open(record.folder), report, verdict)


def require_playable(scenario: Scenario, strategy: Strategy, defects: Sequence[str], on: Loaded | None) -> None:
    """Raise NotRealisable, or what the staging file refuses, unless the scenario can be played there."""
    if on is None:
        require_realisable(scenario)
    else:
        require_fitting(scenario, strategy, defects, on)


def state_folder(state_dir: Path | None, on: Loaded | None) -> Path:
    """Where the staging's state is: as asked for, else that of the staging."""
    return (state_dir or (state_dir_default() if on is None else state_dir_of(on))).absolute()


def staging_text(folder: Path, on: Loaded | None) -> str:
    """Which staging would be played on, for a person."""
    if on is not None:
        return f"{on.file.name} by {on.file.adapter} at {on.file.target}"
    return "in use as it runs" if _attached(folder) else "brought up for the drill"


@contextmanager
def opened(
    scenario: Scenario,
    strategy: Strategy | None,
    seed: int,
    on: Loaded | None,
    folder: Path,
    say: Say,
    deadline_s: float,
) -> Iterator[tuple[StagingAdapter, Lease | None]]:
    """The staging to play on, for at most `deadline_s` once it is up; with a lease when it is the drill's own.

    `strategy` is the one to be played, if any is.
    """
    if on is not None:
        staging = open_staging(on, folder)
        require_baseline(scenario, strategy, staging)
        yield staging, None
        return
    with staging_for(staging_config(scenario, seed), folder, _START_S + deadline_s, say) as (local, lease):
        yield EmbeddedAdapter(local), lease


@contextmanager
def staging_for(
    config: StagingConfig, folder: Path, deadline_s: float, say: Say
) -> Iterator[tuple[Staging, Lease | None]]:
    """The staging that runs, when it was made from the same numbers; else an own one, which ends with the block.

    An own one comes with the lease of the watchdog that ends it when this process dies, also while it starts; within
    `deadline_s` everything must be over. Raises UsageError when another one runs, StagingBusy when another drill does.
    """
    ended = end_orphan(folder)
    if ended is not None:
        say(str(ended))
    running = _fitting(folder, config)
    if running is not None:
        yield running, None
        return
    make_private(folder)
    with watched(folder, f"own-{uuid.uuid4().hex}", deadline_s) as lease:
        say("bringing the staging up")
        staging = EmbeddedStaging.up(config, folder, say, processes.own())
        try:
            yield staging, lease
        finally:
            say("taking the staging down")
            with abort_on_signals(Abort()):  # a second Ctrl-C must not leave half of it to nobody
                staging.down()


def require_free(scenario: Scenario, seed: int, folder: Path) -> None:
    """Raise what `drill` would of the embedded staging in `folder`, for who has work to do before it.

    Raises LeverOn, and of a staging of another scenario UsageError, or StagingBusy while that is drilled.
    """
    require_lever_off()
    _fitting(folder, staging_config(scenario, seed))


def _fitting(folder: Path, config: StagingConfig) -> Staging | None:
    """The staging that runs in `folder`, if any does.

    Raises UsageError when it is another scenario's, StagingBusy when a drill of that one is under way.
    """
    running = _attached(folder)
    # The seed only chooses among equal service times; another one is no other staging.
    if running is not None and replace(running.config, seed=config.seed) != config:
        require_no_drill(folder)
        raise UsageError(
            f"the staging in {folder} was brought up with other numbers than the scenario's: "
            f"take it down first ({_taking_down(folder)})"
        )
    return running


def _taking_down(folder: Path) -> str:
    elsewhere = "" if folder == state_dir_default().absolute() else f" --state {folder}"
    return f"windtunnel staging down{elsewhere}"


def _attached(folder: Path) -> Staging | None:
    try:
        return Staging.attach(folder)
    except StagingNotUp:
        return None


def _steps(scenario: Scenario, strategy: Strategy, replicas: int) -> list[Step]:
    """Those of the rollout, with the migration's around them."""
    release = scenario.release
    steps: list[Step] = list(planned(scenario, strategy, release.change, replicas))
    return steps if release.migration is None else [*before(release.migration), *steps, *after(release.migration)]


def _fault_text(fault: Fault) -> str:
    return f"{fault.kind} on {fault.target} at {fault.at_s:g} s for {fault.for_s:g} s"
