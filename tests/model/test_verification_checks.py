"""Every check of `windtunnel verify` passes, and each kind fails when the theory or the program is wrong."""

import dataclasses
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from evidence import health, histogram, statistics
from rollout.judges import sequential
from simulator.errors import RequestError
from simulator.kernel.plane import DataPlane, Defect, Recording
from simulator.layout import ARRIVED
from simulator.network import Distribution, Kind, Quota
from simulator.rare import splitting
from simulator.verification import closed_forms, queues, quota
from simulator.verification.agreement import Agreement, around, exactly, of_batches, of_share
from simulator.verification.registry import CHECKS
from simulator.verification.run import Checked, chosen, verify
from simulator.verification.settings import Settings

FEW = Settings(seed=1, repetitions=100)
NAMES = [check.name for check in CHECKS]


def play(name: str) -> list[Agreement]:
    return list(verify(FEW, [name])[0].agreements)


def outside(name: str) -> list[str]:
    return [each.case for each in play(name) if not each.within]


@pytest.mark.parametrize("name", NAMES)
def test_every_check_passes(name: str) -> None:
    agreements = play(name)
    assert agreements
    assert [each for each in agreements if not each.within] == []


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "coverage"])
def test_checks_pass_on_other_seeds(name: str, seed: int) -> None:
    checked = verify(Settings(seed, 50), [name])[0]
    assert [each for each in checked.agreements if not each.within] == []


# What is planted: a formula off by a little.


def scaled(function: Callable[..., float], factor: float) -> Callable[..., float]:
    return lambda *arguments: factor * function(*arguments)


@pytest.mark.parametrize(
    ("name", "formula", "factor"),
    [
        ("mmc", "erlang_c_wait_s", 1.1),
        ("mg1", "pollaczek_khinchine_wait_s", 1.1),
        ("mm1k", "mm1k_refused", 1.05),
        ("quota", "md1k_refused", 1.03),
        ("retries", "retries_failed", 1.05),
        ("retries", "retries_load", 1.01),
        ("retries", "retries_take_s", 1.01),
        ("kills", "all_survive_independent", 1.5),
        ("krasnovsky", "all_survive", 1.5),
        ("judges", "found_at_one_look", 1.3),
    ],
)
def test_a_wrong_theory_is_caught(name: str, formula: str, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_forms, formula, scaled(getattr(closed_forms, formula), factor))
    assert outside(name)


# What is planted: a program that is wrong by a little.


def test_a_sequential_test_that_never_trips_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential.AgainstLimit, "log_evidence", lambda _: -math.inf)
    assert outside("judges") == ["bad releases that a sequential test finds"]


def test_a_service_time_that_is_too_long_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    network = queues.one_station
    monkeypatch.setattr(
        queues,
        "one_station",
        lambda workers, service, *rest: network(workers, Distribution(Kind.EXPONENTIAL, 1.01 * service.p0), *rest),
    )
    assert outside("mmc")


def test_errors_that_come_too_often_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DataPlane.set_defects

    def biased(plane: DataPlane, station: int, version: int, defects: list[Defect]) -> None:
        more = [dataclasses.replace(each, error_ratio=1.02 * each.error_ratio) for each in defects]
        right(plane, station, version, more)

    monkeypatch.setattr(DataPlane, "set_defects", biased)
    assert outside("retries")


def test_weights_that_are_off_by_a_thirtieth_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DataPlane.set_weights

    def biased(plane: DataPlane, station: int, weights: tuple[float, float]) -> None:
        new = weights[1] * 31 / 30
        right(plane, station, (1 - new, new))

    monkeypatch.setattr(DataPlane, "set_weights", biased)
    assert "thinning by routing weight" in outside("thinning")


def test_a_quota_of_a_fiftieth_more_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "Quota", lambda rate_per_s, burst: Quota(1.02 * rate_per_s, burst))
    assert outside("quota")


def test_a_latency_that_is_a_tenth_short_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DataPlane.set_latency

    def short(plane: DataPlane, call: int, latency_s: float, jitter_s: float = 0.0) -> None:
        right(plane, call, 0.9 * latency_s, jitter_s)

    monkeypatch.setattr(DataPlane, "set_latency", short)
    injected = ["an injected latency: time taken", "an injected latency with jitter: time taken"]
    assert outside("latency") == [*injected, "requests that take just the injected latency"]


def test_a_rank_that_is_one_short_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = statistics.quantile_with_interval
    for field in ("value", "low", "high"):

        def short(values: Any, quantile: float, field: str = field) -> statistics.Estimate:
            found = right(values, quantile)
            return dataclasses.replace(found, **{field: getattr(found, field) - 1})

        monkeypatch.setattr(statistics, "quantile_with_interval", short)
        assert len(outside("ranks")) == 2  # of both quantiles
    monkeypatch.setattr(statistics, "quantile_with_interval", right)
    rank, judged = histogram.rank, health.good_windows
    monkeypatch.setattr(histogram, "rank", lambda quantile, total: rank(quantile, total) - 1)
    assert outside("ranks") == ["histograms of 1 to 1000 values judged wrongly"]
    monkeypatch.setattr(histogram, "rank", rank)
    monkeypatch.setattr(
        health,
        "good_windows",
        lambda criteria, cells, requests, failed, latency: judged(
            criteria, cells, requests, failed, latency + np.array([1, 0, 0])
        ),
    )
    assert outside("ranks") == ["windows of 1 to 1000 values judged wrongly"]


