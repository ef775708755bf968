"""The data of a staging as the controller sees it: migrations, failovers, restores and repairs, for real.

Blocking verbs (chaos.staging.data_verbs) run in threads of the wall-clock environment. What the simulator's stores do
on their own when a primary is lost is done here as well: after the scenario's time to notice (drawn, as people's times
are) the standby takes over, or the backup is restored; how long that takes is not drawn but measured.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import simpy

from chaos.bad_data import BadRows
from chaos.errors import ChaosError
from chaos.realise_data import store_of
from chaos.staging.data_verbs import DataVerbs, NothingLeft
from rollout.errors import Foreseen, NoWayBack, WorldError
from rollout.people import draw_s
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Distribution, Primary, Scenario

__all__ = ["StagingData"]

Steps = Generator[simpy.Event, Any, None]


class StagingData:
    """Fulfils `rollout.world.Data` on the verbs of a staging (None: it has no data, and every verb fails).

    `record` writes on the timeline, `page` waits for the decision of a person, `rng` draws what the scenario leaves
    open, `bad` are the rows that the release writes wrong. Verbs take their turns: one that begins while another is at
    work waits for its end.
    """

    def __init__(
        self,
        env: WallClockEnvironment,
        verbs: DataVerbs | None,
        scenario: Scenario,
        record: Callable[..., None],
        page: Callable[[str], Steps],
        rng: np.random.Generator,
        bad: BadRows | None = None,
    ) -> None:
        self._env = env
        self._verbs = verbs
        self._scenario = scenario
        self._store = store_of(scenario)
        self._record = record
        self._page = page
        self._rng = rng
        self._bad = bad
        self._begun: datetime | None = None
        self._failed_s: float | None = None
        self._serving = env.event()
        self._destroyed = False
        self._recovering = False
        self._turns: simpy.Process | None = None

    # -- what the controller asks for

    def migrate(self, phase: str) -> simpy.Process:
        """Play a phase of the migration. NoWayBack for a revert after the point of no return."""
        self._turns = self._env.process(self._migrate(phase, self._turns))
        return self._turns

    def restore(self) -> simpy.Process:
        """To before the release began."""
        return self._env.process(self._restore(self._begun or datetime.now(UTC)))

    def fail_over(self) -> simpy.Process:
        """The standby takes over."""
        return self._env.process(self._fail_over())

    def reconcile(self) -> simpy.Process:
        """Bring over what only the new version's schema has."""
        return self._env.process(self._reconcile())

    def symptom(self) -> simpy.Event:
        """Never fires where the release writes no wrong rows."""
        return self._env.event() if self._bad is None else self._bad.symptom

    def dirty(self) -> bool:
        """As the last look at the books found."""
        return self._bad is not None and self._bad.rows > 0

    def serves(self) -> bool:
        """Whether somebody serves the store, as far as anybody knows."""
        return self._failed_s is None

    def served(self) -> simpy.Event:
        """Fires when somebody serves the store; at once where somebody does."""
        return self._env.timeout(0) if self.serves() else self._serving

    # -- what the world tells

    def begun(self) -> None:
        """The release has begun: a restore goes back to before this moment."""
        if self._begun is None:
            self._begun = datetime.now(UTC)
            if self._bad is not None:
                self._bad.begin(self._begun)

    def primary_lost(self, effect: Primary) -> None:
        """A fault took the primary; who takes over, or brings it back, starts on its own."""
        self._failed_s, self._destroyed = self._env.wall_s(), effect.destroyed
        cause = f"primary {'destroyed' if effect.destroyed else 'cut off' if effect.partitioned else 'lost'}"
        self._record("store-failure", self._store, cause=cause, lost=effect.destroyed)
        self._env.process(self._respond(self._failed_s))

    def primary_back(self) -> None:
        """The fault is over: on its own data it serves again, unless another took over."""
        if not self._recovering:
            self._up()

    # -- how

    def _respond(self, failed_s: float) -> Steps:
        """As the simulator's store does. Whom nobody can recover stays down; a recovery that breaks is an error."""
        store = self._scenario.system.stores[self._store]
        try:
            if store.failover is not None and store.noticed_after is not None:
                yield self._env.timeout(draw_s(store.noticed_after, self._rng))
                if self._waits(failed_s):
                    self._record("noticed", self._store, what="primary lost")
                    if store.failover.by == "on-call":
                        yield from self._page(f"primary of {self._store}")
                if self._waits(failed_s):
                    yield from self._tried(self._promote(failed_s))
            if self._destroyed and store.backup is not None and self._waits(failed_s):
                yield self._env.timeout(self._drawn_s(store.backup.start))
                if self._waits(failed_s):
                    self._record("noticed", self._store, what="data destroyed")
                    yield from self._tried(self._restore(datetime.now(UTC)))
        except WorldError as error:
            self._record("error", self._store, during="recovery", message=str(error))

    def _tried(self, recovery: Steps) -> Steps:
        """That there is nothing to recover by is what a drill finds out, and no error of it."""
        try:
            yield from recovery
        except Foreseen as found:
            self._record("step-failed", self._store, during="recovery", message=str(found))

    def _up(self) -> None:
        """Somebody serves again."""
        self._failed_s, self._destroyed = None, False
        served, self._serving = self._serving, self._env.event()
        served.succeed()

    def _waits(self, failed_s: float) -> bool:
        return self._failed_s == failed_s and not self._recovering

    def _fail_over(self) -> Steps:
        if self._recovering:
            raise Foreseen(f"fail-over of {self._store}: a recovery is under way")
        if self._failed_s is not None:
            yield from self._promote(self._failed_s)
            return
        failed_s = self._env.wall_s()
        self._record("store-failure", self._store, cause="switch to the standby", lost=False)
        yield from self._take_over(failed_s)

    def _promote(self, failed_s: float) -> Steps:
        self._record("response-start", self._store, what="fail over")
        yield from self._take_over(failed_s)
        self._record("response-end", self._store, what="fail over")

    def _take_over(self, failed_s: float) -> Steps:
        assert self._verbs is not None
        self._recovering = True
        try:
            kept = yield from self._do(self._verbs.fail_over)
        finally:
            self._recovering = False
        kept_s = failed_s if kept is None else min(failed_s, self._seconds(kept))
        self._up()
        self._record("fail-over", self._store, failed_s=failed_s, kept_until_s=kept_s)

    def _restore(self, wanted: datetime) -> Steps:
        if self._verbs is None:
            raise NoWayBack(f"restore of {self._store}: the staging has no data")
        if self._recovering:
            raise Foreseen(f"restore of {self._store}: a recovery is under way")
        served = self._failed_s is None
        if self._failed_s is None:
            self._failed_s = self._env.wall_s()
            self._record("store-failure", self._store, cause="taken out of service for a restore", lost=False)
        failed_s = self._failed_s
        self._recovering = True
        self._record("response-start", self._store, what="restore")
        try:
            restored = yield from self._do(self._verbs.restore, wanted)
        except WorldError as error:
            self._record("restore", self._store, phase="failed", message=str(error))
            if served:
                self._up()
            raise
        finally:
            self._recovering = False
        self._up()
        self._record(
            "restore",
            self._store,
            phase="end",
            failed_s=failed_s,
            kept_until_s=min(failed_s, self._seconds(restored.kept)),
            backup_age_s=failed_s - self._seconds(restored.taken),
            rows=restored.rows,
        )
        yield from self._look()
        self._record("response-end", self._store, what="restore")

    def _migrate(self, phase: str, before: simpy.Process | None) -> Steps:
        """Interrupted, it never was: what it had begun is ended, and the next phase waits for that.

        A store that nobody serves is waited for, as whoever plays a migration would.
        """
        assert self._verbs is not None
        migration = self._scenario.release.migration
        assert migration is not None, "the rules of the language ask for release.migration"
        if before is not None and before.is_alive:
            yield before
        yield self.served()
        lock_s = migration.lock_s if phase == "expand" else 0.0
        work = self._env.in_thread(self._verbs.migrate, phase, lock_s)
        try:
            yield from self._wait(work)
        except simpy.Interrupt:
            work.defused = True
            yield from self._do(self._verbs.end_migration)

    def _reconcile(self) -> Steps:
        if self._verbs is None:
            raise NoWayBack(f"reconcile of {self._store}: the staging has no data")
        yield self.served()
        yield from self._look()
        found = {} if self._bad is None else {"rows": self._bad.rows}
        self._record("reconcile", "rows", phase="start", **found)
        rows = yield from self._do(self._verbs.reconcile)
        yield from self._look()
        self._record("reconcile", "rows", phase="end", rows=rows)

    def _look(self) -> Steps:
        if self._bad is not None:
            yield from self._bad.look()

    def _do(self, work: Callable[..., object], *args: object) -> Generator[simpy.Event, Any, Any]:
        return (yield from self._wait(self._env.in_thread(work, *args)))

    def _wait(self, work: simpy.Event) -> Generator[simpy.Event, Any, Any]:
        try:
            return (yield work)
        except NothingLeft as error:
            raise NoWayBack(str(error)) from error
        except ChaosError as error:
            raise WorldError(f"{type(error).__name__}: {error}") from error

    def _seconds(self, moment: datetime) -> float:
        """On the clock of the run."""
        return self._env.wall_s() - (datetime.now(UTC) - moment) / timedelta(seconds=1)

    def _drawn_s(self, distribution: Distribution | None) -> float:
        return 0.0 if distribution is None else draw_s(distribution, self._rng)
