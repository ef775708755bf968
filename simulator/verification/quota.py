"""What a quota lets through: a bucket of tokens that is filled at a steady rate.

Requests that come at random meet a bucket of `burst` tokens as they would meet a server that takes 1 / rate for each
and has `burst` places: what the bucket lacks, in tokens, is the work that is left there. So the share that is refused
is that of M/D/1/K, K = burst.
"""

from __future__ import annotations

from simulator.layout import ARRIVED, REFUSED
from simulator.network import CLIENT, Call, Function, Network, Node, Quota, Station
from simulator.verification import closed_forms
from simulator.verification.agreement import Agreement, of_batches
from simulator.verification.playing import BATCHES, EDGES_S, NO_TIME, PLENTY, ready
from simulator.verification.settings import Settings

__all__ = ["refused_by_quota"]

RATE_PER_S, BURST, LOAD = 100.0, 5, 1.25
_CELLS = 4000


def refused_by_quota(settings: Settings) -> list[Agreement]:
    """The share of requests that a quota refuses which is asked for a quarter more than it gives."""
    network = Network(
        (Station("s", PLENTY, NO_TIME, quota=Quota(RATE_PER_S, float(BURST))),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, LOAD * RATE_PER_S),), Node(0)),),
        1.0,
        _CELLS,
        EDGES_S,
    )
    plane = ready(network, settings.seed)
    plane.run(network.horizon_s)
    columns = plane.recording().client.sum(axis=(1, 2), dtype=int)
    by_batch = columns.reshape(BATCHES, -1, columns.shape[1]).sum(axis=1)
    shares = by_batch[:, REFUSED] / by_batch[:, ARRIVED]
    theory = closed_forms.md1k_refused(LOAD, BURST)
    return [of_batches(f"refused by a quota, load {LOAD}, burst {BURST}", theory, shares)]
