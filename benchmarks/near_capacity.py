"""Flows beside requests as a service nears its capacity: where means say little, and the caveat's border comes from.

Run: python -m benchmarks.near_capacity [--seeds 4] [--seconds 1190]

A caller with room for all calls a service of `WORKERS` workers a replica, of which a share of the capacity is asked
that goes from 0.8 to 1.1. Prints, as Markdown, the share of requests that fail at either fidelity, with its standard
error over the seeds.
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane
from simulator.network import CLIENT, UNBOUNDED, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.geomspace(1e-3, 10.0, 65)
WORKERS, MEAN_S = 8, 0.05
BUSY = (0.8, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1)


@dataclass(frozen=True, slots=True)
class Case:
    """A service and how it is called."""

    name: str
    replicas: int = 1
    queue: int = 64
    retries: int = 1
    backoff_s: float = 0.2
    timeout_s: float = 5.0


CASES = (
    Case("64 places, no retry", retries=0),
    Case("64 places, one retry after 0.2 s"),
    Case("64 places, three retries after 0.1 s", retries=3, backoff_s=0.1),
    Case("64 places, timeout 0.3 s, one retry after 0.1 s", backoff_s=0.1, timeout_s=0.3),
    Case("4 replicas of 64 places, one retry after 0.1 s", replicas=4, backoff_s=0.1),
    Case("2 replicas of 8 places, no retry", replicas=2, queue=8, retries=0),
    Case("2 replicas of 8 places, one retry after 0.1 s", replicas=2, queue=8, backoff_s=0.1),
    Case("2 replicas, no bound, timeout 0.5 s, no retry", replicas=2, queue=UNBOUNDED, retries=0, timeout_s=0.5),
    Case(
        "2 replicas, no bound, timeout 0.5 s, one retry after 0.1 s",
        replicas=2,
        queue=UNBOUNDED,
        backoff_s=0.1,
        timeout_s=0.5,
    ),
)


def network(case: Case, busy: float, seconds: float) -> Network:
    """The case, when so much of the service's capacity is asked."""
    service = Distribution(Kind.EXPONENTIAL, MEAN_S)
    stations = (
        Station("edge", 8192, Distribution(Kind.EXPONENTIAL, MEAN_S / 100.0)),
        Station("shop", WORKERS, service, queue=case.queue, replicas=(case.replicas,)),
    )
    calls = (
        Call(CLIENT, 0),
        Call(0, 1, timeout_s=case.timeout_s, retries=case.retries, backoff_s=case.backoff_s),
    )
    rate = busy * WORKERS * case.replicas / MEAN_S
    root = Node(0, (Node(1),))
    return Network(stations, calls, (Function("buy", ((0.0, rate),), root),), 1.0, math.ceil(seconds) + 10, EDGES_S)


def failed_share(plane: DataPlane | FluidPlane, seconds: float) -> float:
    """Share of the clients' requests that failed, of those that have an answer after so long."""
    for index, station in enumerate(plane.network.stations):
        plane.set_ready(index, 0, range(station.replicas[0]))
    plane.run(seconds)
    columns = plane.recording().client[:, 0, 0].sum(axis=0)
    return float(columns[1:4].sum() / columns[0])


def failed_shares(case: Case, busy: float, seconds: float, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """By requests and by flows, by seed."""
    made = network(case, busy, seconds)
    by_requests, by_flows = (
        np.array([failed_share(kind(made, seed), seconds) for seed in range(1, seeds + 1)])
        for kind in (DataPlane, FluidPlane)
    )
    return by_requests, by_flows


def _row(case: Case, fidelity: str, shares: list[np.ndarray]) -> str:
    cells = [f"{100 * each.mean():.3g} ± {100 * each.std(ddof=1) / math.sqrt(len(each)):.1g}" for each in shares]
    return f"| {case.name} | {fidelity} | {' | '.join(cells)} |"


def main() -> None:
    """Measure all cases and print them as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1190.0)
    options = parser.parse_args()
    print(f"| % that fail | by | {' | '.join(f'{busy:g}' for busy in BUSY)} |\n|{'---|' * (2 + len(BUSY))}")
    for case in CASES:
        found = [failed_shares(case, busy, options.seconds, options.seeds) for busy in BUSY]
        for place, fidelity in enumerate(("requests", "flows")):
            print(_row(case, fidelity, [each[place] for each in found]), flush=True)


if __name__ == "__main__":
    main()
