"""Raw samples into the run record's rows.

Client rows count a request in the window in which it was meant to be sent, so an outage shows when
it began and not when its timeouts came in. Service rows count an answer in the window in which it
came, by the version that the answer itself names in `x-version` ("edge=1,checkout=2.4").
"""

import numpy as np
from numpy.typing import NDArray

from chaos.load.raw import KINDS, RawSamples
from evidence.histogram import bin_of
from evidence.tables import CLIENT, FAILED_KINDS, Samples

__all__ = ["client_rows", "service_rows", "version_of"]


def client_rows(raw: RawSamples, edges_s: NDArray[np.float64], resolution_s: float) -> Samples:
    """What the callers saw: one row a window, function and cohort that had requests.

    edges_s: ascending histogram edges in seconds, shape (edges,). The rows are of replication 0,
    ordered by window, function and cohort; latency runs from the intended send time.
    """
    return _rows(raw, CLIENT, np.full(len(raw), "", dtype=object), raw.intended_s, edges_s, resolution_s)


def service_rows(raw: RawSamples, service: str, edges_s: NDArray[np.float64], resolution_s: float) -> Samples:
    """What the versions of a service answered, as far as the callers' answers tell.

    Requests that got no answer, or one that does not name a version of the service, are left out:
    nobody knows which version had them. Latency is the callers', so it includes the way there.
    """
    versions = version_of(raw, service)
    answered = (versions != "") & np.isfinite(raw.finished_s)
    kept = raw.where(answered)
    return _rows(kept, service, versions[answered], kept.finished_s, edges_s, resolution_s)


def version_of(raw: RawSamples, service: str) -> NDArray[np.object_]:
    """The version of a service that had a part in each answer, "" where none is named; shape (n,)."""
    named = {header: _version(header, service) for header in set(raw.version.tolist())}
    return np.array([named[header] for header in raw.version.tolist()], dtype=object)


def _version(header: str, service: str) -> str:
    for part in header.split(","):
        name, _, version = part.strip().partition("=")
        if name == service:
            return version
    return ""


def _rows(
    raw: RawSamples,
    service: str,
    version: NDArray[np.object_],
    time_s: NDArray[np.float64],
    edges_s: NDArray[np.float64],
    resolution_s: float,
) -> Samples:
    bins = len(edges_s) + 1
    if not len(raw):
        return Samples.empty(bins)
    # A time that is a whole number of windows but for rounding belongs to the window it begins.
    cell = np.floor(time_s / resolution_s + 1e-9).astype(np.int64)
    names = [np.unique(column.astype(np.str_), return_inverse=True)
             for column in (version, raw.function, raw.cohort)]  # fmt: skip
    keys = np.stack([cell, *(codes for _, codes in names)], axis=1)
    groups, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    count = len(groups)
    per_kind = {kind: np.bincount(group[raw.kind == kind], minlength=count).astype(np.int64) for kind in KINDS}
    return Samples(
        replication=np.zeros(count, dtype=np.int32),
        window_start_s=groups[:, 0] * resolution_s,
        service=np.full(count, service),
        version=names[0][0][groups[:, 1]],
        cohort=names[2][0][groups[:, 3]],
        function=names[1][0][groups[:, 2]],
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
