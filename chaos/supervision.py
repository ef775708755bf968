"""Watching over a drill while it plays: the healthy baseline before the release, and all that ends the drill early."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from chaos.live_health import LiveHealth
from chaos.load.raw import RawSamples
from chaos.load.run import LoadRun
from chaos.observer import Observer
from chaos.safety.baseline import require_healthy
from chaos.safety.errors import DrillStopped
from chaos.safety.guard import Guard
from chaos.safety.lever import lever_reason
from chaos.safety.recheck import Recheck
from chaos.safety.stop import ABORT_FILE, Abort, StopConditions
from chaos.watching import FunctionNow, Snapshot, VersionNow, Watcher
from evidence.histogram import quantile_upper_s
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Scenario

CHECK_EVERY_S = 0.5
# Of a service that so many requests went through within that time, something must have been counted.
_BLIND_S = 15.0
_BLIND_ANSWERS = 30

__all__ = ["CHECK_EVERY_S", "Supervision", "stop_conditions"]


def stop_conditions(scenario: Scenario, load: LoadRun, guard: Guard, abort: Abort) -> StopConditions:
    """What ends a drill with this load early, besides what it loses; `abort` is set by whoever asks for an end."""
    stop = scenario.drill.stop
    return StopConditions(
        deadline_s=scenario.duration_s + 1.0,
        down_allowed_s=stop.down_s or scenario.duration_s,
        abort_file=guard.state_dir / ABORT_FILE,
        watchdog_lost=guard.lease.lost,
        lever=lever_reason,
        failures_allowed={} if stop.error_budget is None else _failures_allowed(stop.error_budget, load),
        abort=abort,
    )


def _failures_allowed(budget: float, load: LoadRun) -> dict[str, float]:
    """How many requests of each function may fail, of those that are planned."""
    planned = np.bincount(load.schedule.function, minlength=len(load.plan.functions))
    return {each.name: budget * int(count) for each, count in zip(load.plan.functions, planned, strict=True)}


@dataclass
class Supervision:
    """One drill's; `dead` names the parts of the staging that died, `answered` is told of all requests that ended."""

    scenario: Scenario
    load: LoadRun
    observer: Observer
    conditions: StopConditions
    recheck: Recheck
    dead: Callable[[], Sequence[str]]
    answered: Callable[[RawSamples], None]
    watcher: Watcher
    edges_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Nothing has ended yet."""
        schedule = self.load.schedule
        due_s = {
            each.name: schedule.intended_s[schedule.function == place]
            for place, each in enumerate(self.load.plan.functions)
        }
        self.health = LiveHealth(self.scenario, self.edges_s, due_s)
        # Requests of each function that went well, at each look within the last _BLIND_S, and at the one before.
        self._well: deque[tuple[float, dict[str, int]]] = deque()

    def run(self, env: WallClockEnvironment) -> Generator[simpy.Event, Any, None]:
        """Process of the drill. Raises BaselineUnhealthy before the release, DrillStopped at any time."""
        gate_s = self.scenario.release.at_s - 2 * self.scenario.measure.resolution_s
        gated = False
        while True:
            ended = self.load.poll()
            self.health.add(ended)
            self.answered(ended)
            windows = self.health.windows(env.wall_s())
            self.conditions.check(env.wall_s(), self.health.down_for_s(windows), self.health.failed())
            self._require_all_there(env.wall_s())
            self._require_seen(env.wall_s())
            self.watcher.look(self._snapshot(env.wall_s(), windows))
            if not gated and env.now >= gate_s:
                gated = True
                self._require_baseline(windows)
            wait_s = CHECK_EVERY_S if gated else min(CHECK_EVERY_S, max(0.0, gate_s - env.now))
            yield env.timeout(wait_s)

    def _snapshot(self, now_s: float, windows: dict[str, NDArray[np.bool_]]) -> Snapshot:
        """A function that is down is taken to be down until now: what its last requests saw is not known yet."""
        resolution_s = self.scenario.measure.resolution_s
        down_s = self.health.down_for_s(windows)
        requests, failed = self.health.ended(), self.health.failed()
        functions = {
            name: FunctionNow(
                known=len(good) * resolution_s >= self.scenario.measure.window_s,
                down_s=now_s - len(good) * resolution_s + down_s[name] if down_s[name] > 0 else 0.0,
                requests=requests[name],
                failed=failed[name],
            )
            for name, good in windows.items()
        }
        return Snapshot(now_s, functions, tuple(self._versions()))

    def _versions(self) -> Iterator[VersionNow]:
        window_s = self.scenario.measure.window_s
        for service in self.scenario.system.services:
            versions = [(c.old, c.new) for c in self.scenario.release.changes if c.service == service]
            for version in versions[0] if versions else (None,):
                seen = self.observer.observe(service, version, window_s)
                yield VersionNow(
                    service,
                    version or "",
                    seen.requests / window_s,
                    seen.errors / seen.requests if seen.requests else 0.0,
                    quantile_upper_s(seen.histogram, self.edges_s, 0.95) if seen.histogram.any() else None,
                )

    def _require_all_there(self, now_s: float) -> None:
        self.recheck.require()
        dead = self.dead()
        if dead:
            raise DrillStopped("component-lost", f"the staging's own {', '.join(dead)} died: nothing is proven by it")
        if self.observer.failure is not None:
            raise DrillStopped("observer-lost", f"the staging can no longer be observed: {self.observer.failure}")
        if not self.load.running and now_s < self.scenario.duration_s - CHECK_EVERY_S:
            why = self.load.ended_because or "it left no word"
            raise DrillStopped("load-lost", f"the load generator ended at {now_s:.1f} s: {why}")

    def _require_seen(self, now_s: float) -> None:
        """Counters that vanish, or stand still, raise nothing: a guardrail would take it for a service without load."""
        ended, failed = self.health.ended(), self.health.failed()
        self._well.append((now_s, {name: ended[name] - failed[name] for name in ended}))
        while len(self._well) > 1 and self._well[1][0] <= now_s - _BLIND_S:
            self._well.popleft()
        since_s, before = self._well[0]
        if now_s - since_s < _BLIND_S:
            return
        well = {name: count - before[name] for name, count in self._well[-1][1].items()}
        for guardrail in self.scenario.release.guardrails:
            service = guardrail.of
            through = sum(well[name] for name, each in self.scenario.functions.items() if service in each.path)
            seen = self.observer.observe(service, None, _BLIND_S)
            counted = seen.histogram.any() if guardrail.quantile is not None else seen.requests
            if through >= _BLIND_ANSWERS and not counted:
                what = "no time was measured" if seen.requests else "nothing was counted"
                raise DrillStopped(
                    "observer-lost",
                    f"{what} of {service} within {_BLIND_S:g} s, in which {through} requests went through it well: its "
                    f"guardrail on {guardrail.metric} watches nothing",
                )

    def _require_baseline(self, windows: dict[str, NDArray[np.bool_]]) -> None:
        """As many good windows as recovery takes, or as fit in before the release."""
        measure = self.scenario.measure
        fitting = int((self.scenario.release.at_s - 3.0) / measure.resolution_s)
        wanted = max(1, min(measure.consecutive, fitting))
        require_healthy({name: good.tolist() for name, good in windows.items()}, wanted)