def test_a_lost_request_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DataPlane.kill

    def forgetful(plane: DataPlane, station: int, version: int, replica: int) -> None:
        right(plane, station, version, replica)
        plane.state.client[0, 0, ARRIVED] += 1

    monkeypatch.setattr(DataPlane, "kill", forgetful)
    assert "arrivals = ok + failed by kind + unfinished" in outside("conservation")
    assert "requests unaccounted for" in outside("conservation")


def test_a_job_left_behind_at_a_station_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DataPlane.kill

    def forgetful(plane: DataPlane, station: int, version: int, replica: int) -> None:
        right(plane, station, version, replica)
        plane.state.stations[station]["left"] -= 1

    monkeypatch.setattr(DataPlane, "kill", forgetful)
    assert outside("conservation") == ["jobs unaccounted for at a station"]


def test_a_replica_that_survives_its_kill_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DataPlane.kill

    def spared(plane: DataPlane, station: int, version: int, replica: int) -> None:
        if station != 0:
            right(plane, station, version, replica)

    monkeypatch.setattr(DataPlane, "kill", spared)
    assert outside("kills")
    assert outside("krasnovsky")


def test_times_that_the_caller_does_not_wait_are_caught_by_littles_law(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DataPlane.recording

    def flattering(plane: DataPlane) -> Recording:
        recording = right(plane)
        recording.writes["acknowledged_s"] -= 0.05 * (
            recording.writes["acknowledged_s"] - recording.writes["invoked_s"]
        )
        return recording

    monkeypatch.setattr(DataPlane, "recording", flattering)
    assert len(outside("little")) == 3


@pytest.mark.parametrize(
    ("module", "interval", "arguments", "cases"),
    [
        # A difference of means is the mean of the differences.
        (statistics, "mean_with_interval", 1, {"mean", "paired difference of means"}),
        (statistics, "paired_mean_difference", 2, {"paired difference of means"}),
        (
            statistics,
            "quantile_with_interval",
            2,
            {"quantile 0.5, order statistics", "quantile 0.95, order statistics"},
        ),
        (statistics, "paired_share_difference", 2, {"paired shares, nested", "paired shares, by other causes"}),
        (statistics, "share_with_interval", 2, {"attainment, Clopper-Pearson"}),
        (splitting, "estimate", 2, {"rare event, by splitting"}),
    ],
)
def test_an_interval_of_less_confidence_is_caught(
    module: ModuleType, interval: str, arguments: int, cases: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 % instead of 95 %, wherever it is asked for: what it is held to must not follow it."""
    right: Any = getattr(module, interval)
    monkeypatch.setattr(module, interval, lambda *given: right(*given[:arguments], 0.8))
    found = {each.case for each in verify(Settings(1, 400), ["coverage"])[0].agreements if not each.within}
    assert found == cases


# The lines themselves.


def test_bounds_are_part_of_what_is_within() -> None:
    assert exactly("n", 3, 3).within
    assert not exactly("n", 3, 4).within
    assert around("x", 1.0, 1.4, 0.1, "it").within
    assert not around("x", 1.0, 1.41, 0.1, "it").within
    assert not around("x", 1.0, math.nan, 0.1, "it").within


def test_standard_errors_are_those_of_the_estimate() -> None:
    share = of_share("p", 0.5, 40, 100)
    assert (share.low, share.high) == (pytest.approx(0.3), pytest.approx(0.7))
    means = np.array([9.0, 10.0, 11.0, 10.0])
    batch = of_batches("m", 10.0, means)
    assert batch.high - 10.0 == pytest.approx(4 * means.std(ddof=1) / 2)


def test_a_run_too_noisy_to_say_anything_is_no_pass() -> None:
    with pytest.raises(AssertionError, match="too large to say anything"):
        of_batches("m", 1.0, [0.0, 2.0, 1.0])


def test_the_table_names_each_check_once_and_takes_no_other() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [check.name for check in chosen(["retries", "mmc"])] == ["mmc", "retries"]
    assert len(chosen([])) == len(NAMES)
    with pytest.raises(RequestError, match=r"only\(=nothing\) must be one of: mmc, "):
        chosen(["nothing"])


def test_the_same_seed_gives_the_same_lines() -> None:
    assert verify(FEW, ["thinning", "kills"]) == verify(FEW, ["thinning", "kills"])
    assert not Checked("x", (exactly("n", 3, 4), exactly("n", 3, 3))).within
