"""The ranking of inputs, against cases whose shares of variance are known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from evidence.errors import JudgeError
from evidence.sensitivity import rank_inputs

Values = NDArray[np.float64]


def inputs(n: int, *names: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {name: rng.random(n) for name in names}


def test_shares_of_a_linear_model_are_those_of_its_variances() -> None:
    x = inputs(4000, "strong", "weak", "none")
    noise = np.random.default_rng(6).normal(size=4000)
    # Variances: 9/12, 1/12, and 0.5 of noise.
    y = 3 * x["strong"] + x["weak"] + np.sqrt(0.5) * noise
    total = 9 / 12 + 1 / 12 + 0.5
    ranked = rank_inputs(x, {("f", "m"): y}, seed=1)
    assert [each.input for each in ranked] == ["strong", "weak", "none"]
    assert ranked[0].share.value == pytest.approx(9 / 12 / total, abs=0.02)
    assert ranked[1].share.value == pytest.approx(1 / 12 / total, abs=0.02)
    assert [each.told for each in ranked] == [True, True, False]
    assert ranked[0].high_mean - ranked[0].low_mean == pytest.approx(2.0, abs=0.1)
    assert all(each.share.low <= each.share.value <= each.share.high for each in ranked)


@pytest.mark.parametrize(("shape", "within"), [(lambda x: 3.0 * x, 1e-9), (lambda x: (x - 0.5) ** 2, 0.03)])
def test_few_replications_show_all_that_an_input_does(shape: Callable[[Values], Values], within: float) -> None:
    x = inputs(60, "only", "none")
    found = {each.input: each for each in rank_inputs(x, {("f", "m"): shape(x["only"])}, seed=1)}
    assert found["only"].share.value == pytest.approx(1.0, abs=within)
    assert found["only"].share.value <= 1.0
    assert not found["none"].told


def test_intervals_hold_what_an_input_explains() -> None:
    hold = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.random(100)
        y = 12**0.5 * x + rng.normal(size=100)
        [found] = rank_inputs({"half": x}, {("f", "m"): y}, seed=seed)
        hold += found.share.low <= 0.5 <= found.share.high
    assert hold >= 16  # of 20 that hold in 95 % each; fewer once in 400


def test_an_influence_that_goes_up_and_down_is_found() -> None:
    x = inputs(1000, "bow", "other")
    ranked = rank_inputs(x, {("f", "m"): (x["bow"] - 0.5) ** 2}, seed=1)
    assert ranked[0].input == "bow"
    assert ranked[0].share.value > 0.9
    assert ranked[0].told


def test_an_input_that_matters_in_bad_releases_alone_is_found() -> None:
    """Four fifths hurt nobody, whatever the inputs: by ranks one in six of these would be found."""
    told = 0
    for seed in range(10):
        x = inputs(1000, "a", "b")
        bad = np.random.default_rng(100 + seed).random(1000) < 0.2
        ranked = rank_inputs(x, {("buy", "rto_s"): bad * 10.0 * x["a"]}, seed)
        told += next(each.told for each in ranked if each.input == "a")
        assert all(each.share.low == 0.0 for each in ranked if not each.told)
    assert told == 10


def test_without_influence_few_inputs_are_told_apart() -> None:
    told = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = {str(name): rng.random(200) for name in range(10)}
        told += any(each.told for each in rank_inputs(x, {("f", "m"): rng.exponential(size=200)}, seed=1))
    assert told <= 4  # a twentieth of the rankings, on average one of these 20; more than 4 once in 400


def test_what_does_not_vary_is_explained_by_nothing() -> None:
    ranked = rank_inputs(inputs(100, "x"), {("f", "m"): np.zeros(100)}, seed=1)
    assert (ranked[0].share.value, ranked[0].told) == (0.0, False)


def test_few_replications_are_refused() -> None:
    with pytest.raises(JudgeError, match=r"at least 60 replications \(got 59\)"):
        rank_inputs(inputs(59, "x"), {("f", "m"): np.zeros(59)}, seed=1)
