"""Availability of replicated services under random kills, and a published experiment.

Krasnovsky (arXiv 2506.11176) kills ceil(p N) of the N containers of DeathStarBench's Social Network, victims drawn
without replacement, and measures the share of requests that succeed. System, workload and kills are those of the
paper's public repository (a-a-k/socialnet-resilience): the dependency graph as Jaeger reported it, three replicas of
five services or one of each, 60 % home-timeline, 30 % user-timeline, 10 % compose-post. A request succeeds when every
service that its endpoint needs has a replica left; the probability of that is exact (`closed_forms.all_survive`).
The repository changed over time: taken are the endpoints' needs of the version that rounds kills up, as the paper does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, FIRST_BIN
from simulator.network import CLIENT, Call, Function, Network, Node, Station
from simulator.verification import closed_forms
from simulator.verification.agreement import STANDARD_ERRORS, Agreement, around
from simulator.verification.playing import NO_TIME, PLENTY, ready
from simulator.verification.settings import Settings

__all__ = ["exact_availability", "published_experiment", "random_kills"]

SERVICES = (
    "nginx", "home-timeline", "user-timeline", "compose-post", "post-storage", "social-graph",
    "unique-id", "media", "user", "text", "url-shorten", "user-mention",
)  # fmt: skip
SCALED = ("compose-post", "home-timeline", "user-timeline", "text", "media")
NEEDED: dict[str, tuple[float, tuple[str, ...]]] = {
    "home-timeline": (0.6, ("nginx", "home-timeline", "post-storage", "social-graph")),
    "user-timeline": (0.3, ("nginx", "user-timeline", "post-storage")),
    "compose-post": (0.1, SERVICES),
}
"""Share of the requests, and the services that must answer, by endpoint."""

KILLED = 0.3
PUBLISHED_LIVE = {1: 0.186, 3: 0.305}
PUBLISHED_MODEL = {1: 0.160, 3: 0.3044}
"""Share of requests that succeed, by replicas of the scaled services."""
_ROUNDING = {1: 0.0005, 3: 0.0005}
"""Half a unit of the last digit given: 0.160, and 0.305 for the live system."""

_ROUNDS_PER_REPETITION = 10
_RATE_PER_S = 20.0  # a round lasts 1 s
_SPAWN_KEY = 2000  # who is killed; far from the keys of simulator.draws and simulator.streams


def _replicas(scaled: int) -> list[int]:
    return [scaled if name in SCALED else 1 for name in SERVICES]


def _network(scaled: int, rounds: int) -> Network:
    stations = tuple(
        Station(name, PLENTY, NO_TIME, replicas=(count,))
        for name, count in zip(SERVICES, _replicas(scaled), strict=True)
    )
    calls = [Call(CLIENT, 0)]

    def call(caller: str, callee: str, *below: Node) -> Node:
        calls.append(Call(SERVICES.index(caller), SERVICES.index(callee)))
        return Node(len(calls) - 1, below)

    home, user, compose = "home-timeline", "user-timeline", "compose-post"
    text = call(compose, "text", call("text", "url-shorten"), call("text", "user-mention"))
    others = [call(compose, name) for name in ("unique-id", "media", "user", "post-storage", user)]
    fan_out = call(compose, home, call(home, "social-graph"))
    entries = {
        home: call("nginx", home, call(home, "social-graph"), call(home, "post-storage")),
        user: call("nginx", user, call(user, "post-storage")),
        compose: call("nginx", compose, text, *others, fan_out),
    }
    functions = tuple(
        Function(name, ((0.0, _RATE_PER_S * share),), Node(0, (entries[name],))) for name, (share, _) in NEEDED.items()
    )
    return Network(stations, tuple(calls), functions, 1.0, rounds, np.array([1.0]))


def _expected(scaled: int, survive: Callable[[list[int]], float]) -> float:
    by_name = dict(zip(SERVICES, _replicas(scaled), strict=True))
    return sum(share * survive([by_name[name] for name in names]) for share, names in NEEDED.values())


def exact_availability(scaled: int) -> float:
    """Share of requests that succeed after ceil(KILLED N) kills without replacement."""
    total = sum(_replicas(scaled))
    return _expected(
        scaled, lambda needed: closed_forms.all_survive(needed, total - sum(needed), math.ceil(KILLED * total))
    )


Victims = Callable[[np.random.Generator, int], Sequence[int] | NDArray[np.int64]]
"""Which of so many containers die in a round."""


def _fixed_number(rng: np.random.Generator, containers: int) -> NDArray[np.int64]:
    return rng.choice(containers, math.ceil(KILLED * containers), replace=False)


def _each_by_itself(rng: np.random.Generator, containers: int) -> NDArray[np.int64]:
    return np.flatnonzero(rng.random(containers) < KILLED)


def _played(settings: Settings, scaled: int, victims: Victims) -> tuple[float, float]:
    """Share of requests that succeed over all rounds, and its standard error (a ratio of sums over rounds)."""
    rounds = settings.repetitions * _ROUNDS_PER_REPETITION
    network = _network(scaled, rounds)
    plane = ready(network, settings.seed)
    containers = [(station, replica) for station, count in enumerate(_replicas(scaled)) for replica in range(count)]
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(_SPAWN_KEY, scaled)))
    for each in range(rounds):
        killed = [containers[index] for index in victims(rng, len(containers))]
        for station, replica in killed:
            plane.kill(station, 0, replica)
        plane.run(float(each + 1))
        _revive(plane, {station for station, _ in killed})
    by_round = plane.recording().client.sum(axis=(1, 2), dtype=np.int64)
    arrived, succeeded = by_round[:, ARRIVED], by_round[:, FIRST_BIN:].sum(axis=1)
    share = float(succeeded.sum() / arrived.sum())
    residuals = succeeded - share * arrived
    return share, float(residuals.std(ddof=1)) / (math.sqrt(rounds) * float(arrived.mean()))


def _revive(plane: DataPlane, stations: set[int]) -> None:
    for station in stations:
        plane.set_ready(station, 0, range(plane.network.stations[station].replicas[0]))


def random_kills(settings: Settings) -> list[Agreement]:
    """Each replica dead with probability 0.3 by itself: 1 - 0.3**replicas a service, multiplied over those needed."""
    found = []
    for scaled in (1, 3):
        theory = _expected(scaled, lambda needed: closed_forms.all_survive_independent(needed, KILLED))
        share, error = _played(settings, scaled, _each_by_itself)
        rounds = f"{settings.repetitions * _ROUNDS_PER_REPETITION:,} rounds"
        found.append(around(f"availability, kills by {KILLED}, {_named(scaled)}", theory, share, error, rounds))
    return found


def published_experiment(settings: Settings) -> list[Agreement]:
    """The exact share after ceil(p N) kills, and the published figures, without granting those any error of theirs."""
    found = []
    rounds = f"{settings.repetitions * _ROUNDS_PER_REPETITION:,} rounds"
    for scaled in (1, 3):
        share, error = _played(settings, scaled, _fixed_number)
        theory = exact_availability(scaled)
        found.append(around(f"availability, ceil(0.3 N) kills, {_named(scaled)}", theory, share, error, rounds))
        found.append(_published("model", PUBLISHED_MODEL[scaled], scaled, share, error, rounds))
        if scaled > 1:
            found.append(_published("live system", PUBLISHED_LIVE[scaled], scaled, share, error, rounds))
    return found


def _published(what: str, value: float, scaled: int, share: float, error: float, rounds: str) -> Agreement:
    half = STANDARD_ERRORS * error + _ROUNDING[scaled]
    basis = f"{STANDARD_ERRORS:g} standard errors of {rounds}, and the rounding of what was published"
    note = "" if scaled > 1 else f"live {PUBLISHED_LIVE[1]}: the paper's own model misses it, and so does this one"
    return Agreement(f"published {what}, {_named(scaled)}", value, share, value - half, value + half, basis, note=note)


def _named(scaled: int) -> str:
    return "no replication" if scaled == 1 else f"{scaled} replicas"
