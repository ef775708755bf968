"""SimPy on the wall clock: order, threads and ends. Times are bounds that no healthy machine comes near."""

import threading
import time
from collections.abc import Generator
from typing import Any

import pytest
import simpy

from rollout.errors import WorldError
from rollout.wallclock import WallClockEnvironment


def test_timeouts_come_in_order_and_not_early() -> None:
    env = WallClockEnvironment()
    log: list[tuple[float, float]] = []

    def sleeper(delay_s: float) -> Generator[simpy.Event, Any, None]:
        yield env.timeout(delay_s)
        log.append((env.now, env.wall_s()))

    for delay_s in (0.09, 0.03, 0.06):
        env.process(sleeper(delay_s))
    env.run(until=0.1)
    assert [now for now, _ in log] == [0.03, 0.06, 0.09]
    assert all(wall_s >= now for now, wall_s in log)


def test_a_thread_wakes_the_loop_long_before_the_next_timeout() -> None:
    env = WallClockEnvironment()
    env.timeout(3600.0)
    assert env.run(until=env.in_thread(lambda a, b: a + b, 2, 3)) == 5
    assert env.now < 60.0


def test_threads_run_at_the_same_time_and_the_loop_goes_on() -> None:
    env = WallClockEnvironment()
    # Each waits for the other: one after the other they would never get past.
    barrier = threading.Barrier(2, timeout=30.0)
    ticks: list[float] = []

    def ticking() -> Generator[simpy.Event, Any, None]:
        while True:
            ticks.append(env.now)
            yield env.timeout(0.01)

    env.process(ticking())
    env.run(until=env.in_thread(barrier.wait) & env.in_thread(barrier.wait))
    env.run(until=env.now + 0.05)
    assert len(ticks) >= 5


def test_a_failing_thread_raises_in_whoever_waits() -> None:
    env = WallClockEnvironment()

    def fails() -> None:
        raise WorldError("no answer")

    def waits() -> Generator[simpy.Event, Any, str]:
        try:
            yield env.in_thread(fails)
        except WorldError as error:
            return f"caught {error}"
        return "nothing"

    assert env.run(until=env.process(waits())) == "caught no answer"


def test_a_failing_thread_that_nobody_waits_for_stops_the_run() -> None:
    env = WallClockEnvironment()

    def fails() -> None:
        raise WorldError("no answer")

    env.in_thread(fails)
    with pytest.raises(WorldError, match="no answer"):
        env.run(until=30.0)


def test_calls_from_other_threads_are_made_by_the_loop_in_their_order() -> None:
    env = WallClockEnvironment()
    made: list[tuple[int, str]] = []
    done = env.event()

    def caller() -> None:
        for number in range(5):
            env.call_soon(lambda number=number: made.append((number, threading.current_thread().name)))
        env.call_soon(done.succeed)

    thread = threading.Thread(target=caller)
    thread.start()
    env.run(until=done)
    thread.join(timeout=30.0)
    assert made == [(number, threading.current_thread().name) for number in range(5)]


def test_a_call_happens_at_its_own_moment_not_at_that_of_the_last_event() -> None:
    env = WallClockEnvironment()
    env.run(until=0.05)
    time.sleep(0.05)
    moments: list[float] = []
    env.call_soon(lambda: moments.append(env.now))
    env.run(until=0.2)
    assert 0.1 <= moments[0] <= 0.2


def test_waiting_costs_no_processor_time() -> None:
    env = WallClockEnvironment()
    started_s = time.thread_time()
    env.run(until=0.6)
    assert env.wall_s() >= 0.6
    # A busy loop would take all of the 0.6 s.
    assert time.thread_time() - started_s < 0.2


def test_run_until_a_time_ends_though_later_events_are_there() -> None:
    env = WallClockEnvironment()
    env.timeout(3600.0)
    env.run(until=0.02)
    assert env.now == 0.02


def test_the_start_can_lie_in_the_past() -> None:
    env = WallClockEnvironment(start_monotonic_s=time.monotonic() - 100.0)
    log: list[float] = []
    env.timeout(50.0).callbacks.append(lambda _: log.append(env.now))
    env.run(until=60.0)
    assert log == [50.0]
    assert env.wall_s() >= 100.0


def test_whoever_undoes_can_wait_for_blocking_work() -> None:
    env = WallClockEnvironment()
    assert env.idle(0.0)
    release = threading.Event()
    env.in_thread(release.wait, 10.0)
    assert not env.idle(0.05)
    release.set()
    assert env.idle(5.0)


def test_what_a_thread_tells_after_the_end_is_told() -> None:
    env, go = WallClockEnvironment(), threading.Event()
    told: list[str] = []

    def work() -> None:
        assert go.wait(30.0)
        env.call_soon(lambda: told.append("undone"))

    env.in_thread(work)
    env.run(until=0.01)
    go.set()
    assert env.idle(30.0)
    assert told == []
    env.make_calls_left()
    assert told == ["undone"]
