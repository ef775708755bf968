"""No request is lost or made up, on a network that uses every feature of the data plane while everything goes wrong.

At many moments: arrivals = answered + failed by kind + without an answer, the last counted among the jobs themselves
and not as the rest; what entered a station = what left it + what is inside; and the queues that replicas count are
those that there are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import (
    ANSWERING,
    ARRIVED,
    BRANCH,
    ERROR,
    FIRST_BIN,
    FREE,
    FROM_CLIENT,
    QUEUED,
    REFUSED,
    TIMEOUT,
    WRITE_FAILED,
    WRITE_INDETERMINATE,
    WRITE_OK,
)
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
from simulator.verification.agreement import Agreement, exactly
from simulator.verification.playing import EDGES_S, lognormal, ready
from simulator.verification.settings import Settings

__all__ = ["differences", "requests_conserved"]

HORIZON_S = 120.0
_STEP_S = 0.5
_EDGE, _SHOP, _PAY, _STORE = range(4)
_TO_EDGE, _TO_SHOP, _TO_PAY, _TO_STORE, _PAY_TO_STORE, _TO_EDGE_AGAIN = range(6)


def _network() -> Network:
    """Two functions, two cohorts, two versions and a flag; every distribution and every mechanic, all at once."""
    stations = (
        Station("edge", 64, lognormal(0.002, 0.5), queue=256, holds_worker=False, replicas=(2,)),
        Station(
            "shop",
            16,
            Distribution(Kind.UNIFORM, 0.0, 0.1),
            queue=40,
            replicas=(3, 2, 0),
            shares=(0, 1, 1),
            balancing=Balancing.RANDOM_OF_TWO,
            ejection=Ejection(5, 2.0, 0.5),
            shed_s=0.5,
        ),
        Station(
            "pay",
            12,
            Distribution(Kind.EXPONENTIAL, 0.04),
            replicas=(2,),
            balancing=Balancing.LEAST_REQUEST,
            quota=Quota(250.0, 100.0),
        ),
        Station("store", 8, Distribution(Kind.CONSTANT, 0.01), queue=20),
    )
    calls = (
        Call(CLIENT, _EDGE),
        Call(_EDGE, _SHOP, timeout_s=0.25, retries=2, backoff_s=0.05, jitter=True, cancel=True),
        Call(_SHOP, _PAY, timeout_s=0.15, retries=1, breaker=Breaker(0.6, 2.0, 20, 1.0, 3)),
        Call(_SHOP, _STORE, timeout_s=0.08, retries=1, writes=True, budget=RetryBudget(0.2, 5.0), parallel=True),
        Call(_PAY, _STORE, retries=1, backoff_s=0.02, writes=True),
        Call(_EDGE, _STORE),
    )
    buy = Node(_TO_EDGE, (Node(_TO_SHOP, (Node(_TO_PAY, (Node(_PAY_TO_STORE),)), Node(_TO_STORE))),))
    browse = Node(_TO_EDGE, (Node(_TO_EDGE_AGAIN),))
    functions = (
        Function("buy", ((0.0, 120.0), (40.0, 400.0), (60.0, 100.0)), buy, 0.6, (0.8, 0.2)),
        Function("browse", ((0.0, 80.0), (90.0, 0.0), (95.0, 160.0)), browse, 0.1, (0.5, 0.5)),
    )
    return Network(stations, calls, functions, 0.25, round(HORIZON_S / 0.25), EDGES_S, cohorts=2)


def _faults() -> dict[float, Callable[[DataPlane], None]]:
    """What goes wrong, and when it ends."""
    defects = [Defect(0.3, 1.5, 0.02, 0.2), Defect(0.5, cohort=1)]
    return {
        5.0: lambda plane: plane.set_mirror(_SHOP, 1, 0.5),
        10.0: lambda plane: plane.set_weights(_SHOP, (0.7, 0.2, 0.1)),
        12.0: lambda plane: plane.set_contract(_EDGE, 0, _SHOP, 2, 0.5),
        15.0: lambda plane: plane.set_defects(_SHOP, 1, defects),
        25.0: lambda plane: plane.kill(_SHOP, 0, 1),
        30.0: lambda plane: plane.set_latency(_PAY_TO_STORE, 0.1, 0.1),
        35.0: lambda plane: plane.set_latency(_PAY_TO_STORE, 0.0),
        45.0: lambda plane: plane.set_mirror(_SHOP, 1, 0.0),
        50.0: lambda plane: plane.kill(_STORE, 0, 0),
        52.0: lambda plane: plane.set_ready(_STORE, 0, [0]),
        65.0: lambda plane: plane.set_cut(_TO_PAY, True),
        70.0: lambda plane: plane.set_cut(_TO_PAY, False),
        75.0: lambda plane: plane.set_error_share(_PAY, 0.5),
        80.0: lambda plane: plane.set_error_share(_PAY, 0.0),
        85.0: lambda plane: plane.set_ready(_EDGE, 0, []),
        88.0: lambda plane: plane.set_ready(_EDGE, 0, [0, 1]),
        100.0: lambda plane: plane.set_weights(_SHOP, (1.0, 0.0, 0.0)),
    }


def requests_conserved(settings: Settings) -> list[Agreement]:
    """The books at the end, and the largest difference at any of the looks on the way."""
    network = _network()
    plane = ready(network, settings.seed)
    plane.set_weights(_SHOP, (1.0, 0.0, 0.0))
    faults = _faults()
    worst = np.zeros(3, np.int64)
    looks = round(HORIZON_S / _STEP_S)
    for look in range(1, looks + 1):
        plane.run(look * _STEP_S)
        worst = np.maximum(worst, differences(plane))
        if look * _STEP_S in faults:
            faults[look * _STEP_S](plane)
            worst = np.maximum(worst, differences(plane))
    on_the_way = f"largest difference at {looks} moments"
    return [
        _books(plane),
        exactly("requests unaccounted for", 0, int(worst[0]), on_the_way),
        exactly("jobs unaccounted for at a station", 0, int(worst[1]), on_the_way),
        exactly("jobs that a replica miscounts", 0, int(worst[2]), on_the_way),
        _writes(plane),
    ]


def _columns(plane: DataPlane) -> NDArray[np.int64]:
    total: NDArray[np.int64] = plane.state.client.sum(axis=(0, 1), dtype=np.int64)
    return total


def _without_answer(plane: DataPlane) -> int:
    jobs = plane.state.jobs
    return int(((jobs["state"] != FREE) & (jobs["parent"] == FROM_CLIENT)).sum())


def differences(plane: DataPlane) -> NDArray[np.int64]:
    """Requests, jobs at a station and jobs in a queue that are unaccounted for now: all 0, or the kernel is wrong."""
    state = plane.state
    columns = _columns(plane)
    requests = abs(int(columns[ARRIVED] - columns[1:].sum()) - _without_answer(plane))
    # A branch stands for one of the calls that its job makes at the same time, and is in no station.
    inside = ~np.isin(state.jobs["state"], (FREE, ANSWERING, BRANCH))
    held = np.bincount(state.nodes["station"][state.jobs["node"][inside]], minlength=len(state.stations))
    stations = np.abs(state.stations["entered"] - state.stations["left"] - held).max()
    queued = state.jobs["replica"][state.jobs["state"] == QUEUED]
    replicas = np.abs(state.replicas["waiting"] - np.bincount(queued, minlength=len(state.replicas))).max()
    return np.array([requests, stations, replicas], np.int64)


def _books(plane: DataPlane) -> Agreement:
    """Every kind must occur: a feature that does nothing proves nothing."""
    columns = _columns(plane)
    kinds = {
        "ok": int(columns[FIRST_BIN:].sum()),
        "error": int(columns[ERROR]),
        "timeout": int(columns[TIMEOUT]),
        "refused": int(columns[REFUSED]),
        "unfinished": _without_answer(plane),
    }
    assert min(kinds.values()) > 0, f"a kind of answer never occurs: {kinds}"
    parts = ", ".join(f"{name} {count:,}" for name, count in kinds.items())
    return exactly("arrivals = ok + failed by kind + unfinished", int(columns[ARRIVED]), sum(kinds.values()), parts)


def _writes(plane: DataPlane) -> Agreement:
    """Each write has one row and one outcome, and no lost write was acknowledged without a defect that loses writes."""
    writes = plane.recording().writes
    outcomes = [int((writes["outcome"] == each).sum()) for each in (WRITE_OK, WRITE_FAILED, WRITE_INDETERMINATE)]
    parts = "acknowledged {:,}, failed {:,}, indeterminate {:,}".format(*outcomes)
    return exactly("writes logged, each once", len(np.unique(writes["key"])), len(writes), parts)
