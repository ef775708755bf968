"""All that a drill is watched for, one condition at a time: load and staging are made up, and time is virtual."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import simpy

from chaos.live_health import LiveHealth
from chaos.load.raw import RawSamples
from chaos.safety.errors import BaselineUnhealthy, DrillStopped
from chaos.safety.stop import ABORT_FILE, StopConditions
from chaos.supervision import CHECK_EVERY_S, Supervision
from chaos.watching import NobodyWatches
from evidence.histogram import edges_s
from rollout.world import Observation
from scenarios.loading import load

NAMES = ("checkout", "browse")
PER_S = 10
# When things go wrong: after the release, which is at 10 s.
BREAKS_S = 15.0


class VirtualTime(simpy.Environment):
    """A wall clock that is never late."""

    def wall_s(self) -> float:
        return float(self.now)


@dataclass
class MadeUp:
    """What a drill may look at. `bad(function, sent_s)` tells which requests fail."""

    env: VirtualTime
    bad: Callable[[str, float], bool] = lambda _function, _sent_s: False
    refusal: str | None = None
    failure: str | None = None
    dead: list[str] = field(default_factory=list)
    running: bool = True
    ended_because: str = ""
    counted_until_s: float = math.inf
    timed: bool = True
    plan = SimpleNamespace(functions=[SimpleNamespace(name=name) for name in NAMES])
    schedule = SimpleNamespace(
        intended_s=np.repeat(np.arange(36 * PER_S) / PER_S, len(NAMES)),
        function=np.tile(np.arange(len(NAMES)), 36 * PER_S),
    )
    _sent: int = 0

    def poll(self) -> RawSamples:
        """Requests that have ended since the last time, each after 10 ms."""
        rows: list[list[Any]] = []
        while self._sent / PER_S + 0.01 <= self.env.now:
            at_s = self._sent / PER_S
            for name in NAMES:
                status, kind = (500, "error") if self.bad(name, at_s) else (201, "ok")
                rows.append([name, self._sent, "default", at_s, at_s, at_s + 0.01, status, kind, "2.3", "0", ""])
            self._sent += 1
        return RawSamples.from_rows(rows)

    def require(self) -> None:
        """As chaos.safety.recheck has it."""
        if self.refusal is not None:
            raise DrillStopped("target-refused", f"the target no longer passes the gate: {self.refusal}")

    def observe(self, service: str, _version: str | None, window_s: float) -> Observation:
        """All that was sent within the window, until the counters stand still."""
        until_s = min(self.env.now, self.counted_until_s)
        seen = max(0.0, until_s - max(0.0, self.env.now - window_s)) if service in ("checkout", "catalogue") else 0.0
        count = round(seen * PER_S)
        return Observation(count, 0, np.full(1, count if self.timed else 0, dtype=np.int64))


def supervised(folder: Path, **changes: Any) -> tuple[VirtualTime, MadeUp]:
    """A drill of the shop's release that is being watched."""
    scenario, _ = load("shop-release")
    env = VirtualTime()
    made_up = MadeUp(env, **changes)
    conditions = StopConditions(
        scenario.duration_s,
        3.0,
        folder / ABORT_FILE,
        watchdog_lost=lambda: None,
        failures_allowed={"checkout": 50.0, "browse": 10.0},
    )
    edges = edges_s(scenario)
    supervision = Supervision(
        scenario=scenario,
        load=cast("Any", made_up),
        observer=cast("Any", made_up),
        conditions=conditions,
        recheck=cast("Any", made_up),
        dead=lambda: made_up.dead,
        answered=lambda _: None,
        watcher=NobodyWatches(),
        edges_s=edges,
    )
    env.process(supervision.run(cast("Any", env)))
    return env, made_up


def test_a_drill_that_is_well_is_left_alone(tmp_path: Path) -> None:
    env, _ = supervised(tmp_path)
    env.run(until=35.0)


