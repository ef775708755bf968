"""A drill: the scenario's release played on real staging, under load, with its faults, and proven undone.

The order is safety's: the gate, the guard (watchdog, journal), the load, a healthy baseline, and only then the release.
On every way out everything is undone and read back; then steady state is checked again, the ledger is read back, and
the record written.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from chaos.errors import ChaosError, StagingUnclean
from chaos.faults.store_servers import HasStore
from chaos.invariants import settle
from chaos.ledger import FinalRead, done_against_the_odds, from_load, looked_up, there_despite
from chaos.load.raw import RawSamples
from chaos.load.rows import client_rows
from chaos.load.run import LoadRun
from chaos.load.workers import ALONE, Workers
from chaos.observer import Observer
from chaos.proof import Proof, not_the_releases
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
from chaos.steady import unsteady
from chaos.supervision import Supervision, stop_conditions
from chaos.tracing import joined
from chaos.watching import NobodyWatches, Watcher
from chaos.world import StagingWorld
from evidence.events import Event, EventKind
from evidence.header import LoadFacts
from evidence.histogram import edges_s
from evidence.record import RunRecord
from evidence.tables import Ledger, Samples
from evidence.timeline import Timeline
from rollout.controller import Controller
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Scenario, Strategy

__all__ = ["LATENESS_BOUND_S", "Drill", "DrillReport", "deadline_of"]

# A dispatcher later than this at its 99th percentile is no open loop any more, and its measurements prove nothing: a
# fifth of the 250 ms to which an RTO is resolved.
LATENESS_BOUND_S = 0.05
_STEADY_S = 3.0
# Room for healing, the second load and the final read, before the watchdog ends a drill by force.
_AFTERWARDS_S = 240.0
# As long as a deploy may take, and how often to look whether it has ended.
_VERB_S = 60.0
_LOOK_S = 0.1

Progress = Callable[[str], None]


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
        self._progress = progress
        self._edges_s = edges_s(scenario)
        self._events: list[Event] = []
        self._stopped: str | None = None
        self._clock: Callable[[], float] = lambda: 0.0  # until the load has begun
        self._mutex = threading.Lock()

    def run(self) -> DrillReport:
        """Play, undo, check, record. Raises SafetyError when the gate refuses: nothing was touched then."""
        staging = self._staging
        require_lever_off()
        preflight(staging.target_url(), staging.token(), staging.allow)
        surface = staging.surface
        released = [change.service for change in self._scenario.release.changes]
        proof = Proof(staging, self._record.folder, released)
        proof.take_baseline()
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
                self._event(load.ended_at_s, EventKind.LOAD_END, "load")
            raw = load.samples()
            ledger = self._ledger(raw)
            try:
                self._progress("healing: undoing all that is still in force, and reading it back")
                healed = self._heal(guard, load, {each.kind for each in staging.faults.values()})
                ledger = self._look(ledger, load, proof)
                healed += self._heal(guard, load, UNDOABLE)
                self._afterwards(load, guard, proof)
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
        self._progress("taking a backup, and verifying it")
        taken = data.back_up()
        self._event(0.0, EventKind.BACKUP, store_of(self._scenario), size_bytes=taken.size_bytes, took_s=taken.took_s)

    def _prove_rollback(self, proof: Proof, load: LoadRun) -> None:
        """What a rollback left is compared with what was there before, while nothing but the rollback put it back."""
        outcomes = [event.detail["outcome"] for event in self._events if event.kind == EventKind.RELEASE_END]
        if self._stopped is not None or outcomes != ["rolled-back"]:
            return
        try:
            differences = proof.compare("after the rollback", not_the_releases(self._scenario, self._strategy))
            self._event(
                load.now_s(), EventKind.VERIFY, "application and data after the rollback", differences=differences
            )
        except ChaosError as error:
            self._event(load.now_s(), EventKind.ERROR, "after the rollback", message=f"{type(error).__name__}: {error}")

    def _look(self, ledger: Ledger, load: LoadRun, proof: Proof) -> Ledger:
        """What the release, or its rollback, left: the ledger looked up, before the drill's own undo touches data."""
        if gone := self._gone():
            lost = [f"{store} is gone with its data, and nobody brought it back" for store in gone]
            self._event(load.now_s(), EventKind.VERIFY, "ledger", differences=lost)
            for store in gone:
                ledger = looked_up(ledger, store, FinalRead(frozenset(), {}))
            return ledger
        self._prove_rollback(proof, load)
        try:
            ledger = self._read_back(ledger, load)
            self._settle(ledger, load, proof)
        except ChaosError as error:
            self._event(load.now_s(), EventKind.ERROR, "ledger", message=f"{type(error).__name__}: {error}")
        return ledger

    def _gone(self) -> list[str]:
        """Stores whose data is destroyed, and nobody brought back."""
        timeline = Timeline.of(self._events)
        return [store for store in self._staging.stores() if timeline.gone(store)]

    def _afterwards(self, load: LoadRun, guard: Guard, proof: Proof) -> None:
        """All that must hold again is checked; what cannot be checked makes the verdict an error."""
        try:
            found = proof.compare("after the undo")
            self._event(load.now_s(), EventKind.VERIFY, "staging as before", differences=found)
            self._steady_again(load, guard)
        except ChaosError as error:
            self._event(load.now_s(), EventKind.ERROR, "afterwards", message=f"{type(error).__name__}: {error}")

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
                self._event(load.now_s(), EventKind.ERROR, entry.target, during="undo", message=str(error))
                continue
            self._event(load.now_s(), EventKind.UNDO, entry.target, kind=entry.kind, rung=result.rung)
            results.append(result)
        return tuple(results)

    def _play(self, guard: Guard, load: LoadRun, observer: Observer, abort: Abort, recheck: Recheck) -> None:
        observer.start(load.start_at_s)
        self._event(0.0, EventKind.LOAD_START, "load")
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
        self._event(env.wall_s(), EventKind.STOP, condition, message=str(error))

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
        world = StagingWorld(env, self._staging, guard, observer, self._scenario, defects, self._take, self._seed)
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

    def _steady_again(self, first: LoadRun, guard: Guard) -> None:
        """A short load after the undo must find every function well."""
        self._progress("checking steady state after the undo")
        folder = self._record.folder / "steady"
        folder.mkdir()
        plan = load_plan(self._scenario, self._staging, self._seed + 1, _STEADY_S)
        # Without a watchdog nothing is in force any more, and the load ends with us all the same.
        watching = guard.lease.guard if guard.lease.lost() is None else None
        with LoadRun.start(plan, folder, guard=watching) as load:
            load.wait()
            raw = load.samples()
        failed = unsteady(self._scenario, raw)
        if failed:
            self._event(first.now_s(), EventKind.ERROR, "steady state", during="after the undo", failed=failed)
        else:
            self._event(first.now_s(), EventKind.VERIFY, "steady state", differences=[])

    def _write(self, load: LoadRun, raw: RawSamples, observer: Observer, ledger: Ledger) -> None:
        try:
            self._record.write_spans(joined(raw, self._staging.spans_folder(), time.time() - load.now_s()))
        except ChaosError as error:
            self._event(load.now_s(), EventKind.ERROR, "spans", during="the record", message=str(error))
        rows = client_rows(raw, self._edges_s, self._scenario.measure.resolution_s)
        self._record.write_events(self._events)
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

    def _ledger(self, raw: RawSamples) -> Ledger:
        loads = load_plan(self._scenario, self._staging, self._seed, self._scenario.duration_s).functions
        return from_load(raw, {each.name: each.store for each in loads if each.store is not None})

    def _read_back(self, ledger: Ledger, load: LoadRun) -> Ledger:
        """Look every write up in the stores themselves; rows that should not be there are differences."""
        since = datetime.now(UTC) - timedelta(seconds=load.now_s())
        for store in self._staging.stores():
            ids = ledger.write_id[ledger.store == store].tolist()
            read = self._staging.final_read(store, ids, since)
            ledger = looked_up(ledger, store, read)
            own = ledger.where(ledger.store == store)
            odd = {
                "there more than once": list(read.duplicates),
                "written by nobody": list(read.strangers),
                "there though never sent": done_against_the_odds(own),
                "there though its recovery says that they are lost": there_despite(
                    own, Timeline.of(self._events).failures_s(store)
                ),
            }
            differences = [f"{len(ids)} {store} {what}, such as {ids[0]}" for what, ids in odd.items() if ids]
            self._event(load.now_s(), EventKind.VERIFY, f"duplicates and strangers in {store}", differences=differences)
        return ledger

    def _settle(self, ledger: Ledger, load: LoadRun, proof: Proof) -> None:
        """Orders against the ledger of payments."""
        books = self._staging.books
        if books is None:
            return
        acknowledged = ledger.write_id[ledger.outcome == "ok"].tolist()
        settled = settle(books.orders_since(proof.began), books.payments_since(proof.began), acknowledged)
        counts = asdict(settled)
        broken = counts.pop("broken")
        self._event(load.now_s(), EventKind.VERIFY, "orders against payments", differences=list(broken), **counts)

    def _event(self, time_s: float, kind: EventKind, subject: str, /, **detail: object) -> None:
        self._take(Event(time_s, kind, subject, detail))

    def _heard(self, verb: str, detail: Mapping[str, Any]) -> None:
        self._event(max(0.0, self._clock()), EventKind.COMMAND, verb, **detail)

    def _take(self, event: Event) -> None:
        with self._mutex:  # commands are told of in the threads that call them
            self._events.append(event)
            self._record.append(event)
            self._watcher.event(event)
        detail = ", ".join(f"{key} {value}" for key, value in event.detail.items())
        self._progress(f"{event.time_s:7.2f} s  {event.kind:<15} {event.subject}{f' ({detail})' if detail else ''}")
