"""What the features of the data plane cost: the chain of `benchmarks.peers` plain, and with each of them in use.

Run: python -m benchmarks.features [--requests 200000] [--rounds 5]

A feature that nobody uses must cost nothing: the plain chain is the same system as before there were any. It is played
by the lean kernel, and once more by the full one, which knows every feature: what all of them cost while unused. Each
figure is the least processor time of the rounds, taken in turn, so that what else the machine does weighs on all alike.
A feature in use changes the system too (retries that are not made cost nothing, two versions have twice the workers),
so ratios below 1 are no mistake. A cut is not among them: it leaves nothing to time.
`first_use_s` is the processor time of compiling each kernel, in a process of its own with an empty cache.

Where valgrind is installed, the same runs are counted by it, a fifth as long: instructions per request, which nothing
else moves (`benchmarks.instructions`).

The kernel as it was before the first feature (commit b1a8ddc) is measured by `benchmarks.against`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.instructions import instructions, missing
from benchmarks.queues_kernel import exponential, network
from simulator.kernel.plane import DataPlane, Defect
from simulator.network import (
    CLIENT,
    Balancing,
    Breaker,
    Call,
    Ejection,
    Network,
    Node,
    Quota,
    RetryBudget,
    Station,
)

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 600.0
RATE = 100.0
WARM = 0.2
UNUSED = "full kernel, nothing in use"
_COMPILE = """
import time
from simulator.kernel import loop
begun = time.process_time()
loop.kernel(mechanics={})
print(time.process_time() - begun)
"""
_COUNT = """
from benchmarks.features import runs
for run in runs({}):
    count(run)
"""
STATIONS = (
    Station("gateway", 4, exponential(0.020), holds_worker=False),
    Station("api", 10, exponential(0.250), holds_worker=False, replicas=(4, 4)),
    Station("db", 16, exponential(0.100), holds_worker=False),
)
CALLS = (Call(CLIENT, 0), Call(0, 1, timeout_s=1.0, retries=2), Call(1, 2))


def chain(requests: int, station: dict[str, Any] | None = None, call: dict[str, Any] | None = None) -> Network:
    """Gateway, api of four replicas, db; `station` is said of the api besides, `call` of the call to it."""
    stations = (STATIONS[0], replace(STATIONS[1], **(station or {})), STATIONS[2])
    calls = (CALLS[0], replace(CALLS[1], **(call or {})), CALLS[2])
    return network(stations, calls, RATE, requests)


def started(net: Network, seed: int) -> DataPlane:
    """A plane whose replicas are all ready."""
    plane = DataPlane(net, seed)
    for index, station in enumerate(net.stations):
        for version, replicas in enumerate(station.replicas):
            plane.set_ready(index, version, range(replicas))
    return plane


def parallel(requests: int) -> Network:
    """The gateway calls both others at the same time."""
    net = chain(requests)
    calls = (CALLS[0], CALLS[1], Call(0, 2, parallel=True))
    return replace(net, calls=calls, functions=(replace(net.functions[0], root=Node(0, (Node(1), Node(2)))),))


def cohorts(requests: int) -> Network:
    """One request in five is of a second cohort."""
    net = chain(requests)
    return replace(net, cohorts=2, functions=(replace(net.functions[0], cohort_shares=(0.8, 0.2)),))


def systems(requests: int) -> dict[str, tuple[Network, Callable[[DataPlane], None]]]:
    """The plain chain first; each with what is done to its plane before it starts."""
    plain = chain(requests)
    in_network = {
        "least-request": chain(requests, {"balancing": Balancing.LEAST_REQUEST}),
        "random-of-two": chain(requests, {"balancing": Balancing.RANDOM_OF_TWO}),
        "ejection": chain(requests, {"ejection": Ejection(5, 30.0, 0.5)}),
        "shedding": chain(requests, {"shed_s": 0.5}),
        "quota": chain(requests, {"quota": Quota(200.0, 100.0)}),
        "backoff with jitter": chain(requests, call={"backoff_s": 0.05, "jitter": True}),
        "retry budget": chain(requests, call={"budget": RetryBudget(0.2, 10.0)}),
        "breaker": chain(requests, call={"breaker": Breaker(0.5, 10.0, 20, 30.0, 3)}),
        "cancel": chain(requests, call={"cancel": True}),
        "writes": chain(requests, call={"writes": True}),
        "parallel calls": parallel(requests),
        "two cohorts": cohorts(requests),
    }
    on_plane: dict[str, Callable[[DataPlane], None]] = {
        UNUSED: lambda plane: plane.set_mirror(1, 1, 0.0),  # is enough for the full kernel to play
        "mirror 10 %": lambda plane: plane.set_mirror(1, 1, 0.1),
        "two versions, half each": lambda plane: plane.set_weights(1, (0.5, 0.5)),
        "defect with 1 % errors": lambda plane: plane.set_defects(1, 0, [Defect(error_ratio=0.01)]),
        "injected errors, 1 %": lambda plane: plane.set_error_share(1, 0.01),
        "injected latency": lambda plane: plane.set_latency(1, 0.005, 0.005),
        "1 % misunderstood": lambda plane: plane.set_contract(0, 0, 1, 0, 0.01),
    }
    shared = chain(requests, {"replicas": (4, 0), "shares": (0, 0)})
    return {
        "plain": (plain, _nothing),
        **{name: (net, _nothing) for name, net in in_network.items()},
        **{name: (plain, act) for name, act in on_plane.items()},
        "versions that share replicas": (shared, on_plane["two versions, half each"]),
    }


def _nothing(_: DataPlane) -> None:
    pass


def seconds(net: Network, act: Callable[[DataPlane], None], seed: int) -> float:
    """Processor time of one run, the building of its tables included."""
    begun = time.process_time()
    plane = started(net, seed)
    act(plane)
    plane.run(net.horizon_s)
    return time.process_time() - begun


def first_use_s(*, mechanics: bool) -> float:
    """Processor time of compiling a kernel that no cache has."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", _COMPILE.format(mechanics)],
            cwd=ROOT,
            env={**os.environ, "NUMBA_CACHE_DIR": cache},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    return round(float(done.stdout), 1)


