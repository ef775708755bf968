"""The three queueing systems in SimPy, written the way its guide writes them."""

import random
from collections.abc import Generator
from typing import Any

import simpy

from benchmarks.answer import Answer, means

Process = Generator[simpy.Event, Any, None]


def mmc(servers: int, n: int, seed: int) -> Answer:
    """M/M/c at load 0.8, mean service 1."""
    env, rng, waits = simpy.Environment(), random.Random(seed), []
    resource = simpy.Resource(env, servers)

    def request() -> Process:
        arrived = env.now
        with resource.request() as turn:
            yield turn
            waits.append(env.now - arrived)
            yield env.timeout(rng.expovariate(1.0))

    def source() -> Process:
        for _ in range(n):
            yield env.timeout(rng.expovariate(0.8 * servers))
            env.process(request())

    env.process(source())
    env.run()
    return Answer(n, means(waits))


def chain(n: int, seed: int) -> Answer:
    """Gateway, api, db with a timeout and retries between the first two; what timed out goes on."""
    env, rng, latencies = simpy.Environment(), random.Random(seed), []
    gateway, api, db = (simpy.Resource(env, workers) for workers in (4, 40, 16))
    attempts = timed_out = 0

    def work(resource: simpy.Resource, mean_s: float) -> Process:
        with resource.request() as turn:
            yield turn
            yield env.timeout(rng.expovariate(1 / mean_s))

    def call_api() -> Process:
        yield from work(api, 0.250)
        yield from work(db, 0.100)

    def request() -> Process:
        nonlocal attempts, timed_out
        arrived = env.now
        yield from work(gateway, 0.020)
        for _ in range(3):
            attempts += 1
            call = env.process(call_api())
            yield call | env.timeout(1.0)
            if call.processed:
                break
            timed_out += 1
        latencies.append(env.now - arrived)

    def source() -> Process:
        for _ in range(n):
            yield env.timeout(rng.expovariate(100.0))
            env.process(request())

    env.process(source())
    env.run()
    return Answer(n, means(latencies), timed_out / attempts)
