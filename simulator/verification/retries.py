"""Independent retries without queueing: requests fail with x**(r+1), load grows by (1 - x**(r+1)) / (1 - x).

And how long it takes until the last is given up, where the callee never answers in time: all timeouts and waits.
"""

from __future__ import annotations

import math

from simulator.kernel.plane import Defect
from simulator.layout import ARRIVED, ERROR
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification import closed_forms
from simulator.verification.agreement import Agreement, around, exactly, of_share
from simulator.verification.playing import EDGES_S, NO_TIME, PLENTY, ready
from simulator.verification.settings import Settings

__all__ = ["independent_retries"]

RETRIES = 3
_RATE_PER_S = 100.0
_CELLS = 2000
_TIMEOUT_S, _BACKOFF_S = 0.1, 0.2
_ROUNDING = 1e-9
"""Of a mean of differences of moments, relative."""


def _network() -> Network:
    return Network(
        (Station("caller", PLENTY, NO_TIME), Station("callee", PLENTY, Distribution(Kind.CONSTANT, 0.001))),
        (Call(CLIENT, 0), Call(0, 1, retries=RETRIES, writes=True)),
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
        begun, logged = int(plane.state.stations[1]["entered"]), len(plane.recording().writes)
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
        found.append(exactly(f"retries write, x {x}: one row an attempt", begun, logged))
    return [*found, *(_time_taken(settings, jitter) for jitter in (False, True))]


def _time_taken(settings: Settings, jitter: bool) -> Agreement:
    """Of calls whose attempts all time out. None is under way at the end: the load stops long before."""
    call = Call(0, 1, _TIMEOUT_S, RETRIES, _BACKOFF_S, jitter)
    network = Network(
        (Station("caller", PLENTY, NO_TIME), Station("callee", PLENTY, Distribution(Kind.CONSTANT, 2 * _TIMEOUT_S))),
        (Call(CLIENT, 0), call),
        (Function("f", ((0.0, _RATE_PER_S), (_CELLS / 2, 0.0)), Node(0, (Node(1),))),),
        1.0,
        _CELLS,
        EDGES_S,
    )
    plane = ready(network, settings.seed)
    plane.run(network.horizon_s)
    caller = plane.state.stations[0]
    assert caller["entered"] == caller["left"], "every request must have come to its end"
    theory_s = closed_forms.retries_take_s(_TIMEOUT_S, _BACKOFF_S, RETRIES, 0.5 if jitter else 1.0)
    requests = int(caller["left"])
    observed_s = float(caller["balance_s"]) / requests
    case = f"retries time out, {'' if jitter else 'no '}jitter: time taken"
    if not jitter:
        return around(case, theory_s, observed_s, _ROUNDING * theory_s, "rounding", "s")
    error_s = math.sqrt(closed_forms.retries_take_variance(_BACKOFF_S, RETRIES) / requests)
    return around(case, theory_s, observed_s, error_s, f"a mean of {requests:,}", "s")
