"""What became of each row that a store was given: there, there but wrong, or gone.

The data plane says of a row whether its store had it. What happened to it later (a standby promoted without it, a
restore to before it, bad data, a schema that the old version does not read) follows from its times and its writer.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from scenarios.models import Defect, Scenario
from simulator import draws
from simulator.compile import Compiled
from simulator.store import LostSpan

__all__ = ["Rows", "are_followed", "drawn", "ended_s", "lost_in"]

_mix = getattr(draws.mix, "py_func", draws.mix)


def are_followed(scenario: Scenario) -> bool:
    """Whether rows may be wrong, hidden from a version, or lost by a store that comes back without them."""
    release, stores = scenario.release, scenario.system.stores.values()
    written_wrong = any(defect.bad_data is not None for defect in release.defects)
    may_lose = any(store.standbys or store.backup is not None for store in stores)
    return written_wrong or may_lose or release.migration is not None


def ended_s(log: NDArray[np.void]) -> NDArray[np.float64]:
    """When each row was there at the latest, in the order of the log.

    Its acknowledgement; for a row that nobody heard of, the acknowledgement before it (-inf: none), since the log is in
    the order of ends.
    """
    times: NDArray[np.float64] = np.fmax.accumulate(np.nan_to_num(log["acknowledged_s"], nan=-np.inf))
    return np.where(np.isnan(log["acknowledged_s"]), times, log["acknowledged_s"])


def lost_in(span: LostSpan, stations: NDArray[np.int64], log: NDArray[np.void]) -> NDArray[np.bool_]:
    """Rows that a failure took. One invoked before it was there before it, however late its answer came."""
    there = (stations == span.station) & (log["invoked_s"] < span.failed_s)
    gone: NDArray[np.bool_] = there & (ended_s(log) > span.kept_until_s)
    return gone


class Rows:
    """Tells rows of the write log apart: by their store, and by the version that wrote them."""

    def __init__(self, scenario: Scenario, compiled: Compiled) -> None:
        calls, nodes = compiled.network.calls, [node for f in compiled.network.functions for node in f.root.walk()]
        self._scenario = scenario
        self._compiled = compiled
        self._stations = np.array([calls[node.call].callee for node in nodes])
        self._callers = np.array([calls[node.call].caller for node in nodes])

    def stations(self, log: NDArray[np.void]) -> NDArray[np.int64]:
        """The store of each row."""
        stations: NDArray[np.int64] = self._stations[log["node"]]
        return stations

    def by_new(self, log: NDArray[np.void], services: Iterable[str]) -> NDArray[np.bool_]:
        """Rows that a new version of one of the services wrote."""
        writers = np.isin(self._callers, [self._compiled.station(service) for service in services])
        by_new: NDArray[np.bool_] = writers[log["node"]] & (log["caller_version"] > 0)
        return by_new

    def bad(self, defect: Defect, log: NDArray[np.void]) -> NDArray[np.bool_]:
        """Rows that the defect wrote wrong, drawn by the row: the same ones whenever it is asked."""
        assert defect.bad_data is not None
        wrong: NDArray[np.bool_] = self.by_new(log, [self._scenario.release.defective(defect)]) & (log["stored"] == 1)
        if defect.cohort is not None:
            wrong &= log["cohort"] == self._compiled.cohorts.index(defect.cohort)
        wrong &= drawn(log, defect.name, defect.bad_data.share)
        return wrong


def drawn(log: NDArray[np.void], what: str, share: float) -> NDArray[np.bool_]:
    """A share of rows, each drawn by its own key and what is drawn."""
    with np.errstate(over="ignore"):
        bits: NDArray[np.uint64] = _mix(log["key"] + np.uint64(zlib.crc32(what.encode()) + 1) * draws.GOLDEN)
    chosen: NDArray[np.bool_] = (bits >> np.uint64(12)) * 2.0**-52 < share
    return chosen
