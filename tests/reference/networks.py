"""Networks with every feature, drawn by Hypothesis, and control changes to make on the way."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from simulator.kernel.plane import DataPlane, Defect
from simulator.network import (
    CLIENT,
    Balancing,
    Breaker,
    Call,
    Distribution,
    Ejection,
    Function,
    Kind,
    Network,
    Node,
    Quota,
    RetryBudget,
    Station,
)
from tests.reference.naive import Naive

EDGES_S = np.unique(np.concatenate([np.geomspace(1e-3, 10.0, 33), [0.25, 1.0]]))
RATES = (((0.0, 8.0),), ((0.0, 5.0), (1.0, 0.0), (2.0, 12.0)), ((0.0, 4.0), (3.0, 0.0)))
BREAKERS = (Breaker(0.5, 1.0, 2, 0.5, 2), Breaker(1.0, 0.5, 1, 0.25))
Change = Callable[[Any], None]

_seconds = st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.25])


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    kind = draw(st.sampled_from(list(Kind)))
    mean = draw(st.sampled_from([0.02, 0.1, 0.25]))
    if kind is Kind.LOGNORMAL:
        return Distribution(kind, math.log(mean), draw(st.sampled_from([0.0, 0.5, 2.0])))
    if kind is Kind.UNIFORM:
        return Distribution(kind, 0.0, 2 * mean)
    return Distribution(kind, mean)


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    """Versions with replicas of their own, or one more that shares those of another."""
    own = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))
    if not draw(st.booleans()):
        return {"replicas": own}
    return {"replicas": (*own, 0), "shares": (*range(len(own)), draw(st.integers(0, len(own) - 1)))}


@st.composite
def mechanics(draw: st.DrawFn) -> dict[str, Any]:
    """What stations have beyond plain ones, mostly nothing."""
    return {
        "balancing": draw(st.sampled_from([Balancing.ROUND_ROBIN, *Balancing])),
        "ejection": draw(st.sampled_from([None, None, Ejection(1, 0.5), Ejection(2, 1.0, 0.5)])),
        "shed_s": draw(st.sampled_from([math.inf, math.inf, 0.1])),
        "quota": draw(st.sampled_from([None, None, Quota(4.0, 2.0)])),
    }


@st.composite
def call_mechanics(draw: st.DrawFn) -> dict[str, Any]:
    """What calls have beyond plain ones."""
    return {
        "budget": draw(st.sampled_from([None, None, RetryBudget(0.2), RetryBudget(0.5, 0.1)])),
        "breaker": draw(st.sampled_from([None, None, *BREAKERS])),
        "cancel": draw(st.booleans()),
        "parallel": draw(st.booleans()),
    }


@st.composite
def networks(draw: st.DrawFn, plain: bool = False) -> Network:
    """Networks of every kind, or those that the lean kernel plays."""
    count = draw(st.integers(1, 4))
    stations = tuple(
        Station(
            name=f"station-{index}",
            workers=draw(st.integers(1, 3)),
            service=draw(distributions()),
            queue=draw(st.sampled_from([-1, 0, 2])),
            holds_worker=draw(st.booleans()),
            **draw(fleets()),
            **({} if plain else draw(mechanics())),
        )
        for index in range(count)
    )
    calls = [Call(CLIENT, 0)]
    below: dict[int, list[int]] = {index: [] for index in range(count)}
    for callee in range(1, count):
        for caller in draw(st.lists(st.integers(0, callee - 1), min_size=1, max_size=2, unique=True)):
            below[caller].append(len(calls))
            calls.append(
                Call(
                    caller,
                    callee,
                    timeout_s=draw(st.sampled_from([math.inf, 0.05, 0.2])),
                    retries=draw(st.integers(0, 2)),
                    backoff_s=draw(st.sampled_from([0.0, 0.0, 0.03])),
                    jitter=draw(st.booleans()),
                    writes=draw(st.booleans()),
                    **({} if plain else draw(call_mechanics())),
                )
            )

    def tree(call: int) -> Node:
        return Node(call, tuple(tree(child) for child in below[calls[call].callee]))

    cohorts = draw(st.integers(1, 2))
    functions = tuple(
        Function(
            name=f"function-{index}",
            rates=draw(st.sampled_from(RATES)),
            root=tree(0) if index == 0 else Node(0),
            timeout_s=draw(st.sampled_from([math.inf, 0.1, 0.4])),
            cohort_shares=draw(st.sampled_from([None, (0.25, 0.75)])) if cohorts == 2 else None,
        )
        for index in range(draw(st.integers(1, 2)))
    )  # fmt: skip
    return Network(stations, tuple(calls), functions, 0.25, 24, EDGES_S, cohorts)


@st.composite
def changes(draw: st.DrawFn, network: Network) -> Change:
    station = draw(st.integers(0, len(network.stations) - 1))
    call = draw(st.integers(0, len(network.calls) - 1))
    versions = network.stations[station].replicas
    version = draw(st.integers(0, len(versions) - 1))
    owner = (network.stations[station].shares or range(len(versions)))[version]
    replica = draw(st.integers(0, versions[owner] - 1))
    other = draw(st.integers(0, len(network.stations) - 1))
    other_version = draw(st.integers(0, len(network.stations[other].replicas) - 1))
    cohort = draw(st.sampled_from([None, *range(network.cohorts)]))
    function = draw(st.integers(0, len(network.functions) - 1))
    factor = draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    ratio = draw(st.sampled_from([0.0, 0.3, 1.0]))
    defect = Defect(
        error_ratio=ratio,
        latency_factor=draw(st.sampled_from([1.0, 2.5])),
        latency_add_s=draw(_seconds),
        lost_write_ratio=draw(st.sampled_from([0.0, 0.5])),
        cohort=draw(st.integers(-1, network.cohorts - 1)),
    )
    latency_s, jitter_s, on = draw(_seconds), draw(_seconds), draw(st.booleans())
    shares = [draw(st.sampled_from([0, 0, 3, 7])) for _ in versions]
    shares[version] += 1
    weights = [share / sum(shares) for share in shares]
    return draw(
        st.sampled_from(
            [
                lambda world: world.set_latency(call, latency_s, jitter_s),
                lambda world: world.set_cut(call, on),
                lambda world: world.kill(station, owner, replica),
                lambda world: world.set_ready(station, owner, range(replica + 1)),
                lambda world: world.set_error_share(station, ratio),
                lambda world: world.set_weights(station, weights, cohort),
                lambda world: world.set_contract(station, version, other, other_version, ratio),
                lambda world: world.set_mirror(station, version, ratio),
                lambda world: world.set_rate_factor(function, factor),
                lambda world: world.set_defects(station, version, [defect, Defect(error_ratio=0.1)] if on else []),
            ]
        )
    )


@st.composite
def plays(draw: st.DrawFn, plain: bool = False) -> tuple[Network, int, list[tuple[float, list[Change]]]]:
    """A network, a seed, and changes at rising times."""
    network = draw(networks(plain))
    times = draw(st.lists(st.sampled_from([0.5, 1.25, 2.0, 3.1, 4.0]), max_size=4, unique=True))
    plan = [(time, draw(st.lists(changes(network), min_size=1, max_size=3))) for time in sorted(times)]
    return network, draw(st.integers(0, 2**32)), plan


def everything_ready(network: Network, world: DataPlane | Naive) -> None:
    """All replicas of all versions take jobs."""
    for index, station in enumerate(network.stations):
        for version, count in enumerate(station.replicas):
            world.set_ready(index, version, range(count))
