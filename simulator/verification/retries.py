"""Independent retries without queueing: requests fail with x**(r+1), load grows by (1 - x**(r+1)) / (1 - x)."""

from __future__ import annotations

import math

from simulator.kernel.plane import Defect
from simulator.layout import ARRIVED, ERROR
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification import closed_forms
from simulator.verification.agreement import Agreement, around, of_share
from simulator.verification.playing import EDGES_S, NO_TIME, PLENTY, ready
from simulator.verification.settings import Settings

__all__ = ["independent_retries"]

RETRIES = 3
_RATE_PER_S = 100.0
_CELLS = 2000


def _network() -> Network:
    return Network(
        (Station("caller", PLENTY, NO_TIME), Station("callee", PLENTY, Distribution(Kind.CONSTANT, 0.001))),
        (Call(CLIENT, 0), Call(0, 1, retries=RETRIES)),
        (Function("f", ((0.0, _RATE_PER_S),), Node(0, (Node(1),))),),
        1.0,
        _CELLS,
        EDGES_S,
    )


def independent_retries(settings: Settings) -> list[Agreement]:
    """Effective failure and load for three failure probabilities."""
    found = []
    for replication, x in enumerate((0.1, 0.5, 0.9)):
        network = _network()
        plane = ready(network, settings.seed, replication)
        plane.set_defects(1, 0, [Defect(error_ratio=x)])
        plane.run(network.horizon_s)
        client = plane.recording().client
        requests, failed = int(client[..., ARRIVED].sum()), int(client[..., ERROR].sum())
        attempts = int(plane.service_sum(1, None, 0, network.cells).sum())
        effective = closed_forms.retries_failed(x, RETRIES)
        error = math.sqrt(closed_forms.retries_load_variance(x, RETRIES) / requests)
        found.append(of_share(f"retries fail, x {x}: x^{RETRIES + 1}", effective, failed, requests))
        found.append(
            around(
                f"retries load, x {x}: (1-x^{RETRIES + 1})/(1-x)",
                closed_forms.retries_load(x, RETRIES),
                attempts / requests,
                error,
                f"a mean of {requests:,}",
            )
        )
    return found
