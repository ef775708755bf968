"""Balancing, ejection, quotas, budgets, breakers and cancellation, for the twin."""

import math
from dataclasses import dataclass, field

from simulator.network import Balancing
from tests.reference.naive_draws import BALANCE, MASK, mix, nth, unit
from tests.reference.naive_parts import TIMEOUT, UNSENT, Job, Replica


@dataclass
class Bucket:
    """Tokens, as they were at a time."""

    tokens: float
    at: float = 0.0


@dataclass
class Breaker:
    mode: str = "closed"
    since: float = 0.0
    probed: int = 0
    passed: int = 0
    seen: list[tuple[int, bool]] = field(default_factory=list)  # bucket of each answer, and whether it failed


class Mechanics:
    """The parts of a `Naive` that plain networks do not use."""

    def prepare(self) -> None:
        self.quotas = {s: Bucket(x.quota.burst) for s, x in enumerate(self.network.stations) if x.quota}
        calls = enumerate(self.network.calls)
        self.budgets = {c: Bucket(10 * x.budget.minimum_per_s) for c, x in calls if x.budget}
        self.breakers = {c: Breaker() for c, x in enumerate(self.network.calls) if x.breaker}

    # Replicas.

    def choose_replica(self, job: Job, s: int, fleet: int) -> Replica:
        ready = [self.replicas[s, fleet, number] for number in self.ready[s, fleet]]
        candidates = [replica for replica in ready if replica.out_until <= self.now] or ready
        how = self.network.stations[s].balancing
        if how is Balancing.LEAST_REQUEST:
            return min(candidates, key=self.in_flight)
        if how is Balancing.RANDOM_OF_TWO:
            bits, n = mix((job.key + self.streams[BALANCE]) & MASK), len(candidates)
            one = int(unit(bits) * n)
            if n == 1:
                return candidates[0]
            other = (one + 1 + int(unit(nth(bits, 0)) * (n - 1))) % n
            return min(candidates[one], candidates[other], key=self.in_flight)
        while True:
            turn = self.turn[s, fleet]
            turn = 0 if turn >= len(ready) else turn
            self.turn[s, fleet] = turn + 1
            if ready[turn] in candidates:
                return ready[turn]

    def in_flight(self, replica: Replica) -> int:
        return sum(1 for job in self.alive.values() if job.replica is replica)

    def note_failure(self, replica: Replica) -> None:
        ejection = self.network.stations[replica.station].ejection
        if ejection is None:
            return
        replica.failed += 1
        ready = [
            self.replicas[replica.station, replica.version, n] for n in self.ready[replica.station, replica.version]
        ]
        out = sum(1 for each in ready if each.out_until > self.now)
        if replica.failed < ejection.consecutive or replica.out_until > self.now:
            return
        if out + 1 <= ejection.most * len(ready):
            replica.failed, replica.out_until = 0, self.now + ejection.for_s

    def within_quota(self, s: int) -> bool:
        quota, bucket = self.network.stations[s].quota, self.quotas.get(s)
        if quota is None or bucket is None:
            return True
        bucket.tokens = min(quota.burst, bucket.tokens + (self.now - bucket.at) * quota.rate_per_s)
        bucket.at = self.now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    # Callers.

    def balance(self, c: int) -> Bucket:
        budget, level = self.budgets[c], self.network.calls[c].budget.minimum_per_s * 10.0
        budget.tokens = level + (budget.tokens - level) * math.exp(-(self.now - budget.at) / 10.0)
        budget.at = self.now
        return budget

    def may_retry(self, c: int, outcome: str) -> bool:
        if outcome == UNSENT:
            return False
        if c in self.budgets:
            budget = self.balance(c)
            if budget.tokens < 1:
                return False
            budget.tokens -= 1
        return True

    def lets_through(self, c: int) -> bool:
        breaker = self.breakers.get(c)
        if breaker is None or breaker.mode == "closed":
            return True
        rule = self.network.calls[c].breaker
        exhausted = breaker.mode == "open" or breaker.probed == rule.probes
        if exhausted and self.now >= breaker.since + rule.open_s:
            self.breakers[c] = breaker = Breaker("half open", self.now)
            exhausted = False
        if exhausted:
            return False
        breaker.probed += 1
        return True

    def learn(self, c: int, sent: float, outcome: str) -> None:
        breaker = self.breakers.get(c)
        if breaker is None or outcome == UNSENT or sent < breaker.since or breaker.mode == "open":
            return
        rule, failed = self.network.calls[c].breaker, outcome != "ok"
        if breaker.mode == "half open":
            breaker.passed += 1
            if failed:
                self.breakers[c] = Breaker("open", self.now)
            elif breaker.passed == rule.probes:
                self.breakers[c] = Breaker("closed", self.now)
            return
        newest = int(self.now / (rule.window_s / 10))
        breaker.seen = [(b, bad) for b, bad in [*breaker.seen, (newest, failed)] if b > newest - 10]
        failures = sum(bad for _, bad in breaker.seen)
        if len(breaker.seen) >= rule.minimum and failures >= rule.errors * len(breaker.seen):
            self.breakers[c] = Breaker("open", self.now)

    def cancel(self, job: Job) -> None:
        """End a job and all below it."""
        todo = [job]
        while todo:
            job = todo.pop()
            todo += [caller.child for caller in [job, *job.branches] if caller.child is not None]
            for caller in [job, *job.branches]:
                caller.child = caller.event = None
            job.branches = []
            job.caller, job.timer, job.event, job.over = "gave up", None, None, True
            if job.holding:
                self.free_worker(job)
            elif job.replica is not None and job in job.replica.queue:
                job.replica.queue.remove(job)
            job.replica = None
            self.count(job, TIMEOUT)
            if self.network.calls[job.step.node.call].writes:
                self.log(job, "reset")
            del self.alive[job.serial]
