"""A drill: the scenario's release played on real staging, under load, with its faults, and proven undone.

The order is safety's: the gate, the guard (watchdog, journal), the load, a healthy baseline, and only then the release.
On every way out everything is undone and read back; then steady state is checked again, the ledger is read back, and
the record written.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chaos.aftermath import Aftermath
from chaos.drill_log import DrillLog, Progress
from chaos.errors import ChaosError, StagingUnclean
from chaos.faults.store_servers import HasStore
from chaos.ledger import from_load
from chaos.load.raw import RawSamples
from chaos.load.rows import client_rows
from chaos.load.run import LoadRun
from chaos.load.workers import ALONE, Workers
from chaos.observer import Observer
from chaos.proof import Proof
from chaos.realise import defects_of, load_plan
from chaos.realise_data import backs_up, store_of, touches_store, writes_wrong
from chaos.safety.ephemeral import EPHEMERAL, plan_ephemeral
from chaos.safety.errors import DrillStopped
from chaos.safety.guard import Guard, guarded
from chaos.safety.lease import Lease
from chaos.safety.lever import require_lever_off
from chaos.safety.recheck import Recheck
from chaos.safety.stop import ABORT_FILE, Abort, abort_asked, abort_on_signals
from chaos.safety.target_lock import hold_target
from chaos.safety.targets import preflight
from chaos.safety.undo import UNDOABLE, EntryResult
from chaos.staging.adapter import StagingAdapter
from chaos.supervision import Supervision, stop_conditions
from chaos.tracing import joined
from chaos.watching import NobodyWatches, Watcher
from chaos.world import StagingWorld
from evidence.events import EventKind
from evidence.header import LoadFacts
from evidence.histogram import edges_s
from evidence.record import RunRecord
from evidence.tables import Ledger, Samples
from rollout.controller import Controller
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Scenario, Strategy

__all__ = ["LATENESS_BOUND_S", "Drill", "DrillReport", "deadline_of"]

# A dispatcher later than this at its 99th percentile is no open loop any more, and its measurements prove nothing: a
# fifth of the 250 ms to which an RTO is resolved.
LATENESS_BOUND_S = 0.05
# Room for healing, the second load and the final read, before the watchdog ends a drill by force.
_AFTERWARDS_S = 240.0
# As long as a deploy may take, and how often to look whether it has ended.
_VERB_S = 60.0
_LOOK_S = 0.1


def deadline_of(scenario: Scenario, patience: float = 1.0) -> float:
    """The longest that a drill may take on a staging that is up, in seconds; `patience` is that of its surface."""
    return scenario.duration_s + patience * _AFTERWARDS_S


@dataclass(frozen=True)
class DrillReport:
    """What a drill left behind besides its record: what was undone, and what stopped it early."""

    healed: tuple[EntryResult, ...]
    stopped: str | None


class Drill:
    """One drill on a staging that is up, writing one record.

    With a `lease`, that of the watchdog already over it, the staging was started for this drill alone and ends with it.
    """

    def __init__(
        self,
        scenario: Scenario,
        strategy: Strategy,
        defects: Sequence[str],
        seed: int,
        staging: StagingAdapter,
        record: RunRecord,
        progress: Progress,
        lease: Lease | None = None,
        watcher: Watcher | None = None,
        workers: Workers = ALONE,
    ) -> None:
        self._watcher = watcher or NobodyWatches()
        self._workers = workers
        self._lease = lease
        self._own = lease is not None
        self._scenario = scenario
        self._strategy = strategy
        self._defects = tuple(defects)
        self._seed = seed
        self._staging = staging
        self._record = record
        self._log = DrillLog(record, self._watcher, progress)
        self._edges_s = edges_s(scenario)
        self._stopped: str | None = None
        self._clock: Callable[[], float] = lambda: 0.0  # until the load has begun

    def run(self) -> DrillReport:
        """Play, undo, check, record. Raises SafetyError when the gate refuses: nothing was touched then."""
        staging = self._staging
        require_lever_off()
        preflight(staging.target_url(), staging.token(), staging.allow)
        surface = staging.surface
        released = [change.service for change in self._scenario.release.changes]
        proof = Proof(staging, self._record.folder, released)
        proof.take_baseline()
        aftermath = Aftermath(
            self._scenario, self._strategy, staging, proof, self._log, self._record.folder, self._seed
        )
        drill_id = uuid.uuid4().hex
        deadline_s = deadline_of(self._scenario, surface.patience)
        abort = Abort()
        with (
            abort_on_signals(abort),
            hold_target(staging.token()) as lock,
            guarded(
                surface,
                staging.state_dir,
                drill_id,
                deadline_s,
                lease=self._lease,
                faults=staging.faults,
                locks=[lock],
            ) as guard,
        ):
            if self._own:
                guard.journal.open(plan_ephemeral(surface, staging.state_dir, drill_id))
            staging.record_to(self._record.folder, self._heard)
            self._back_up()
            plan = load_plan(self._scenario, staging, self._seed, self._scenario.duration_s)
            with LoadRun.start(plan, self._record.folder, workers=self._workers, guard=guard.lease.guard) as load:
                self._clock = load.now_s
                resolution_s = self._scenario.measure.resolution_s
                observer = Observer(staging.observe, staging.unversioned(), self._edges_s, resolution_s)
                try:
                    with Recheck(lambda: preflight(staging.target_url(), staging.token(), staging.allow)) as recheck:
                        self._play(guard, load, observer, abort, recheck)
                    if self._stopped is None:
                        load.wait()
                finally:
                    observer.stop()
                    load.stop()
                self._log.event(load.ended_at_s, EventKind.LOAD_END, "load")
            raw = load.samples()
            ledger = self._ledger_of(raw)
            try:
                self._log.say("healing: undoing all that is still in force, and reading it back")
                healed = self._heal(guard, load, {each.kind for each in staging.faults.values()})
                ledger = aftermath.look(ledger, load, stopped=self._stopped is not None)
                healed += self._heal(guard, load, UNDOABLE)
                aftermath.check(load, guard)
            finally:
                # Whatever could not be undone or checked: what was measured is kept.
                self._write(load, raw, observer, ledger)
        asked = abort.reason or abort_asked(staging.state_dir / ABORT_FILE)
        if self._stopped is None and asked is not None:
            # Too late to stop anything; whoever asked is told all the same.
            self._stopped = f"stop asked for: {asked}, when the load was over"
        return DrillReport(healed, self._stopped)

    def _back_up(self) -> None:
        """Where something may restore it, the last backup before the load."""
        data = self._staging.data
        if data is None or not backs_up(self._scenario):
            return
        self._log.say("taking a backup, and verifying it")
        taken = data.back_up()
        self._log.event(
            0.0, EventKind.BACKUP, store_of(self._scenario), size_bytes=taken.size_bytes, took_s=taken.took_s
        )

    def _heal(self, guard: Guard, load: LoadRun, kinds: Collection[str]) -> tuple[EntryResult, ...]:
        """Undo everything of these kinds but the staging itself, newest first.

        Raises StagingUnclean at the first that cannot be undone, but on a staging of our own: that ends, and with it
        all that is left in force on it.
        """
        results = []
        for entry in reversed(guard.journal.open_entries()):
            if entry.kind == EPHEMERAL.kind or entry.kind not in kinds:
                continue
            try:
                result = guard.heal(entry)
            except StagingUnclean as error:
                if not self._own:
                    raise
                self._log.event(load.now_s(), EventKind.ERROR, entry.target, during="undo", message=str(error))
                continue
            self._log.event(load.now_s(), EventKind.UNDO, entry.target, kind=entry.kind, rung=result.rung)
            results.append(result)
        return tuple(results)

    def _play(self, guard: Guard, load: LoadRun, observer: Observer, abort: Abort, recheck: Recheck) -> None:
        observer.start(load.start_at_s)
        self._log.event(0.0, EventKind.LOAD_START, "load")
        env = WallClockEnvironment(load.start_at_s)
        try:
            self._begin(env, guard, load, observer, abort, recheck)
            env.run(until=self._scenario.duration_s)
        except ChaosError as error:
            self._stop(env, error)
        finally:
            self._watcher.end()
            self._end_verbs(env)
            env.make_calls_left()  # what those verbs did is on the timeline too

    def _stop(self, env: WallClockEnvironment, error: ChaosError) -> None:
        """Tell why the drill ends early; whoever asks a dead part first only knows that it does not answer."""
        dead = [] if isinstance(error, DrillStopped) else self._staging.dead()
        if dead:
            error = DrillStopped("component-lost", f"the staging's own {', '.join(dead)} died: {error}")
        self._stopped = str(error)
        condition = error.condition if isinstance(error, DrillStopped) else type(error).__name__
        self._log.event(env.wall_s(), EventKind.STOP, condition, message=str(error))

    def _begin(
        self, env: WallClockEnvironment, guard: Guard, load: LoadRun, observer: Observer, abort: Abort, recheck: Recheck
    ) -> None:
        """Protect what the release touches, and have it and its supervision start."""
        guard.protect_release(self._scenario.release.change.service)
        data = self._staging.data
        changes_rows = data is not None and data.tells_wrong and writes_wrong(self._scenario, self._defects)
        if (touches_store(self._scenario) or changes_rows) and isinstance(guard.surface, HasStore):
            guard.protect_store(store_of(self._scenario))
        defects = defects_of(self._scenario, self._defects, self._strategy)
        world = StagingWorld(env, self._staging, guard, observer, self._scenario, defects, self._log.take, self._seed)
        rng = np.random.default_rng(np.random.SeedSequence(self._seed))
        controller = Controller(world, self._scenario, self._strategy, self._defects, rng)
        supervision = Supervision(
            self._scenario,
            load,
            observer,
            stop_conditions(self._scenario, load, guard, abort),
            recheck,
            self._staging.dead,
            self._staging.answered,
            self._watcher,
            self._edges_s,
        )
        env.process(supervision.run(env))
        self._watcher.begin(abort)
        controller.start()

    def _end_verbs(self, env: WallClockEnvironment) -> None:
        """Nothing is undone while a verb is at work, or the verb would have the last word.

        It comes to its end by itself; where the drill was stopped, or it takes too long, it is ended as far as the
        staging can.
        """
        ends_s = env.wall_s() + (0.0 if self._stopped is not None else _VERB_S)
        gives_up_s = ends_s + _VERB_S * self._staging.surface.patience
        while not env.idle(_LOOK_S) and env.wall_s() < gives_up_s:
            if env.wall_s() >= ends_s:
                self._staging.settle()

    def _write(self, load: LoadRun, raw: RawSamples, observer: Observer, ledger: Ledger) -> None:
        try:
            self._record.write_spans(joined(raw, self._staging.spans_folder(), time.time() - load.now_s()))
        except ChaosError as error:
            self._log.event(load.now_s(), EventKind.ERROR, "spans", during="the record", message=str(error))
        rows = client_rows(raw, self._edges_s, self._scenario.measure.resolution_s)
        self._record.write_events(self._log.events)
        self._record.write_samples(Samples.join([rows, observer.samples()]))
        self._record.write_ledger(ledger)
        self._record.write_requests(raw.columns())
        late_s, problems = load.lateness_p99_s, load.problems(LATENESS_BOUND_S)
        facts = LoadFacts(
            valid=not problems,
            lateness_p99_s=late_s if math.isfinite(late_s) else None,
            lateness_bound_s=LATENESS_BOUND_S,
            problems=tuple(problems),
            workers=self._workers.count,
        )
        self._record.recorded(load=facts)

    def _ledger_of(self, raw: RawSamples) -> Ledger:
        loads = load_plan(self._scenario, self._staging, self._seed, self._scenario.duration_s).functions
        return from_load(raw, {each.name: each.store for each in loads if each.store is not None})

    def _heard(self, verb: str, detail: Mapping[str, Any]) -> None:
        self._log.event(max(0.0, self._clock()), EventKind.COMMAND, verb, **detail)
