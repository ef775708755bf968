"""When defects show: late, growing, or only while the service is busy."""

from itertools import pairwise

import simpy

from scenarios.models import Defect
from simulator.defects import DefectSwitch, at_strength


def defect(**keys: str) -> Defect:
    return Defect.model_validate({"name": "d", "probability": "50%", "errors": "40%", **keys})


def strengths(*defects: Defect, serves_at_s: float = 10.0, until_s: float = 100.0, rate=lambda _t: 0.0):
    """(time, strengths) of each change under a version that first serves at `serves_at_s`."""
    env, log = simpy.Environment(), []
    came = {"n": 0.0, "at": 0.0}

    def offered() -> float:
        came["n"] += rate(came["at"]) * (env.now - came["at"])
        came["at"] = env.now
        return came["n"]

    switch = DefectSwitch(
        env, defects, offered, lambda each: log.append((round(env.now, 6), [strength for _, strength in each]))
    )
    env.timeout(serves_at_s).callbacks.append(lambda _: switch.serve())
    env.timeout(serves_at_s + 5).callbacks.append(lambda _: switch.serve())
    env.run(until=until_s)
    return log


def test_a_defect_without_times_is_there_from_the_start() -> None:
    assert strengths(defect()) == [(0, [1.0])]


def test_after_counts_from_the_first_traffic_once() -> None:
    assert strengths(defect(after="20s"), defect()) == [(0, [0.0, 1.0]), (30, [1.0, 1.0])]


def test_a_ramp_rises_evenly() -> None:
    log = strengths(defect(after="5s", ramp="50s"))
    assert log[0] == (0, [0.0])
    assert log[1] == (15, [0.005])
    assert log[-1] == (65, [1.0])
    area = sum(level[0] * (end - start) for (start, level), (end, _) in pairwise(log) if start >= 15)
    assert abs(area - 25.0) < 1e-6


def test_it_shows_only_above_the_rate() -> None:
    log = strengths(defect(above_rate="50/s"), rate=lambda t: 100.0 if 30 <= t < 60 else 10.0)
    # Over the last 5 s: 3 s of 100/s and 2 s of 10/s are above 50/s, and so are 3 s after the peak.
    assert log == [(0, [0.0]), (33, [1.0]), (63, [0.0])]


def test_rates_and_times_go_together() -> None:
    log = strengths(defect(above_rate="50/s", after="40s"), rate=lambda t: 100.0 if 30 <= t < 60 else 10.0)
    assert [each for each in log if each[1] == [1.0]] == [(50, [1.0])]
    assert log[-1] == (63, [0.0])


def test_strength_scales_what_it_does() -> None:
    full = Defect.model_validate(
        {"name": "d", "probability": "1%", "errors": "40%", "latency": "x3", "lost_writes": "10%"}
    )
    half = at_strength(full, 0.5, 2)
    assert (half.error_ratio, half.latency_factor, half.lost_write_ratio, half.cohort) == (0.2, 2.0, 0.05, 2)
