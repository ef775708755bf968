"""Third parties: an alternating renewal process is up MTBF / (MTBF + MTTR) of the time, at any time."""

import numpy as np
import pytest

from scenarios.models import Availability
from simulator.availability import outages

RUNS = 4000
UNTIL_S = 1000.0

OUTAGES = {
    "constant": "40s",
    "exponential": {"exponential": {"mean": "40s"}},
    "lognormal": {"lognormal": {"mean": "40s", "cv": 1.5}},
    "uniform": {"uniform": {"low": "20s", "high": "60s"}},
}


def spans(shape: str, uptime: str, runs: int = RUNS) -> list[list[tuple[float, float]]]:
    availability = Availability.model_validate({"uptime": uptime, "outage": OUTAGES[shape]})
    rngs = np.random.default_rng(5).spawn(runs)
    return [list(outages(availability, UNTIL_S, rng)) for rng in rngs]


def test_the_uptime_gives_the_mean_time_between_outages() -> None:
    assert Availability.model_validate({"uptime": "99.9%", "outage": "1m"}).up_mean_s == pytest.approx(59_940)


@pytest.mark.parametrize("shape", OUTAGES)
def test_up_for_its_uptime_at_any_moment(shape: str) -> None:
    runs = spans(shape, "80%")
    # The first moments would show a process that begins with everything up, or with a whole outage.
    for time_s in (0.0, 1.0, 10.0, 45.0, 300.0, 999.0):
        down = np.mean([any(start <= time_s < end for start, end in run) for run in runs])
        assert down == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / RUNS)), time_s


@pytest.mark.parametrize("shape", OUTAGES)
def test_down_for_the_rest_of_the_time(shape: str) -> None:
    shares = [sum(min(end, UNTIL_S) - start for start, end in run) / UNTIL_S for run in spans(shape, "95%")]
    assert np.mean(shares) == pytest.approx(0.05, abs=4 * np.std(shares) / np.sqrt(RUNS))


def test_outages_neither_overlap_nor_begin_after_the_end() -> None:
    for run in spans("exponential", "50%", 200):
        bounds = [time_s for span in run for time_s in span]
        assert bounds == sorted(bounds)
        assert all(start < UNTIL_S for start, _ in run)
