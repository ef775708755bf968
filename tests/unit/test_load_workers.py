"""What several workers are told to send, and how well their clocks are known."""

from __future__ import annotations

import re

import numpy as np
import pytest

from chaos.load.clock import Clock, clock_between, error_over
from chaos.load.errors import PlanRefused
from chaos.load.plan import FunctionLoad, LoadPlan
from chaos.load.schedule import draw
from chaos.load.workers import WORKERS_MAX, Address, Workers


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_hold_every_request_of_the_schedule_once(count: int) -> None:
    plan = LoadPlan("http://127.0.0.1", (FunctionLoad("a", ((0.0, 30.0),)), FunctionLoad("b", ((0.0, 9.0),))), 10.0)
    whole = draw(plan)
    shares = [draw(plan).share(number, count) for number in range(count)]
    sent = sorted((int(f), int(i)) for share in shares for f, i in zip(share.function, share.index, strict=True))
    assert sent == sorted((int(f), int(i)) for f, i in zip(whole.function, whole.index, strict=True))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(np.all(np.diff(share.intended_s) >= 0) for share in shares)


def test_the_fastest_answer_says_most_about_a_clock() -> None:
    """The other is 100 s ahead; the second answer came back in 2 ms, read 0.5 ms after it was asked."""
    clock = clock_between([(1.0, 101.9, 2.0), (3.0, 103.0005, 3.002), (4.0, 104.3, 4.4)])
    assert clock.ahead_s == pytest.approx(99.9995)
    assert clock.error_s == pytest.approx(0.001)
    assert abs(clock.ahead_s - 100.0) <= clock.error_s


def test_clocks_that_drift_are_less_sure_of_each_other() -> None:
    begin = Clock(5.0, 0.001)
    assert error_over(begin, Clock(5.0002, 0.0005)) == 0.001
    assert error_over(begin, Clock(5.030, 0.002)) == pytest.approx(0.032)


@pytest.mark.parametrize("text", ["127.0.0.1:5557", "[::1]:5557"])
def test_an_address_is_read_as_it_is_written(text: str) -> None:
    assert str(Address.parse(text, "--master")) == text


@pytest.mark.parametrize("text", ["localhost:5557", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", ":1"])
def test_another_address_is_refused(text: str) -> None:
    with pytest.raises(PlanRefused, match=re.escape(f"--master(={text}) must be a numeric address and a port")):
        Address.parse(text, "--master")


@pytest.mark.parametrize("count", [0, -1, WORKERS_MAX + 1])
def test_another_number_of_workers_is_refused(count: int) -> None:
    with pytest.raises(PlanRefused, match=re.escape(f"--load-workers(={count}) must be 1..{WORKERS_MAX}")):
        Workers(count)


def test_one_worker_is_the_child_itself_unless_it_joins() -> None:
    assert Workers().alone
    assert not Workers(2).alone
    assert not Workers(1, Address("127.0.0.1", 5557)).alone