def measure(requests: int, rounds: int) -> dict[str, dict[str, float]]:
    """Of each system the least time, and how many times that of the plain chain it is."""
    for net, act in systems(1000).values():  # loads both kernels
        seconds(net, act, 0)
    played = systems(requests)
    least = dict.fromkeys(played, float("inf"))
    for _ in range(rounds):
        for name, (net, act) in played.items():
            least[name] = min(least[name], seconds(net, act, 1))
    return {
        name: {"requests_per_s": round(requests / value), "times_plain": round(value / least["plain"], 3)}
        for name, value in least.items()
    }


def runs(requests: int) -> Iterator[Callable[[], object]]:
    """Of each system two runs: of nothing, which tells what being called takes, and of most of its requests."""
    for net, act in systems(1000).values():  # loads both kernels
        seconds(net, act, 0)
    for net, act in systems(requests).values():
        plane = started(net, 1)
        act(plane)
        plane.run(WARM * net.horizon_s)  # its tables have grown
        for until_s in (plane.now_s, net.horizon_s):
            yield partial(plane.run, until_s)


def counted(requests: int) -> dict[str, dict[str, float]]:
    """Of each system the instructions per request, and how many times those of the plain chain they are."""
    counts = instructions(_COUNT.format(requests), ROOT)
    idle, busy = counts[::2], counts[1::2]
    each = {
        name: (all_of_it - called) / (requests * (1 - WARM))
        for name, called, all_of_it in zip(systems(requests), idle, busy, strict=True)
    }
    return {
        name: {"instructions_per_request": round(value), "times_plain": round(value / each["plain"], 3)}
        for name, value in each.items()
    }


def main() -> None:
    """Measure all and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    document = {
        "chain": measure(options.requests, options.rounds),
        "counted": missing() or counted(options.requests // 5),
        "first_use_s": {"lean": first_use_s(mechanics=False), "full": first_use_s(mechanics=True)},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
