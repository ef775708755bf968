"""What the data plane simulates, as plain numbers and names.

A `Network` knows nothing of scenarios: `simulator.compile` builds one from a scenario, tests build theirs by
hand. Everything is in SI units. Indices are positions in the tuples: station 2 is `network.stations[2]`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from simulator.errors import NetworkError

CLIENT = -1
"""The caller index of the outside client."""
UNBOUNDED = -1
"""A queue without a limit."""


class Kind(IntEnum):
    """Service-time distribution and the meaning of its two parameters."""

    CONSTANT = 0  # (value, unused)
    EXPONENTIAL = 1  # (mean, unused)
    LOGNORMAL = 2  # (mu, sigma) of the logarithm of seconds
    UNIFORM = 3  # (low, high)


@dataclass(frozen=True)
class Distribution:
    """A distribution of seconds."""

    kind: Kind
    p0: float
    p1: float = 0.0

    @property
    def mean_s(self) -> float:
        """Its mean."""
        if self.kind is Kind.LOGNORMAL:
            return math.exp(self.p0 + 0.5 * self.p1**2)
        if self.kind is Kind.UNIFORM:
            return 0.5 * (self.p0 + self.p1)
        return self.p0

    @property
    def variation(self) -> float:
        """Its coefficient of variation."""
        if self.kind is Kind.LOGNORMAL:
            return math.sqrt(math.expm1(self.p1**2))
        if self.kind is Kind.UNIFORM:
            return (self.p1 - self.p0) / math.sqrt(12.0) / max(self.mean_s, 1e-300)
        return 1.0 if self.kind is Kind.EXPONENTIAL else 0.0


class Balancing(IntEnum):
    """How the ready replicas of a version share its jobs; the last two look at the jobs that each has."""

    ROUND_ROBIN = 0
    LEAST_REQUEST = 1  # the fewest of all; of equals the first
    RANDOM_OF_TWO = 2  # the fewer of two different ones drawn at random; of equals the first drawn


@dataclass(frozen=True)
class Ejection:
    """A replica that failed `consecutive` times in a row gets no jobs for `for_s`.

    Failures are errors, refusals and timeouts of its callers. At most `most` of the ready replicas are out at once.
    """

    consecutive: int
    for_s: float
    most: float = 1.0


@dataclass(frozen=True)
class Quota:
    """A token bucket, full at first: beyond it calls are refused."""

    rate_per_s: float
    burst: float


@dataclass(frozen=True)
class Station:
    """A service or a store: versions, each of some replicas, each of `workers` workers and one FIFO queue.

    `replicas` holds, for each version, how many replicas it may ever have at once (they start not ready).
    `queue` counts the waiting places of one replica. With `holds_worker` a job keeps its worker during its
    downstream calls; without, only during its own work.

    `shares` says for each version whose replicas serve it (empty: its own). A version that shares has none itself; it
    is routed to, has defects and is counted on its own: the same program with a flag on.

    With `shed_s` a replica refuses new jobs while the first in its queue has waited longer than that.
    """

    name: str
    workers: int
    service: Distribution
    queue: int = UNBOUNDED
    holds_worker: bool = True
    replicas: tuple[int, ...] = (1,)
    shares: tuple[int, ...] = ()
    balancing: Balancing = Balancing.ROUND_ROBIN
    ejection: Ejection | None = None
    shed_s: float = math.inf
    quota: Quota | None = None


@dataclass(frozen=True)
class RetryBudget:
    """Retries may be `share` of the first attempts plus `minimum_per_s`, averaged over about the last 10 s.

    A balance grows with both, loses 1 with each retry, and forgets what is old: it decays with a time constant of
    10 s. A retry that it cannot pay is not made.
    """

    share: float
    minimum_per_s: float = 0.0


@dataclass(frozen=True)
class Breaker:
    """Opens once `errors` of at least `minimum` answers in the last `window_s` were failures.

    Open, it refuses calls for `open_s`; then it lets `probes` through, closes when all of them succeed, and opens again
    when one fails. Refusals of the breaker are not retried.
    """

    errors: float
    window_s: float
    minimum: int
    open_s: float
    probes: int = 1


@dataclass(frozen=True)
class Call:
    """An edge of the call graph. `timeout_s` and `retries` hold for one attempt and per call.

    Retry k (from 0) waits `backoff_s * 2**k`, or with `jitter` a uniform share of that. A call with `writes`
    leaves a row in the write log for each attempt. For calls of the client (`caller` CLIENT) only `callee`
    counts: the client's timeout belongs to the function, and the client does not retry.

    With `cancel` an attempt that timed out is cancelled: out of queues, workers free, calls below cancelled too.
    `budget` and `breaker` are shared by all that make the call. A call that is `parallel` starts together with the one
    before it; the caller goes on when all that started together are over, and has failed when one of them has.
    """

    caller: int
    callee: int
    timeout_s: float = math.inf
    retries: int = 0
    backoff_s: float = 0.0
    jitter: bool = False
    writes: bool = False
    budget: RetryBudget | None = None
    breaker: Breaker | None = None
    cancel: bool = False
    parallel: bool = False


@dataclass(frozen=True)
class Node:
    """One call made in a function's course, and the calls made in turn by the callee, one after the other."""

    call: int
    children: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """The node and all below, in preorder."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Function:
    """A business function: Poisson arrivals at piecewise constant rates, and what each request does.

    `rates` holds (start_s, rate_per_s), the first from 0, the last until the end. `cohort_shares` has one
    share per cohort of the network, sum 1; None puts all into cohort 0.
    """

    name: str
    rates: tuple[tuple[float, float], ...]
    root: Node
    timeout_s: float = math.inf
    cohort_shares: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Network:
    """The whole, and how it is recorded.

    `edges_s` are the rising upper edges of the latency bins: bin i holds edges[i-1] < x <= edges[i], the last bin
    everything above. `cells` windows of `resolution_s` each are recorded, so the horizon is their product.
    """

    stations: tuple[Station, ...]
    calls: tuple[Call, ...]
    functions: tuple[Function, ...]
    resolution_s: float
    cells: int
    edges_s: NDArray[np.float64]
    cohorts: int = 1

    def __post_init__(self) -> None:
        """Raise NetworkError for numbers that the kernel could not make sense of."""
        for index, station in enumerate(self.stations):
            _check_station(f"stations[{index}]", station)
        for index, call in enumerate(self.calls):
            _check_call(f"calls[{index}]", call, len(self.stations))
        for index, function in enumerate(self.functions):
            self._check_function(f"functions[{index}]", function)
        if not self.functions:
            _refuse("functions", self.functions, "at least one")
        if not (self.resolution_s > 0 and self.cells > 0):
            _refuse("resolution_s, cells", (self.resolution_s, self.cells), "both > 0")
        if len(self.edges_s) == 0 or self.edges_s[0] <= 0 or np.any(np.diff(self.edges_s) <= 0):
            _refuse("edges_s", self.edges_s, "> 0 and strictly rising")
        if self.cohorts < 1:
            _refuse("cohorts", self.cohorts, ">= 1")

    @property
    def horizon_s(self) -> float:
        """The latest time that the data plane can reach."""
        return self.cells * self.resolution_s

    def _check_function(self, where: str, function: Function) -> None:
        starts = [start for start, _ in function.rates]
        if not starts or starts[0] != 0.0 or any(b <= a for a, b in pairwise(starts)):
            _refuse(f"{where}.rates", function.rates, "starts rising from 0")
        if any(not (0 <= rate < math.inf) for _, rate in function.rates):
            _refuse(f"{where}.rates", function.rates, "rates finite and >= 0")
        if not function.timeout_s > 0:
            _refuse(f"{where}.timeout_s", function.timeout_s, "> 0")
        shares = function.cohort_shares
        if shares is not None and (len(shares) != self.cohorts or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9):
            _refuse(f"{where}.cohort_shares", shares, f"{self.cohorts} shares >= 0 with sum 1")
        self._check_tree(where, function.root, CLIENT)

    def _check_tree(self, where: str, node: Node, caller: int) -> None:
        if not 0 <= node.call < len(self.calls):
            _refuse(f"{where}: call", node.call, f"an index below {len(self.calls)}")
        call = self.calls[node.call]
        if call.caller != caller:
            _refuse(f"{where}: calls[{node.call}].caller", call.caller, f"{caller}, where it is used")
        for child in node.children:
            self._check_tree(where, child, call.callee)


def _refuse(where: str, value: object, rule: str) -> NoReturn:
    raise NetworkError(f"{where}(={value!r}) must be {rule}.")


def _check_station(where: str, station: Station) -> None:
    if station.workers < 1:
        _refuse(f"{where}.workers", station.workers, ">= 1")
    if station.queue < UNBOUNDED:
        _refuse(f"{where}.queue", station.queue, ">= 0, or -1 for unbounded")
    if not station.replicas or min(station.replicas) < 0:
        _refuse(f"{where}.replicas", station.replicas, ">= 0 for at least one version")
    _check_shares(where, station)
    _check_mechanics(where, station)
    service = station.service
    if service.kind is not Kind.LOGNORMAL and not 0 <= service.p0 < math.inf:
        _refuse(f"{where}.service.p0", service.p0, "finite and >= 0")
    if service.kind is Kind.UNIFORM and not service.p0 <= service.p1 < math.inf:
        _refuse(f"{where}.service", service, "low <= high")
    if service.kind is Kind.LOGNORMAL and not (math.isfinite(service.p0) and service.p1 >= 0):
        _refuse(f"{where}.service", service, "mu finite and sigma >= 0")


def _check_mechanics(where: str, station: Station) -> None:
    ejection, quota = station.ejection, station.quota
    if not station.shed_s > 0:
        _refuse(f"{where}.shed_s", station.shed_s, "> 0")
    if ejection is not None and not (ejection.consecutive >= 1 and ejection.for_s > 0 and 0 < ejection.most <= 1):
        _refuse(f"{where}.ejection", ejection, "consecutive >= 1, for_s > 0, most in 0..1")
    if quota is not None and not (0 < quota.rate_per_s < math.inf and 1 <= quota.burst < math.inf):
        _refuse(f"{where}.quota", quota, "rate_per_s > 0 and burst >= 1")


def _check_link(where: str, call: Call) -> None:
    budget, breaker = call.budget, call.breaker
    if budget is not None and not (0 <= budget.share < math.inf and 0 <= budget.minimum_per_s < math.inf):
        _refuse(f"{where}.budget", budget, "share and minimum_per_s >= 0")
    if breaker is not None and not (
        0 < breaker.errors <= 1
        and 0 < breaker.window_s < math.inf
        and breaker.minimum >= 1
        and breaker.open_s > 0
        and breaker.probes >= 1
    ):
        _refuse(f"{where}.breaker", breaker, "errors in 0..1, times > 0, minimum and probes >= 1")
    if call.caller == CLIENT and (budget or breaker or call.cancel):
        _refuse(f"{where}.caller", call.caller, "a station: the client has no budget, breaker or cancellation")


def _check_shares(where: str, station: Station) -> None:
    shares = station.shares
    if not shares:
        return
    versions = range(len(station.replicas))
    if len(shares) != len(versions) or any(each not in versions or shares[each] != each for each in shares):
        _refuse(f"{where}.shares", shares, f"for each of {len(versions)} versions one that has replicas of its own")
    if any(station.replicas[version] for version in versions if shares[version] != version):
        _refuse(f"{where}.replicas", station.replicas, f"0 for versions that share: {shares}")


def _check_call(where: str, call: Call, stations: int) -> None:
    if not 0 <= call.callee < stations:
        _refuse(f"{where}.callee", call.callee, f"an index below {stations}")
    if not CLIENT <= call.caller < stations:
        _refuse(f"{where}.caller", call.caller, f"CLIENT or an index below {stations}")
    if not call.timeout_s > 0:
        _refuse(f"{where}.timeout_s", call.timeout_s, "> 0")
    if not 0 <= call.retries < 1000:
        _refuse(f"{where}.retries", call.retries, "0..999")
    if not 0 <= call.backoff_s < math.inf:
        _refuse(f"{where}.backoff_s", call.backoff_s, "finite and >= 0")
    _check_link(where, call)
