"""The autoscaler's formula and its speed limits, against Kubernetes' documented ones."""

import math

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as some

from scenarios.models import Autoscaling
from simulator.autoscaling import Autoscaler, recommended


@pytest.mark.parametrize(
    ("utilisations", "not_ready", "target", "wanted"),
    [
        ([1.0] * 3, 0, 0.5, 6),  # the documentation's example: twice the target, twice the replicas
        ([0.25] * 4, 0, 0.5, 2),
        ([0.54] * 10, 0, 0.5, 10),  # within 10 %
        ([0.56] * 10, 0, 0.5, 12),
        ([0.46] * 10, 0, 0.5, 10),
        ([0.44] * 10, 0, 0.5, 9),
        ([1.0] * 4, 2, 0.7, 6),  # six would be at 0.667: within the tolerance
        ([1.0] * 4, 1, 0.5, 8),  # five at 0.8: 1.6 times five
        ([0.6] * 2, 6, 0.5, 8),  # never turned round
        ([0.2] * 4, 4, 0.5, 2),  # less: only those that serve count
        ([], 3, 0.5, 3),
    ],
)
def test_the_formula(utilisations: list[float], not_ready: int, target: float, wanted: int) -> None:
    assert recommended(utilisations, not_ready, target) == wanted


@given(some.lists(some.floats(0, 1), min_size=1, max_size=20), some.integers(0, 10), some.floats(0.1, 1.0))
def test_it_moves_towards_the_target_or_not_at_all(seen: list[float], not_ready: int, target: float) -> None:
    wanted, ratio = recommended(seen, not_ready, target), math.fsum(seen) / len(seen) / target
    if wanted > len(seen) + not_ready:
        assert ratio > 1.1
    if wanted < len(seen):
        assert ratio < 0.9
    if not_ready == 0 and abs(ratio - 1) > 0.1 + 1e-9:
        assert wanted == math.ceil(ratio * len(seen) - 1e-9)


def played(until_s: float, replicas: int, **keys: object) -> list[tuple[float, int]]:
    """Orders under a constant demand of 20 busy replicas' worth until 100 s, and one of 2 after it."""
    env = simpy.Environment()
    orders: list[tuple[float, int]] = []
    now = {"replicas": replicas}

    def utilisations() -> list[float]:
        demand = 20.0 if env.now < 100 else 2.0
        return [min(1.0, demand / now["replicas"])] * now["replicas"]

    def order(wanted: int) -> None:
        now["replicas"] = wanted
        orders.append((round(env.now, 6), wanted))

    scaling = Autoscaling.model_validate({"target": "50%", "maximum": 100, **keys})
    Autoscaler(env, scaling, replicas, utilisations, lambda: 0, order)  # type: ignore[arg-type]
    env.run(until=until_s)
    return orders


def test_up_at_most_four_more_or_double_within_15_s() -> None:
    assert played(100.0, 2) == [(15.0, 4), (30.0, 8), (45.0, 16), (60.0, 32), (75.0, 40)]
    assert played(29.0, 2, period="5s") == [(5.0, 4), (10.0, 6), (20.0, 8), (25.0, 12)]
    assert played(20.0, 5) == [(15.0, 10)]


def test_up_to_the_maximum() -> None:
    assert played(100.0, 2, maximum=10)[-1] == (45.0, 10)


def test_down_only_after_the_stabilisation() -> None:
    orders = [order for order in played(450.0, 40) if order[0] > 100]
    # Demand falls at 100 s. Until then 40 was right, last recommended at 90 s; the next, at 105 s, saw it in part.
    assert orders[0][0] == 405.0
    assert orders[-1][1] == 4
    assert played(300.0, 40, scale_down_after="0s")[0][0] == 105.0


def test_the_lag_delays_what_it_sees() -> None:
    # A look each 15 s sees what two replicas did until 75 s, and asks for no more than four for it.
    assert played(100.0, 2, lag="30s") == [(45.0, 4), (90.0, 8)]


def test_the_lag_orders_nothing_twice() -> None:
    env = simpy.Environment()
    orders: list[tuple[float, int]] = []
    there = [2]

    def order(wanted: int) -> None:
        there[0] = wanted
        orders.append((env.now, wanted))

    # 0.8 of a replica are busy whatever their number: 4 at 20 %.
    scaling = Autoscaling.model_validate({"target": "20%", "maximum": 50, "lag": "40s"})
    Autoscaler(env, scaling, 2, lambda: [0.8 / there[0]] * there[0], lambda: 0, order)  # type: ignore[arg-type]
    env.run(until=900)
    assert orders == [(60.0, 4)]


def test_two_versions_side_by_side_are_scaled_by_the_same_share() -> None:
    env = simpy.Environment()
    orders: list[int] = []
    # Four wanted, and six there: a canary of two beside the whole old version.
    scaling = Autoscaling.model_validate({"target": "50%", "maximum": 20})
    Autoscaler(env, scaling, 4, lambda: [0.75] * 6, lambda: 0, orders.append)  # type: ignore[arg-type]
    env.run(until=16)
    assert orders == [6]


def test_a_fleet_above_its_target_does_not_shrink_at_once() -> None:
    """What is there at the start counts as recommended then."""
    assert played(99.0, 60, scale_down_after="60s") == [(75.0, 40)]
