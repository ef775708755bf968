"""Intended send times, drawn before the load starts.

The schedule depends on the plan and its seed alone, never on what the target answers: that is what
makes the load open, and what lets the harness know every request that was meant to be sent even
when the child that sends them is gone.

Streams: one of numpy's Generators per function and purpose, spawned from the plan's seed by the
function's name, so adding a function leaves the arrivals of the others as they were.
"""

import hashlib
import uuid
import zlib
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from chaos.load.plan import FunctionLoad, LoadPlan

__all__ = ["Schedule", "draw", "request_id", "write_id"]

STREAMS = {"arrivals": 0, "cohorts": 1}


@dataclass(frozen=True)
class Schedule:
    """Every request of a plan in order of its intended send time; all arrays of shape (n,).

    intended_s: float64, seconds since the load's start, not falling
    function: int64, position in `plan.functions`
    index: int64, number of the request within its function, from 0
    cohort: object (str)
    """

    intended_s: NDArray[np.float64]
    function: NDArray[np.int64]
    index: NDArray[np.int64]
    cohort: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.intended_s)

    def share(self, number: int, of: int) -> "Schedule":
        """Every `of`-th request, from the one at position `number` on: what one of `of` workers sends."""
        return Schedule(*(getattr(self, each.name)[number::of] for each in fields(self)))

    def digest(self) -> str:
        """The same text for two schedules only if they have the same requests at the same times."""
        found = hashlib.sha256("\n".join(self.cohort.tolist()).encode())
        for column in (self.intended_s, self.function, self.index):
            found.update(np.ascontiguousarray(column).tobytes())
        return found.hexdigest()


def draw(plan: LoadPlan) -> Schedule:
    """The schedule of a plan; the same for the same plan and seed."""
    times, functions, indices, cohorts = [], [], [], []
    for position, load in enumerate(plan.functions):
        arrivals_s = _arrivals_s(load, plan)
        times.append(arrivals_s)
        functions.append(np.full(len(arrivals_s), position, dtype=np.int64))
        indices.append(np.arange(len(arrivals_s), dtype=np.int64))
        cohorts.append(_cohorts(load, plan.seed, len(arrivals_s)))
    order = np.argsort(np.concatenate(times), kind="stable")
    return Schedule(
        intended_s=np.concatenate(times)[order],
        function=np.concatenate(functions)[order],
        index=np.concatenate(indices)[order],
        cohort=np.concatenate(cohorts)[order],
    )


def request_id(token: str, function: str, index: int) -> str:
    """32 hex digits naming one request of one run; also its W3C trace id."""
    return hashlib.blake2b(f"{token}/{function}/{index}".encode(), digest_size=16).hexdigest()


def write_id(request: str) -> str:
    """The id of the write that a request makes, as PostgreSQL prints a uuid."""
    return str(uuid.UUID(request))


def _stream(seed: int, function: str, purpose: str) -> np.random.Generator:
    key = (zlib.crc32(function.encode()), STREAMS[purpose])
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _arrivals_s(load: FunctionLoad, plan: LoadPlan) -> NDArray[np.float64]:
    """Arrivals at unit rate, carried through the inverse of the cumulated rate.

    Time change of a Poisson process: Çinlar, Introduction to Stochastic Processes (1975), ch. 4.
    """
    inside = [(start, rate) for start, rate in load.profile if start < plan.duration_s]
    knots_s = np.array([start for start, _ in inside] + [plan.duration_s])
    rates = np.array([rate for _, rate in inside])
    cumulated = np.concatenate([[0.0], np.cumsum(rates * np.diff(knots_s))])
    total = float(cumulated[-1])
    if plan.arrivals == "uniform":
        units = np.arange(round(total)) + 0.5
        units = units[units < total]
    else:
        units = _unit_poisson(total, _stream(plan.seed, load.name, "arrivals"))
    busy = rates > 0
    starts = cumulated[:-1][busy]
    segment = np.searchsorted(starts, units, side="right") - 1
    into_s = (units - starts[segment]) / rates[busy][segment]
    return np.asarray(knots_s[:-1][busy][segment] + into_s)


def _unit_poisson(total: float, stream: np.random.Generator) -> NDArray[np.float64]:
    # Given their number, the points of a Poisson process are uniform and sorted.
    count = int(stream.poisson(total))
    return np.sort(stream.random(count)) * total


def _cohorts(load: FunctionLoad, seed: int, count: int) -> NDArray[np.object_]:
    shares = load.cohort_shares()
    names = np.array(list(shares), dtype=object)
    bounds = np.cumsum(list(shares.values()))
    drawn = _stream(seed, load.name, "cohorts").random(count) * bounds[-1]
    return np.asarray(names[np.searchsorted(bounds, drawn, side="right").clip(max=len(names) - 1)])
