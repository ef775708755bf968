"""Raw samples into the run record's client rows.

A request counts in the window in which it was meant to be sent, so an outage shows when it began
and not when its timeouts came in.
"""

import numpy as np
from numpy.typing import NDArray

from chaos.load.raw import KINDS, RawSamples
from evidence.histogram import bin_of
from evidence.tables import CLIENT, FAILED_KINDS, Samples

__all__ = ["client_rows"]


def client_rows(raw: RawSamples, edges_s: NDArray[np.float64], resolution_s: float) -> Samples:
    """What the callers saw: one row a window, function and cohort that had requests.

    edges_s: ascending histogram edges in seconds, shape (edges,). The rows are of replication 0,
    ordered by window, function and cohort; latency runs from the intended send time.
    """
    if not len(raw):
        return Samples.empty(len(edges_s) + 1)
    # A time that is a whole number of windows but for rounding belongs to the window it begins.
    cell = np.floor(raw.intended_s / resolution_s + 1e-9).astype(np.int64)
    functions, function = np.unique(raw.function.astype(np.str_), return_inverse=True)
    cohorts, cohort = np.unique(raw.cohort.astype(np.str_), return_inverse=True)
    keys = np.stack([cell, function, cohort], axis=1)
    groups, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    count = len(groups)
    per_kind = {kind: np.bincount(group[raw.kind == kind], minlength=count).astype(np.int64) for kind in KINDS}
    return Samples(
        replication=np.zeros(count, dtype=np.int32),
        window_start_s=groups[:, 0] * resolution_s,
        service=np.full(count, CLIENT),
        version=np.full(count, ""),
        cohort=cohorts[groups[:, 2]],
        function=functions[groups[:, 1]],
        requests=np.bincount(group, minlength=count).astype(np.int64),
        **{f"failed_{kind}": per_kind[kind] for kind in FAILED_KINDS},
        latency=_histograms(raw, group, count, edges_s),
    )


def _histograms(
    raw: RawSamples, group: NDArray[np.int64], count: int, edges_s: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Latencies of successful requests, shape (count, edges + 1)."""
    bins = len(edges_s) + 1
    ok = raw.kind == "ok"
    place = group[ok] * bins + bin_of(edges_s, raw.latency_s[ok])
    return np.bincount(place, minlength=count * bins).reshape(count, bins).astype(np.int32)
