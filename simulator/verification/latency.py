"""How long calls take that are made longer: by an injected latency, with and without jitter, and by a defect.

Nobody waits for a worker, so a request is at its caller for as long as its call takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ARRIVED, FIRST_BIN
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification.agreement import Agreement, around, exactly
from simulator.verification.playing import NO_TIME, PLENTY, ready
from simulator.verification.settings import Settings

__all__ = ["longer_calls"]

WORK_S, LATENCY_S, JITTER_S = 0.01, 0.05, 0.04
FACTOR, ADDED_S = 1.5, 0.02
_RATE_PER_S, _CELLS = 100.0, 1000
_ROUNDING = 1e-9
"""Of a mean of differences of moments, relative."""


def longer_calls(settings: Settings) -> list[Agreement]:
    """Mean times of calls, and of the client's requests, whose time is known."""

    def inject(plane: DataPlane) -> None:
        plane.set_latency(1, LATENCY_S)

    def inject_jitter(plane: DataPlane) -> None:
        plane.set_latency(1, LATENCY_S, JITTER_S)

    def slow_down(plane: DataPlane) -> None:
        plane.set_defects(1, 0, [Defect(latency_factor=FACTOR, latency_add_s=ADDED_S)])

    return [
        _time_taken(settings, "an injected latency", WORK_S + LATENCY_S, inject),
        _time_taken(settings, "an injected latency with jitter", WORK_S + LATENCY_S, inject_jitter, JITTER_S),
        _time_taken(settings, "a defect's factor and addition", FACTOR * WORK_S + ADDED_S, slow_down),
        _clients(settings),
    ]


def _network() -> Network:
    """The load stops long before the end, so that every request has come to its own."""
    return Network(
        (Station("caller", PLENTY, NO_TIME), Station("callee", PLENTY, Distribution(Kind.CONSTANT, WORK_S))),
        (Call(CLIENT, 0), Call(0, 1)),
        (Function("f", ((0.0, _RATE_PER_S), (_CELLS - 10, 0.0)), Node(0, (Node(1),))),),
        1.0,
        _CELLS,
        np.array([(1 - _ROUNDING) * (WORK_S + LATENCY_S), (1 + _ROUNDING) * (WORK_S + LATENCY_S)]),
    )


def _time_taken(
    settings: Settings, what: str, least_s: float, slow: Callable[[DataPlane], None], jitter_s: float = 0.0
) -> Agreement:
    """Of calls that take `least_s`, and of `jitter_s` any share alike."""
    network = _network()
    plane = ready(network, settings.seed)
    slow(plane)
    plane.run(network.horizon_s)
    caller = plane.state.stations[0]
    assert caller["entered"] == caller["left"], "every request must have come to its end"
    requests = int(caller["left"])
    theory_s, observed_s = least_s + jitter_s / 2, float(caller["balance_s"]) / requests
    error_s, of = (jitter_s / math.sqrt(12 * requests), f"a mean of {requests:,}") if jitter_s else (0.0, "rounding")
    return around(f"{what}: time taken", theory_s, observed_s, error_s or _ROUNDING * theory_s, of, "s")


def _clients(settings: Settings) -> Agreement:
    """A latency between the clients and the first service: no request takes any other time."""
    network = _network()
    plane = ready(network, settings.seed)
    plane.set_latency(0, LATENCY_S)
    plane.run(network.horizon_s)
    columns = plane.recording().client.sum(axis=(0, 1, 2), dtype=int)
    return exactly("requests that take just the injected latency", int(columns[ARRIVED]), int(columns[FIRST_BIN + 1]))
