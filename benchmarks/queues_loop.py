"""The three queueing systems as the shortest loops over heapq that a Python programmer would write by hand."""

import random
from collections import deque
from heapq import heappop, heappush, heapreplace
from typing import Any

from benchmarks.answer import Answer, means


def mmc(servers: int, n: int, seed: int) -> Answer:
    """M/M/c at load 0.8: a heap of the times when servers become free."""
    draw = random.Random(seed).expovariate
    free, t, waits, rate = [0.0] * servers, 0.0, [], 0.8 * servers
    for _ in range(n):
        t += draw(rate)
        begin = free[0] if free[0] > t else t
        waits.append(begin - t)
        heapreplace(free, begin + draw(1.0))
    return Answer(n, means(waits))


def chain(n: int, seed: int) -> Answer:
    """Gateway, api, db: a heap of (time, number, event, request). A request is [arrived, attempt, answered]."""
    draw = random.Random(seed).expovariate
    rates, idle = (1 / 0.020, 1 / 0.250, 1 / 0.100), [4, 40, 16]
    queues: tuple[deque[Any], ...] = (deque(), deque(), deque())
    heap: list[tuple[float, int, int, Any]] = [(draw(100.0), 0, 3, None)]
    number = arrived = attempts = timed_out = 0
    latencies: list[float] = []
    while heap:
        t, _, event, job = heappop(heap)
        goes_to = -1
        if event == 3:  # a request arrives
            arrived += 1
            if arrived < n:
                number += 1
                heappush(heap, (t + draw(100.0), number, 3, None))
            goes_to, job = 0, ([t, 0, False], 0)
        elif event == 4:  # a timer
            request, attempt = job
            if request[2] or request[1] != attempt:
                continue
            timed_out += 1
            if attempt == 3:
                request[2] = True
                latencies.append(t - request[0])
                continue
            goes_to = 1
        else:  # a stage is done
            queue = queues[event]
            if queue:
                number += 1
                heappush(heap, (t + draw(rates[event]), number, event, queue.popleft()))
            else:
                idle[event] += 1
            request, attempt = job
            if event < 2:
                goes_to = event + 1
            elif not request[2] and request[1] == attempt:
                request[2] = True
                latencies.append(t - request[0])
        if goes_to < 0:
            continue
        if goes_to == 1:
            attempts += 1
            request = job[0]
            request[1] += 1
            job = (request, request[1])
            number += 1
            heappush(heap, (t + 1.0, number, 4, job))
        if idle[goes_to]:
            idle[goes_to] -= 1
            number += 1
            heappush(heap, (t + draw(rates[goes_to]), number, goes_to, job))
        else:
            queues[goes_to].append(job)
    return Answer(n, means(latencies), timed_out / attempts)
