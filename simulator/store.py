"""One store over time: its primary lost, a standby promoted, a backup restored, its statements held up or slowed.

Not modelled: a new primary that is not replicated (after a failover with replication sync, writes are acknowledged
without a standby until the old primary is back), the catching up of a standby that was away, and reads from standbys.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import simpy

from rollout.errors import Foreseen, NoWayBack
from rollout.people import draw_s
from scenarios.models import Distribution, Store
from simulator.backups import Backups
from simulator.effects import Effects
from simulator.environment import SimulationEnvironment
from simulator.kernel.plane import Defect

__all__ = ["LostSpan", "SimulatedStore"]

# A statement that meets a lock waits for its end; how long is put in force so many times during it.
_HOLD_STEPS = 100

Record = Callable[..., None]
Page = Callable[[str], Generator[simpy.Event, Any, None]]


@dataclass(frozen=True, slots=True)
class LostSpan:
    """Rows that a store had when it failed and that were acknowledged after `kept_until_s` are gone."""

    station: int
    kept_until_s: float
    failed_s: float


class SimulatedStore:
    """One store: a station of one replica, which is its primary.

    `page` waits for the decision of a person, `stream` makes what the store draws from; `tell_lost` is called when rows
    did not survive. `lost` says which did not so far.
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        station: int,
        name: str,
        store: Store,
        effects: Effects,
        record: Record,
        page: Page,
        stream: Callable[[], np.random.Generator],
        tell_lost: Callable[[LostSpan], None],
    ) -> None:
        self._env = env
        self.station = station
        self.name = name
        self._store = store
        self._effects = effects
        self._record = record
        self._page = page
        self._stream = stream
        self._tell_lost = tell_lost
        self._backups = None if store.backup is None else Backups(store, store.backup, self._rng)
        self._standbys = store.standbys
        self._lag_added_s = 0.0
        self._failed_s: float | None = None
        self._destroyed = False
        self._taking_over = False
        self._joining = 0
        self._held_until_s = 0.0
        self._slowed_by = 1.0
        self.lost: list[LostSpan] = []
        env.plane.set_ready(station, 0, [0])

    @cached_property
    def _rng(self) -> np.random.Generator:
        """Made when something is drawn: most stores of most scenarios draw nothing."""
        return self._stream()

    @property
    def gone(self) -> bool:
        """Whether its data is destroyed and has not been brought back."""
        return self._destroyed

    @property
    def standbys(self) -> int:
        """How many could take over."""
        return self._standbys

    @property
    def has_backup(self) -> bool:
        """Whether it can be restored."""
        return self._backups is not None

    # -- faults

    def lose_primary(self, destroyed: bool) -> None:
        """The primary is gone at once; who takes over, or brings it back, starts on its own."""
        self._destroyed = destroyed
        self._stop("primary destroyed" if destroyed else "primary lost")
        self._env.process(self._respond(self._env.now))

    def return_primary(self) -> None:
        """Back with all its data, unless that is destroyed or another took over: then it becomes a standby."""
        if self._failed_s is not None and not self._destroyed and not self._taking_over:
            self._serve()
        elif self._failed_s is None:
            self._standbys = min(self._store.standbys, self._standbys + 1)
        else:
            self._joining += 1

    def lose_standbys(self, count: int, for_s: float) -> None:
        """So many standbys less; with replication sync and none left nothing is acknowledged for so long."""
        self._standbys = max(0, self._standbys - count)
        if self._store.replication == "sync" and self._standbys == 0:
            self.hold(for_s)

    def return_standbys(self, count: int) -> None:
        """They are back."""
        self._standbys = min(self._store.standbys, self._standbys + count)

    def fall_behind(self, add_s: float) -> None:
        """The standbys are further behind by so much; less than 0: they catch up."""
        self._lag_added_s = max(0.0, self._lag_added_s + add_s)

    # -- what the control plane asks for

    def fail_over(self) -> simpy.Process:
        """To a standby now, without loss while the primary lives; Foreseen without a standby."""
        return self._env.process(self._fail_over())

    def restore(self, wanted_s: float) -> simpy.Process:
        """From a backup, to the state at `wanted_s` at best; what was written since is lost."""
        return self._env.process(self._restore(wanted_s))

    def slow(self, load: float) -> None:
        """So much of its capacity is taken from its statements; 0: none."""
        self._slowed_by = 1.0 / (1.0 - load)
        self._put()

    def hold(self, for_s: float) -> None:
        """Let every statement wait for so long from now on, in the connection that it has."""
        until_s = self._env.now + for_s
        if until_s > self._held_until_s:
            held = self._held_until_s > self._env.now
            self._held_until_s = until_s
            if not held:
                self._env.process(self._hold(for_s / _HOLD_STEPS))

    def let_go(self) -> None:
        """Statements that come from now on wait no more."""
        self._held_until_s = self._env.now
        self._put()

    # -- how

    def _stop(self, cause: str) -> None:
        if self._failed_s is None:
            self._failed_s = self._env.now
            self._env.plane.kill(self.station, 0, 0)
        self._record("store-failure", self.name, cause=cause, lost=self._destroyed)

    def _serve(self, kept_until_s: float | None = None) -> None:
        """Up again; with a time, without what was acknowledged after it."""
        assert self._failed_s is not None
        if kept_until_s is not None:
            self.lost.append(LostSpan(self.station, kept_until_s, self._failed_s))
            self._tell_lost(self.lost[-1])
        self._failed_s, self._destroyed = None, False
        self._standbys = min(self._store.standbys, self._standbys + self._joining)
        self._joining = 0
        self._env.plane.set_ready(self.station, 0, [0])

    def _waits(self, failed_s: float) -> bool:
        """Whether what failed at that time is still down, and nobody is bringing it back."""
        return self._failed_s == failed_s and not self._taking_over

    def _respond(self, failed_s: float) -> Generator[simpy.Event, Any, None]:
        failover = self._store.failover
        if failover is not None and failover.detect is not None and self._standbys > 0:
            yield self._env.timeout(self._drawn_s(failover.detect))
            if self._waits(failed_s):
                self._record("noticed", self.name, what="primary lost")
                if failover.by == "on-call":
                    yield from self._page(f"primary of {self.name}")
            if self._waits(failed_s) and self._standbys > 0:
                yield from self._promote()
                return
        if self._destroyed and self._store.backup is not None:
            yield self._env.timeout(self._drawn_s(self._store.backup.start))
            if self._waits(failed_s):
                self._record("noticed", self.name, what="data destroyed")
                yield from self._restore(failed_s)

    def _promote(self) -> Generator[simpy.Event, Any, None]:
        """The standby with what had reached it by the failure."""
        failover, failed_s = self._store.failover, self._failed_s
        assert failed_s is not None
        self._taking_over = True
        self._standbys -= 1
        lag_s = 0.0 if self._store.replication == "sync" else self._drawn_s(self._store.lag) + self._lag_added_s
        self._record("response-start", self.name, what="fail over")
        yield self._env.timeout(0.0 if failover is None else self._drawn_s(failover.promote))
        self._taking_over = False
        self._serve(failed_s - lag_s if lag_s else None)
        self._record("fail-over", self.name, failed_s=failed_s, kept_until_s=failed_s - lag_s)
        self._record("response-end", self.name, what="fail over")

    def _fail_over(self) -> Generator[simpy.Event, Any, None]:
        if self._taking_over:
            raise Foreseen(f"fail-over of {self.name}: a recovery is under way")
        if self._standbys == 0:
            raise Foreseen(f"fail-over of {self.name}: no standby is there to take over")
        if self._failed_s is None:
            # The standby catches up while the primary still serves.
            yield self._env.timeout(self._drawn_s(self._store.lag) + self._lag_added_s)
        if self._failed_s is not None:
            yield from self._promote()
            return
        self._stop("switch to the standby")
        self._taking_over = True
        yield self._env.timeout(0.0 if self._store.failover is None else self._drawn_s(self._store.failover.promote))
        self._taking_over = False
        failed_s = self._failed_s
        self._serve()
        self._record("fail-over", self.name, failed_s=failed_s, kept_until_s=failed_s)

    def _restore(self, wanted_s: float) -> Generator[simpy.Event, Any, None]:
        if self._backups is None:
            raise NoWayBack(f"restore of {self.name}: there is no backup")
        if self._taking_over:
            raise Foreseen(f"restore of {self.name}: a recovery is under way")
        if self._failed_s is None:
            self._stop("taken out of service for a restore")
        self._taking_over = True
        failed_s = self._failed_s
        assert failed_s is not None
        self._record("response-start", self.name, what="restore")
        point = self._backups.latest(failed_s, wanted_s)
        yield self._env.timeout(self._backups.attempt_s)
        while not self._backups.restores(point):
            self._record("restore", self.name, phase="failed", backup_age_s=failed_s - point.taken_s)
            point = self._backups.latest(failed_s, wanted_s, before=point)
            yield self._env.timeout(self._backups.attempt_s)
        self._taking_over = False
        self._serve(point.kept_until_s)
        detail = {"failed_s": failed_s, "kept_until_s": point.kept_until_s, "backup_age_s": failed_s - point.taken_s}
        self._record("restore", self.name, phase="end", **detail)
        self._record("response-end", self.name, what="restore")

    def _hold(self, step_s: float) -> Generator[simpy.Event, Any, None]:
        while self._held_until_s > self._env.now:
            self._put()
            yield self._env.timeout(min(step_s, self._held_until_s - self._env.now))
        self._put()

    def _put(self) -> None:
        wait_s = max(0.0, self._held_until_s - self._env.now)
        plain = wait_s == 0.0 and self._slowed_by == 1.0
        effects = [] if plain else [Defect(latency_factor=self._slowed_by, held_s=wait_s)]
        self._effects.put(self.station, 0, "store", effects)

    def _drawn_s(self, distribution: Distribution | None) -> float:
        return 0.0 if distribution is None else draw_s(distribution, self._rng)
