"""The three queueing systems in cimba, which compiles models written as Python classes for its engine in C.

Needs the package `cimba`, which is no dependency of the project.
"""

import cimba as cb
import numpy as np
from cimba import inputs, random

from benchmarks.answer import Answer, means

ANSWERED, TIMED_OUT = 0, 1  # what a waiting request is woken with


class Queue(cb.Model):
    """M/M/1: one process puts times of arrival into a store, another takes them out."""

    interarrival: cb.Input[float]
    service: cb.Input[float]
    arriving: cb.Param[int]
    store: cb.Store[float]
    waits: cb.Dataset = cb.Dataset()

    @cb.process
    def arrivals(self) -> None:
        """Poisson arrivals."""
        for _ in range(self.arriving):
            cb.hold(self.interarrival.next())
            self.store.put(cb.now())

    @cb.process
    def server(self) -> None:
        """Serve one after the other."""
        while True:
            arrived = self.store.get()
            self.waits.record(cb.now() - arrived)
            cb.hold(self.service.next())


class TenServers(Queue):
    """M/M/10: the same with ten copies of the serving process."""

    @cb.process(copies=10)
    def server(self) -> None:
        """Serve one after the other."""
        while True:
            arrived = self.store.get()
            self.waits.record(cb.now() - arrived)
            cb.hold(self.service.next())


class Attempt(cb.Model):
    """One call of the api, which goes on when nobody waits for it any more."""

    number: int
    request: "cb.Ref[Request]"

    @cb.process
    def work(self) -> None:
        """Api, then db; then wake the request if it still waits for this attempt."""
        request = self.request
        chain = request.chain
        chain.api.acquire(1)
        cb.hold(random.exponential(0.250))
        chain.api.release(1)
        chain.db.acquire(1)
        cb.hold(random.exponential(0.100))
        chain.db.release(1)
        if request.awaited == self.number:
            cb.Process(request.pointer).resume(ANSWERED)


class Request(cb.Model):
    """One request: gateway, then up to three attempts."""

    chain: "cb.Ref[Chain]"
    awaited: int = 0
    pointer: int = 0

    @cb.process
    def life(self) -> None:
        """Pass the gateway, call, wait for the answer or the timer, whichever is first."""
        chain, me, arrived = self.chain, cb.this_process(), cb.now()
        self.pointer = me.pointer
        chain.gateway.acquire(1)
        cb.hold(random.exponential(0.020))
        chain.gateway.release(1)
        for number in range(1, 4):
            self.awaited = number
            chain.attempts += 1
            cb.spawn(Attempt, number=number, request=self)
            me.timer_set(1.0, TIMED_OUT)
            woken = cb.suspend()
            self.awaited = 0
            me.timers_clear()
            if woken == ANSWERED:
                break
            chain.timed_out += 1
        chain.latencies.record(cb.now() - arrived)


class Chain(cb.Model):
    """Gateway, api, db with a timeout and retries between the first two."""

    arriving: cb.Param[int]
    gateway: cb.Resource = cb.Resource(capacity=4)
    api: cb.Resource = cb.Resource(capacity=40)
    db: cb.Resource = cb.Resource(capacity=16)
    latencies: cb.Dataset = cb.Dataset()
    attempts: cb.Output[int] = 0
    timed_out: cb.Output[int] = 0

    @cb.process
    def arrivals(self) -> None:
        """Poisson arrivals, each a process of its own."""
        for _ in range(self.arriving):
            cb.hold(random.exponential(0.01))
            cb.spawn(Request, chain=self)


def mmc(servers: int, n: int, seed: int) -> Answer:
    """M/M/c at load 0.8, mean service 1; c is 1 or 10, since copies of a process are fixed when it is declared."""
    model = {1: Queue, 10: TenServers}[servers]()
    model.interarrival = inputs.dist.exponential(mean=1 / (0.8 * servers))
    model.service = inputs.dist.exponential(mean=1.0)
    model.arriving = n
    model.waits.capture()
    return Answer(n, _batches(_run(model, seed)[model].waits))


def chain(n: int, seed: int) -> Answer:
    """The chain; what timed out goes on."""
    model = Chain()
    model.arriving = n
    model.latencies.capture()
    found = _run(model, seed)[model]
    return Answer(n, _batches(found.latencies), float(found.timed_out[0, 0] / found.attempts[0, 0]))


def _run(model: cb.Model, seed: int) -> cb.Results:
    results = cb.Experiment(model, window=cb.Window.until_idle(), seed=seed).run(workers=1)
    if results.failed.any():
        raise RuntimeError(f"cimba: {results.failure_reasons[0, 0]}")
    return results


def _batches(signal: cb.Signal) -> np.ndarray:
    _, values = signal.trial(0, 0)
    return means(values)