@pytest.mark.parametrize(
    ("change", "condition", "says"),
    [
        ({"refusal": "it moved"}, "target-refused", "no longer passes the gate: it moved"),
        ({"dead": ["envoy", "primary"]}, "component-lost", "own envoy, primary died"),
        ({"failure": "Envoy is silent"}, "observer-lost", "no longer be observed: Envoy is silent"),
        ({"running": False}, "load-lost", "load generator ended at 15.* s: it left no word"),
        ({"running": False, "ended_because": "worker 2 is gone"}, "load-lost", "s: worker 2 is gone"),
    ],
)
def test_what_is_lost_ends_the_drill_within_a_look(
    tmp_path: Path, change: dict[str, Any], condition: str, says: str
) -> None:
    env, made_up = supervised(tmp_path)
    env.run(until=BREAKS_S)
    for name, value in change.items():
        setattr(made_up, name, value)
    with pytest.raises(DrillStopped, match=says) as stopped:
        env.run(until=BREAKS_S + 2 * CHECK_EVERY_S)
    assert stopped.value.condition == condition


def test_counters_that_stand_still_while_requests_go_through_end_the_drill(tmp_path: Path) -> None:
    env, made_up = supervised(tmp_path)
    made_up.counted_until_s = BREAKS_S
    with pytest.raises(
        DrillStopped, match=r"nothing was counted of checkout within 15 s, in which 1[45]\d requests"
    ) as stopped:
        env.run(until=35.0)
    assert stopped.value.condition == "observer-lost"
    assert BREAKS_S + 15.0 <= env.now <= BREAKS_S + 15.0 + 2 * CHECK_EVERY_S


def test_a_guardrail_on_times_that_nobody_measures_ends_the_drill(tmp_path: Path) -> None:
    env, _ = supervised(tmp_path, timed=False)
    with pytest.raises(DrillStopped, match=r"no time was measured of checkout within 15 s, .* on p95 watches"):
        env.run(until=35.0)


def test_a_service_without_requests_is_not_missed(tmp_path: Path) -> None:
    env, _ = supervised(tmp_path, counted_until_s=BREAKS_S, bad=lambda name, at_s: name == "checkout" and at_s >= 13.0)
    with pytest.raises(DrillStopped) as stopped:
        env.run(until=35.0)
    assert stopped.value.condition == "down-too-long"


def test_a_load_that_ends_in_time_is_not_lost(tmp_path: Path) -> None:
    env, made_up = supervised(tmp_path)
    env.run(until=35.6)
    made_up.running = False
    env.run(until=36.0)


@pytest.mark.parametrize(
    ("function", "condition", "says", "within_s"),
    [
        # 10 of browse's may fail: a second of them, and the next look.
        ("browse", "error-budget", "browse has 1[1-9] failed requests > 10 of its error budget", 2.0),
        # 3 s are allowed; that a cell was bad is known once its requests have ended.
        ("checkout", "down-too-long", "checkout has been down for 3.[0-9] s > 3 s allowed", 4.5),
    ],
)
def test_harm_beyond_what_is_allowed_ends_the_drill(
    tmp_path: Path, function: str, condition: str, says: str, within_s: float
) -> None:
    env, _ = supervised(tmp_path, bad=lambda name, sent_s: name == function and sent_s >= BREAKS_S)
    with pytest.raises(DrillStopped, match=says) as stopped:
        env.run(until=30.0)
    assert stopped.value.condition == condition
    assert BREAKS_S < env.now <= BREAKS_S + within_s


def test_a_release_does_not_start_on_a_sick_baseline(tmp_path: Path) -> None:
    env, _ = supervised(tmp_path, bad=lambda name, sent_s: name == "checkout" and 6.0 <= sent_s < 6.4)
    with pytest.raises(BaselineUnhealthy, match="checkout had"):
        env.run(until=10.0)


def test_health_is_known_once_requests_have_ended_or_timed_out() -> None:
    scenario, _ = load("shop-release")
    due_s = np.arange(400) / PER_S
    health = LiveHealth(scenario, edges_s(scenario), {"checkout": due_s, "browse": due_s})
    rows: list[list[Any]] = []
    for place, at_s in enumerate(due_s[:100]):
        rows.append([NAMES[0], place, "default", at_s, at_s, at_s + 0.01, 201, "ok", "2.3", "0", ""])
        if at_s < 9.0:
            rows.append([NAMES[1], place, "default", at_s, at_s, at_s + 0.01, 200, "ok", "1.0", "0", ""])
    health.add(RawSamples.from_rows(rows))
    known_s = {name: len(good) * 0.25 for name, good in health.windows(10.0).items()}
    assert known_s == {"checkout": 10.0, "browse": 9.0}
    # 2 s are the clients' patience: what is open then has timed out, or is not coming
    known_s = {name: len(good) * 0.25 for name, good in health.windows(11.75).items()}
    assert known_s == {"checkout": 10.0, "browse": 9.75}
