"""Whatever is ordered, killed and lost: never more replicas than ordered, none in a lost zone, all back in the end."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from scenarios.models import Distribution, Probe
from simulator.environment import SimulationEnvironment
from simulator.kernel.plane import DataPlane
from simulator.tended_fleet import Care, TendedFleet
from tests.unit.test_simulator_tended_fleet import network

ACTIONS = some.one_of(
    some.tuples(some.just("deploy"), some.integers(0, 2)),
    some.tuples(some.just("order"), some.integers(0, 2)),
    some.tuples(some.just("kill"), some.just(0)),
    some.tuples(some.just("lose"), some.integers(0, 2)),
    some.tuples(some.just("regain"), some.integers(0, 2)),
    some.tuples(some.just("wait"), some.integers(1, 40)),
)


def do(fleet: TendedFleet, env: SimulationEnvironment, action: str, value: int) -> None:
    if action == "deploy":
        fleet.deploy(value)
    elif action == "order":
        fleet.order(value)
    elif action == "kill":
        if fleet.ready:
            fleet.kill()
    elif action == "lose":
        fleet.lose_zone(value)
    elif action == "regain":
        fleet.regain_zone(value)
    else:
        env.run(until=env.now + value)


@settings(max_examples=60)
@given(some.lists(ACTIONS, max_size=25), some.sampled_from([0.0, 0.5]), some.booleans())
def test_fleets_keep_their_word(actions: list[tuple[str, int]], crash_ratio: float, probed: bool) -> None:
    probe = Probe.model_validate({"period": "2s"}) if probed else None
    startup = Distribution.model_validate({"uniform": {"low": "1s", "high": "5s"}})
    care = Care(startup, readiness=probe, liveness=probe, crash_ratio=crash_ratio, zones=3)
    env = SimulationEnvironment(DataPlane(network(rate_per_s=5.0), seed=1))
    fleet = TendedFleet(env, 0, 0, 6, care, 2, np.random.default_rng, lambda _what, _number: None)
    env.run(until=1)
    lost: set[int] = set()
    for action, value in actions:
        do(fleet, env, action, value)
        lost = lost | {value} if action == "lose" else lost - {value} if action == "regain" else lost
        env.run(until=env.now + 0.25)
        assert len(fleet.ready) <= fleet.ordered
        assert not any(number % 3 in lost for number in fleet.ready)
        row = env.plane.state.versions[0]
        assert set(env.plane.state.ready[: row["ready_n"]].tolist()) == fleet.ready
    back = [fleet.regain_zone(zone) for zone in range(3)]
    env.run(until=env.now + 2500)
    assert len(fleet.ready) == fleet.ordered or crash_ratio > 0
    assert all(event.triggered for event in back) or crash_ratio > 0
