"""The data plane again, in plain Python: objects, a heap of tuples, dictionaries, nothing shared with the kernel.

Written for reading. It takes a `Network` and must give the kernel's tables, times and logs bit for bit. It follows the
text of design and docstrings, with its own draws (Python integers modulo 2**64) and its own order of doing things where
that order is not part of the meaning.
"""

import heapq
import math
from collections import Counter
from itertools import zip_longest
from typing import Any

import numpy as np

from simulator.network import CLIENT, Kind, Network, Node
from tests.reference.naive_books import Books
from tests.reference.naive_control import Control
from tests.reference.naive_draws import (
    ARRIVAL,
    BACKOFF,
    COHORT,
    CONTRACT,
    DEFECT,
    FAULT,
    LATENCY,
    MASK,
    MIRROR,
    REQUEST,
    ROUTE,
    SERVICE,
    WRITE,
    mix,
    normal_quantile,
    nth,
    unit,
)
from tests.reference.naive_mechanics import Mechanics
from tests.reference.naive_parts import ERROR, REFUSED, TIMEOUT, UNSENT, Job, Replica, Step


class Naive(Control, Mechanics, Books):
    """One replication, with the control inputs of `DataPlane`."""

    def __init__(self, network: Network, seed: int, replication: int = 0) -> None:
        self.network = network
        self.now = 0.0
        self.streams = [
            int(np.random.SeedSequence(seed, spawn_key=(s, replication)).generate_state(1, np.uint64)[0])
            for s in range(13)
        ]
        self.heap: list[tuple[float, int, int, Any]] = []
        self.sequence = self.serials = 0
        self.alive: dict[int, Job] = {}
        self.roots = self._trees()
        self.arrived = [0] * len(network.functions)
        self.ready: dict[tuple[int, int], list[int]] = {}
        self.turn: Counter[tuple[int, int]] = Counter()
        self.weights = {
            (s, cohort): [1.0] + [0.0] * (len(x.replicas) - 1)
            for s, x in enumerate(network.stations)
            for cohort in range(network.cohorts)
        }
        self.contracts: dict[tuple[tuple[int, int], tuple[int, int]], float] = {}
        self.mirrors: dict[int, tuple[int, float]] = {}
        self.factor = [1.0] * len(network.functions)
        self.unspent = [0.0] * len(network.functions)
        self.begun = False
        self.prepare()
        self.replicas = {
            (s, v, i): Replica(s, v, i)
            for s, station in enumerate(network.stations)
            for v, count in enumerate(station.replicas)
            for i in range(count)
        }
        self.defects: dict[tuple[int, int], list[Any]] = {}
        self.latency: dict[int, tuple[float, float]] = {}
        self.share: dict[int, float] = {}
        self.cut: set[int] = set()
        self.client: Counter[tuple[int, int, int, str]] = Counter()
        self.service: Counter[tuple[int, int, int, int, int, str]] = Counter()
        self.writes: list[tuple[Any, ...]] = []
        self.waited = [0.0] * len(network.stations)
        self.started = [0] * len(network.stations)
        self.next_arrival = [self._gap(f, 0.0) for f in range(len(network.functions))]

    def _trees(self) -> list[Step]:
        count = 0

        def grow(node: Node, function: int) -> Step:
            nonlocal count
            step = Step(count, node, function)
            count += 1
            step.children = [grow(child, function) for child in node.children]
            groups: list[list[Step]] = []
            for child in step.children:
                if groups and self.network.calls[child.node.call].parallel:
                    groups[-1].append(child)
                else:
                    groups.append([child])
            for group, after in zip_longest(groups, [group[0] for group in groups[1:]]):
                group[0].group = group
                for each in group:
                    each.following = after
            return step

        return [grow(f.root, index) for index, f in enumerate(self.network.functions)]

    def draw(self, stream: int, key: int) -> float:
        return unit(mix((key + self.streams[stream]) & MASK))

    def _gap(self, f: int, t: float) -> float:
        """The next arrival after t: a unit exponential, spent at the rates passed."""
        return self._after(f, t, -math.log(unit(nth(nth(self.streams[ARRIVAL], f), self.arrived[f]))))

    def _rates(self, f: int) -> list[tuple[float, float, float]]:
        rates = self.network.functions[f].rates
        ends = [start for start, _ in rates[1:]] + [math.inf]
        return [(start, end, rate * self.factor[f]) for (start, rate), end in zip(rates, ends, strict=True)]

    def _after(self, f: int, t: float, gap: float) -> float:
        self.unspent[f] = 0.0
        for _, until, rate in self._rates(f):
            if until <= t:
                continue
            if rate > 0:
                if t + gap / rate < until:
                    return t + gap / rate
                gap = max(0.0, gap - (until - t) * rate)
            t = until
        self.unspent[f] = gap
        return t

    # Events.

    def schedule(self, t: float, what: Any) -> Any:
        self.sequence += 1
        event = (t, self.sequence, what)
        heapq.heappush(self.heap, (t, 1, self.sequence, event))
        return event

    def run(self, until: float) -> None:
        self.begun = True
        while True:
            f = min(range(len(self.next_arrival)), key=lambda i: (self.next_arrival[i], i))
            t = self.heap[0][0] if self.heap else math.inf
            if min(t, self.next_arrival[f]) >= until:
                self.now = until
                return
            if self.next_arrival[f] <= t:
                self.now = self.next_arrival[f]
                self.arrive(f)
            else:
                self.now = t
                event = heapq.heappop(self.heap)[3]
                kind, job = event[2]
                if event is (job.timer if kind in ("timer", "cut") else job.event):
                    getattr(self, "on_" + kind)(job)

    def arrive(self, f: int) -> None:
        request = self.arrived[f]
        self.arrived[f] += 1
        self.next_arrival[f] = self._gap(f, self.now)
        key = nth(nth(self.streams[REQUEST], f), request)
        cohort = 0
        shares = self.network.functions[f].cohort_shares
        if self.network.cohorts > 1 and shares is not None:
            upto = np.cumsum(shares)
            u = self.draw(COHORT, key)
            while cohort < self.network.cohorts - 1 and u >= upto[cohort]:
                cohort += 1
        self.client[self.cell(self.now), f, cohort, "arrived"] += 1
        self.send(key, self.roots[f], request, cohort, 0, "client")

    def on_done(self, job: Job) -> None:
        assert job.replica is not None
        step, station = job.step, self.network.stations[job.replica.station]
        if not station.holds_worker:
            self.free_worker(job)
        job.event = None
        error = self.effect(job.replica.station, job.version, job.cohort)[0]
        if error > 0 and self.draw(DEFECT, job.key) < error:
            self.conclude(job, ERROR)
            return
        if self.network.calls[step.node.call].writes:
            job.wrote = not job.copy
            if job.caller_version is not None:
                lost = self.effect(*job.caller_version, job.cohort)[3]
                job.wrote = job.wrote and not (lost > 0 and self.draw(WRITE, job.key) < lost)
        if step.children:
            self.call(job, step.children[0], 0)
        else:
            self.conclude(job, "ok")

    def on_answer(self, job: Job) -> None:
        assert job.answer is not None
        self.count(job, job.answer)
        self.deliver(job, job.answer)

    def on_timer(self, job: Job) -> None:
        self.give_up(job, TIMEOUT)

    def on_cut(self, job: Job) -> None:
        self.give_up(job, REFUSED)

    def on_resume(self, job: Job) -> None:
        assert job.next_call is not None
        self.call(job, *job.next_call)

    # A job's life.

    def call(self, caller: Job, step: Step, attempt: int) -> None:
        if len(step.group) > 1 and caller.branch_of is None:
            caller.broken = False
            for each in step.group:
                branch = Job(caller.key, caller.step, caller.request, caller.cohort, 0, "nobody", caller.sent, 0)
                branch.version, branch.copy, branch.branch_of = caller.version, caller.copy, caller
                caller.branches.append(branch)
                self.call(branch, each, 0)
            return
        key = nth(caller.key, step.number * 65536 + attempt)
        self.send(key, step, caller.request, caller.cohort, attempt, caller)

    def send(self, key: int, step: Step, request: int, cohort: int, attempt: int, caller: "Job | str") -> None:
        self.serials += 1
        job = Job(key, step, request, cohort, attempt, caller, self.now, self.serials)
        self.alive[job.serial] = job
        if isinstance(caller, Job):
            caller.child = job
            caller_call = self.network.calls[caller.step.node.call]
            job.caller_version = (caller_call.callee, caller.version)
            job.copy = caller.copy
        call = self.network.calls[step.node.call]
        if attempt == 0 and step.node.call in self.budgets:
            self.balance(step.node.call).tokens += call.budget.share
        if not self.lets_through(step.node.call):
            job.counted, job.answer = True, UNSENT
            job.event = self.schedule(self.now, ("answer", job))
            return
        if step.node.call in self.cut:
            job.counted = True
            self.answer_later(job, REFUSED)
            return
        timeout = self.network.functions[step.function].timeout_s if call.caller == CLIENT else call.timeout_s
        if timeout < math.inf:
            job.timer = self.schedule(self.now + timeout, ("timer", job))
        job.version = self.choose_version(call.callee, key, cohort)
        self.knock(job, call.callee)
        to, share = self.mirrors.get(call.callee, (0, 0.0))
        bits = mix((key + self.streams[MIRROR]) & MASK)
        if unit(bits) < share and not job.copy:
            self.serials += 1
            copy = Job(nth(bits, 0), step, request, cohort, attempt, "nobody", self.now, self.serials, copy=True)
            copy.version, copy.caller_version = to, job.caller_version
            self.alive[copy.serial] = copy
            self.knock(copy, call.callee)

    def knock(self, job: Job, s: int) -> None:
        refusal = self.enter(job, s)
        if refusal is not None:
            self.count(job, refusal)
            self.answer_later(job, refusal)

    def choose_version(self, station: int, key: int, cohort: int) -> int:
        weights = self.weights[station, cohort]
        used = [v for v, w in enumerate(weights) if w > 0]
        u = self.draw(ROUTE, key)
        upto = np.cumsum(weights)
        for v in used[:-1]:
            if u < upto[v]:
                return v
        return used[-1]

    def enter(self, job: Job, s: int) -> str | None:
        """Into a worker, into the queue, or away (the outcome is returned)."""
        if self.share.get(s, 0) > 0 and self.draw(FAULT, job.key) < self.share[s]:
            return ERROR
        station = self.network.stations[s]
        fleet = station.shares[job.version] if station.shares else job.version
        ready = self.ready.get((s, fleet), [])
        if not ready:
            return REFUSED
        if job.caller_version is not None:
            share = self.contracts.get((job.caller_version, (s, job.version)), 0.0)
            if self.draw(CONTRACT, job.key) < share:
                return ERROR
        if not self.within_quota(s):
            return REFUSED
        replica = self.choose_replica(job, s, fleet)
        if replica.queue and self.now - replica.queue[0].sent > station.shed_s:
            self.note_failure(replica)
            return REFUSED
        if replica.busy < station.workers:
            replica.busy += 1
            replica.worked -= self.now
            job.replica = replica
            self.start(job)
        elif station.queue < 0 or len(replica.queue) < station.queue:
            job.replica = replica
            replica.queue.append(job)
        else:
            self.note_failure(replica)
            return REFUSED
        return None

    def start(self, job: Job) -> None:
        assert job.replica is not None
        s = job.replica.station
        job.holding = True
        self.started[s] += 1
        self.waited[s] += self.now - job.sent
        distribution = self.network.stations[s].service
        p0, p1, u = distribution.p0, distribution.p1, self.draw(SERVICE, job.key)
        work = {
            Kind.CONSTANT: lambda: p0,
            Kind.EXPONENTIAL: lambda: -math.log(u) * p0,
            Kind.LOGNORMAL: lambda: math.exp(p0 + p1 * normal_quantile(u)),
            Kind.UNIFORM: lambda: p0 + (p1 - p0) * u,
        }[distribution.kind]()
        _, factor, add, _ = self.effect(s, job.version, job.cohort)
        job.event = self.schedule(self.now + (work * factor + add), ("done", job))

    def free_worker(self, job: Job) -> None:
        replica = job.replica
        assert replica is not None
        assert job.holding
        job.holding = False
        if replica.queue:
            self.start(replica.queue.popleft())
        else:
            replica.busy -= 1
            replica.worked += self.now

    def conclude(self, job: Job, outcome: str) -> None:
        if job.holding:
            self.free_worker(job)
        if job.replica is not None and (isinstance(job.caller, Job) or job.caller == "client"):
            if outcome == "ok":
                job.replica.failed = 0
            else:
                self.note_failure(job.replica)
        job.replica = None
        self.count(job, outcome)
        latency = self.latency.get(job.step.node.call, (0, 0))
        if sum(latency) > 0 and (isinstance(job.caller, Job) or job.caller == "client"):
            self.answer_later(job, outcome)
        else:
            self.deliver(job, outcome)

    def answer_later(self, job: Job, outcome: str) -> None:
        delay, jitter = self.latency.get(job.step.node.call, (0.0, 0.0))
        if jitter > 0:
            delay += jitter * self.draw(LATENCY, job.key)
        job.answer = outcome
        job.event = self.schedule(self.now + delay, ("answer", job))

    def deliver(self, job: Job, outcome: str) -> None:
        job.timer = job.event = None
        job.over = True
        del self.alive[job.serial]
        if self.network.calls[job.step.node.call].writes:
            self.log(job, outcome)
        self.hear(job, job.caller, outcome)

    def give_up(self, job: Job, outcome: str) -> None:
        job.timer = None
        self.count(job, outcome)
        if job.replica is not None:
            self.note_failure(job.replica)
        caller, job.caller = job.caller, "gave up"
        if outcome == TIMEOUT and self.network.calls[job.step.node.call].cancel:
            self.cancel(job)
        self.hear(job, caller, outcome)

    def hear(self, job: Job, caller: "Job | str", outcome: str) -> None:
        """The caller learns how its call ended."""
        if caller == "client":
            name = self.bin(self.now - job.sent) if outcome == "ok" else self.kind(outcome)
            self.client[self.cell(job.sent), job.step.function, job.cohort, name] += 1
        if not isinstance(caller, Job):
            return
        caller.child = None
        self.learn(job.step.node.call, job.sent, outcome)
        call = self.network.calls[job.step.node.call]
        if outcome == "ok":
            self.go_on(caller, job.step, "ok")
        elif job.attempt < call.retries and self.may_retry(job.step.node.call, outcome):
            wait = call.backoff_s * 2.0 ** min(job.attempt, 62)
            if wait == 0:
                self.call(caller, job.step, job.attempt + 1)
                return
            if call.jitter:
                key = nth(caller.key, job.step.number * 65536 + job.attempt + 1)
                wait *= self.draw(BACKOFF, key)
            caller.next_call = (job.step, job.attempt + 1)
            caller.event = self.schedule(self.now + wait, ("resume", caller))
        else:
            self.go_on(caller, job.step, ERROR)

    def go_on(self, caller: Job, step: Step, outcome: str) -> None:
        """A call of the caller is over for good: the next, unless others that started with it are not over."""
        if caller.branch_of is not None:
            branch, caller = caller, caller.branch_of
            caller.branches.remove(branch)
            caller.broken = caller.broken or outcome != "ok"
            if caller.branches:
                return
            outcome = ERROR if caller.broken else "ok"
        if outcome == "ok" and step.following:
            self.call(caller, step.following, 0)
        else:
            self.conclude(caller, outcome)
