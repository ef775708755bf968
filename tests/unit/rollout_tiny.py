"""A world in memory for the tests of the controller: every verb takes a set time, and everything is written down."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import simpy
from ruamel.yaml import YAML

from rollout.controller import Controller
from rollout.errors import WorldError
from rollout.world import Observation
from scenarios.loading import load_text
from scenarios.models import Fault, Scenario, Worse

EDGES_S = np.array([0.1, 0.2, 0.4, 0.8])

BASE: dict[str, Any] = {
    "schema": "windtunnel/v1",
    "name": "tiny",
    "sources": ["made up for a test"],
    "duration": "200s",
    "measure": {"resolution": "1s", "window": "1s"},
    "system": {
        "services": {"web": {"replicas": 4, "service_time": "10ms"}, "bank": {"external": True, "service_time": "1ms"}},
        "calls": [{"from": "web", "to": "bank"}],
    },
    "functions": {"buy": {"path": ["web"], "rate": "10/s", "rto": "1m", "rpo": "0s", "good": {"success": ">= 99%"}}},
    "release": {
        "at": "10s",
        "changes": [{"service": "web", "from": "v1", "to": "v2"}],
        "strategy": {"canary": {"steps": [{"weight": "25%"}, {"bake": "20s"}]}},
    },
}


def data(**release: Any) -> dict[str, Any]:
    """Plain data of the tiny scenario, its release changed by `release`."""
    changed = copy.deepcopy(BASE)
    changed["release"].update(release)
    return changed


def scenario_of(plain: Mapping[str, Any]) -> Scenario:
    """The scenario of plain data, by way of its text."""
    from io import StringIO

    stream = StringIO()
    YAML(typ="safe", pure=True).dump(dict(plain), stream)
    return load_text(stream.getvalue(), "tiny.yaml")


def observation(requests: int, errors: int = 0, slow: int = 0) -> Observation:
    """`errors` failed, `slow` answers in (0.4, 0.8] s, the others in (0.1, 0.2] s."""
    histogram = np.zeros(len(EDGES_S) + 1, dtype=np.int64)
    histogram[1], histogram[3] = requests - errors - slow, slow
    return Observation(requests, errors, histogram)


class TinyWorld:
    """Deploys take 2 s, routes 1 s, faults nothing; `fails` names the calls that fail, `sees` what is observed when.

    `sees_within` is what is observed over a window of so many seconds, where that is something else.
    """

    def __init__(self, replicas: int = 4) -> None:
        self.env = simpy.Environment()
        self.edges_s = EDGES_S
        self.replicas: dict[str, int] = {"v1": replicas}
        self.weights: dict[str, float] = {"v1": 1.0}
        self.log: list[tuple[float, str]] = []
        self.events: list[tuple[float, str, str, dict[str, object]]] = []
        self.fails: set[str] = set()
        self.sees: Callable[[float], Observation] = lambda _now: observation(0)
        self.sees_within: dict[float, Callable[[float], Observation]] = {}
        self.listeners: list[Callable[[str], None]] = []
        self.failures: Callable[[float], int] = lambda _now: 0
        self.observed: list[tuple[float, str, str | None, float]] = []

    def _act(self, call: str, takes_s: float, effect: Callable[[], object]) -> simpy.Event:
        def process() -> Any:
            yield self.env.timeout(takes_s)
            if call in self.fails:
                self.log.append((self.env.now, f"{call} failed"))
                raise WorldError(f"{call} refused")
            self.log.append((self.env.now, call))
            return effect()

        return self.env.process(process())

    def deploy(self, service: str, version: str, replicas: int, zones: Sequence[str] = ()) -> simpy.Event:
        call = " ".join(["deploy", version, str(replicas), *zones])
        return self._act(call, 2.0, lambda: self.replicas.update({version: replicas}))

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> simpy.Event:
        share = list(weights.values())[-1]  # of the new version
        assert abs(sum(weights.values()) - 1.0) < 1e-12
        return self._act(
            " ".join(["route", f"{share:.4g}", *(cohorts or {})]), 1.0, lambda: self.weights.update(weights)
        )

    def mirror(self, service: str, version: str, share: float) -> simpy.Event:
        return self._act(f"mirror {share:.4g}", 1.0, lambda: None)

    def flag(self, service: str, share: float, cohorts: Sequence[str], within_s: float) -> simpy.Event:
        return self._act(" ".join(["flag", f"{share:.4g}", *cohorts]), within_s, lambda: None)

    def observe(self, service: str, version: str | None, window_s: float) -> simpy.Event:
        self.observed.append((self.env.now, service, version, window_s))
        event = self.env.event()
        if "observe" in self.fails:
            return event.fail(WorldError("no metrics"))
        return event.succeed(self.sees_within.get(window_s, self.sees)(self.env.now))

    def procedure(self, service: str, old: str, new: str) -> simpy.Event:
        return self._act(f"procedure {service} {new} to {old}", 1.0, lambda: None)

    def inject(self, fault: Fault) -> simpy.Event:
        return self._act(f"inject {fault.kind}", 0.5, lambda: None)

    def heal(self, fault: Fault) -> simpy.Event:
        return self._act(f"heal {fault.kind}", 0.5, lambda: None)

    def worsen(self, service: str, version: str, worse: Worse | None) -> simpy.Event:
        return self._act(f"{'mend' if worse is None else 'worsen'} {version}", 0.0, lambda: None)

    def verify(self, dark: Collection[str] = ()) -> simpy.Event:
        return self._act(
            " ".join(["verify", *dark]), 0.0, lambda: ["web: weights differ"] if "differ" in self.fails else []
        )

    def record(self, kind: str, subject: str, /, **detail: object) -> None:
        self.events.append((self.env.now, kind, subject, detail))
        for hear in self.listeners:
            hear(kind)

    def listen(self, hear: Callable[[str], None]) -> None:
        self.listeners.append(hear)

    def failed(self, function: str) -> int:
        return self.failures(self.env.now)

    def kinds(self, *hidden: str) -> list[tuple[float, str]]:
        """Time and kind of the recorded events, without the kinds `hidden`."""
        return [(time_s, kind) for time_s, kind, _, _ in self.events if kind not in hidden]

    def detail(self, kind: str) -> list[dict[str, object]]:
        """Details of the events of a kind, in order."""
        return [detail for _, each, _, detail in self.events if each == kind]


def play(
    world: TinyWorld,
    scenario: Scenario,
    until_s: float = 200.0,
    abort_at_s: float | None = None,
    defects: Sequence[str] = (),
) -> Controller:
    """Run the scenario's release in the world; abort it at a time, if one is given."""
    controller = Controller(world, scenario, scenario.release.strategy, defects, np.random.default_rng(1))
    controller.start()
    if abort_at_s is not None:
        world.env.timeout(abort_at_s).callbacks.append(lambda _: controller.abort("operator"))
    world.env.run(until=until_s)
    return controller
