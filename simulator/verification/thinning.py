"""Shares of a Poisson stream: versions by routing weight, cohorts by size, errors by defect and by fault."""

from __future__ import annotations

import numpy as np

from simulator.kernel.plane import Defect
from simulator.layout import ERROR
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification.agreement import Agreement, exactly, of_share
from simulator.verification.playing import EDGES_S, PLENTY, ready
from simulator.verification.settings import Settings

__all__ = ["shares"]

NEW_WEIGHT = 0.05
COHORT_SHARE = 0.3
DEFECT = 0.4
FAULT = 0.1


def _network() -> Network:
    return Network(
        (Station("s", PLENTY, Distribution(Kind.CONSTANT, 0.001), replicas=(1, 1)),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, 200.0),), Node(0), cohort_shares=(1 - COHORT_SHARE, COHORT_SHARE)),),
        1.0,
        2000,
        EDGES_S,
        cohorts=2,
    )


def shares(settings: Settings) -> list[Agreement]:
    """The new version's share, a cohort's share, where the two meet, and the errors of a defect and of a fault."""
    network = _network()
    plane = ready(network, settings.seed)
    plane.set_weights(0, (1 - NEW_WEIGHT, NEW_WEIGHT))
    plane.set_defects(0, 1, [Defect(error_ratio=DEFECT, cohort=1)])
    plane.run(network.horizon_s)
    rows = plane.recording().service.sum(axis=0, dtype=np.int64)  # version 0 cohorts 0, 1; version 1 cohorts 0, 1
    totals = rows.sum(axis=1)
    requests = int(totals.sum())
    both = NEW_WEIGHT * COHORT_SHARE
    return [
        of_share("thinning by routing weight", NEW_WEIGHT, int(totals[2:].sum()), requests),
        of_share("thinning by cohort", COHORT_SHARE, int(totals[[1, 3]].sum()), requests),
        of_share("thinning by weight and cohort", both, int(totals[3]), requests),
        of_share("errors of a cohort's defect", DEFECT, int(rows[3, ERROR]), int(totals[3])),
        exactly("errors outside the cohort", 0, int(rows[:3, ERROR].sum())),
        _fault(settings),
    ]


def _fault(settings: Settings) -> Agreement:
    network = _network()
    plane = ready(network, settings.seed, replication=1)
    plane.set_error_share(0, FAULT)
    plane.run(network.horizon_s)
    columns = plane.recording().client.sum(axis=(0, 1, 2), dtype=np.int64)
    return of_share("errors of an injected fault", FAULT, int(columns[ERROR]), int(columns[0]))
