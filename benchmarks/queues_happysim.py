"""The three queueing systems in happysim, from the servers, sources and futures that it comes with.

Needs the package `happysim` (imported as happysimulator), which wants Python 3.13 and is no dependency of the project.
"""

import random
from collections.abc import Generator
from typing import Any

import numpy as np
from happysimulator import Event, Instant, SimFuture, Simulation, Sink, Source, any_of
from happysimulator.components.client import Client, FixedRetry
from happysimulator.components.server import Server
from happysimulator.core.entity import Entity
from happysimulator.distributions import ExponentialLatency

from benchmarks.answer import Answer, means

TIMEOUT_S, ATTEMPTS = 1.0, 3
Process = Generator[Any, Any, list[Event]]


class Replier(Entity):
    """The end of the call: resolves the future that came with the request."""

    def handle_event(self, event: Event) -> None:
        """Answer."""
        event.context["reply"].resolve()


class RacingCaller(Entity):
    """Calls the api: races the reply against a timer, with futures, as the library's documentation does."""

    def __init__(self, api: Server, sink: Sink) -> None:
        super().__init__("caller")
        self.api, self.sink = api, sink
        self.attempts = self.timed_out = 0

    def handle_event(self, event: Event) -> Process:
        """One request from the gateway."""
        for _ in range(ATTEMPTS):
            self.attempts += 1
            reply, timer = SimFuture(), SimFuture()
            call = Event(self.now, "call", self.api, context={"reply": reply})
            expiry = Event.once(self.now + TIMEOUT_S, "timeout", _expire, context={"timer": timer})
            yield 0.0, [call, expiry]
            first, _ = yield any_of(reply, timer)
            if first == 0:
                break
            self.timed_out += 1
        return [self.forward(event, self.sink)]


class ClientCaller(Entity):
    """Calls the api through the library's own Client with its timeout and retry policy."""

    def __init__(self, client: Client) -> None:
        super().__init__("caller")
        self.client = client
        self.latencies_s: list[float] = []

    def handle_event(self, event: Event) -> list[Event]:
        """One request from the gateway."""
        arrived = event.context["created_at"]

        def ended(*_: object) -> None:
            self.latencies_s.append((self.now - arrived).to_seconds())

        return [self.client.send_request(on_success=ended, on_failure=ended)]


def mmc(servers: int, n: int, seed: int) -> Answer:
    """M/M/c at load 0.8, mean service 1. A sink knows times in the system: the mean service is taken off."""
    sink = Sink()
    server = Server("server", servers, ExponentialLatency(1.0), downstream=sink)
    _run(0.8 * servers, n, seed, server, [server, sink])
    return Answer(len(sink.latencies_s), means(sink.latencies_s) - 1.0)


def chain(n: int, seed: int) -> Answer:
    """Gateway, api, db; the timeout and the retries are a race of futures. What timed out goes on."""
    sink, replier = Sink(), Replier("replier")
    db = Server("db", 16, ExponentialLatency(0.100), downstream=replier)
    api = Server("api", 40, ExponentialLatency(0.250), downstream=db)
    caller = RacingCaller(api, sink)
    gateway = Server("gateway", 4, ExponentialLatency(0.020), downstream=caller)
    _run(100.0, n, seed, gateway, [gateway, caller, api, db, replier, sink])
    return Answer(len(sink.latencies_s), means(sink.latencies_s), caller.timed_out / caller.attempts)


def chain_with_client(n: int, seed: int) -> Answer:
    """The same chain with the library's Client between gateway and api."""
    sink = Sink()
    db = Server("db", 16, ExponentialLatency(0.100), downstream=sink)
    api = Server("api", 40, ExponentialLatency(0.250), downstream=db)
    client = Client("client", api, TIMEOUT_S, FixedRetry(ATTEMPTS, delay=0.0))
    caller = ClientCaller(client)
    gateway = Server("gateway", 4, ExponentialLatency(0.020), downstream=caller)
    _run(100.0, n, seed, gateway, [gateway, caller, client, api, db, sink])
    stats = client.stats
    return Answer(len(caller.latencies_s), means(caller.latencies_s), stats.timeouts / stats.requests_sent)


def _expire(event: Event) -> None:
    event.context["timer"].resolve()


def _run(rate: float, n: int, seed: int, target: Entity, entities: list[Entity]) -> None:
    """Play about n Poisson arrivals until nothing is left; the library draws from two global generators."""
    random.seed(seed)
    np.random.seed(seed)
    source = Source.poisson(rate, target, stop_after=Instant.from_seconds(n / rate))
    # A source goes on ticking after its last event, so nothing ends by itself.
    Simulation(sources=[source], entities=entities, duration=n / rate + 60.0).run()
