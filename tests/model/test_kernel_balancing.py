"""Load balancing against queueing theory."""

import numpy as np
import pytest

from simulator.kernel.plane import DataPlane
from simulator.network import CLIENT, Balancing, Call, Distribution, Function, Kind, Network, Node, Station

REPLICAS, LOAD, SERVICE_S = 20, 0.9, 0.1


def mean_jobs(balancing: Balancing, replicas: int = REPLICAS) -> float:
    """Jobs per replica in the long run, over 2000 s of exponential work on single workers."""
    station = Station("s", 1, Distribution(Kind.EXPONENTIAL, SERVICE_S), replicas=(replicas,), balancing=balancing)
    network = Network(
        (station,),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, LOAD * replicas / SERVICE_S),), Node(0)),),
        1.0,
        2200,
        np.array([1.0]),
    )
    plane = DataPlane(network, 7)
    plane.set_ready(0, 0, range(replicas))
    seen = []
    for until_s in (200.0, 2200.0):
        plane.run(until_s)
        record = plane.state.stations[0]
        seen.append(record["balance_s"] + (record["entered"] - record["left"]) * until_s)
    return float((seen[1] - seen[0]) / 2000.0 / replicas)


def test_the_better_of_two_shortens_queues_as_mitzenmacher_has_it():
    """Limit of many replicas: the share with at least i jobs is load ** (2**i - 1). Twenty are near it."""
    limit = sum(LOAD ** (2**i - 1) for i in range(1, 12))
    assert mean_jobs(Balancing.RANDOM_OF_TWO) == pytest.approx(limit, rel=0.08)


def test_least_request_is_better_still_and_not_better_than_one_queue_for_all():
    from scipy.stats import poisson

    offered = LOAD * REPLICAS
    blocking = poisson.pmf(REPLICAS, offered) / poisson.cdf(REPLICAS, offered)
    waiting = blocking / (1 - LOAD * (1 - blocking))  # Erlang C
    one_queue = (offered + waiting * LOAD / (1 - LOAD)) / REPLICAS
    shortest, two = mean_jobs(Balancing.LEAST_REQUEST), mean_jobs(Balancing.RANDOM_OF_TWO)
    assert one_queue * 0.99 < shortest < two


def test_round_robin_stays_between_random_and_the_better_of_two():
    """Arrivals to each replica are Erlang: better than M/M/1 by nearly half, worse than a look at the queues."""
    alone = LOAD / (1 - LOAD)
    assert mean_jobs(Balancing.RANDOM_OF_TWO) < mean_jobs(Balancing.ROUND_ROBIN) < 0.7 * alone
