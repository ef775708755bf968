"""The formulas themselves, against figures that do not come from them: published ones, and enumeration."""

import itertools
import math

import pytest

from simulator.verification import closed_forms
from simulator.verification.kills import exact_availability


@pytest.mark.parametrize(("servers", "wait_s"), [(1, 4.0), (10, 0.20459)])
def test_erlangs_waits_are_the_published_ones(servers, wait_s):
    assert closed_forms.erlang_c_wait_s(servers, 0.8, 1.0) == pytest.approx(wait_s, abs=5e-6)


def test_pollaczek_khinchine_meets_its_special_cases():
    assert closed_forms.pollaczek_khinchine_wait_s(0.8, 1.0, 0.0) == pytest.approx(2.0)  # M/D/1
    assert closed_forms.pollaczek_khinchine_wait_s(0.8, 1.0, 1.0) == closed_forms.erlang_c_wait_s(1, 0.8, 1.0)


def test_mm1k_is_the_last_of_the_birth_and_death_probabilities():
    weights = [0.9**k for k in range(5)]
    assert closed_forms.mm1k_refused(0.9, 4) == pytest.approx(weights[4] / sum(weights))


@pytest.mark.parametrize("x", [0.1, 0.5, 0.9])
def test_retries_agree_with_counting_the_attempts(x):
    chances = {attempts: x ** (attempts - 1) * (1 - x) for attempts in (1, 2, 3)} | {4: x**3}
    mean = sum(attempts * chance for attempts, chance in chances.items())
    variance = sum((attempts - mean) ** 2 * chance for attempts, chance in chances.items())
    assert closed_forms.retries_failed(x, 3) == pytest.approx(x**4)
    assert closed_forms.retries_load(x, 3) == pytest.approx(mean)
    assert closed_forms.retries_load_variance(x, 3) == pytest.approx(variance)


@pytest.mark.parametrize("killed", range(8))
def test_survival_agrees_with_every_set_of_victims(killed):
    containers = ["a", "a", "b", "b", "b", "other", "other"]
    survived = [
        not {"a", "b"} - {containers[place] for place in range(7) if place not in victims}
        for victims in itertools.combinations(range(7), killed)
    ]
    assert closed_forms.all_survive([2, 3], 2, killed) == pytest.approx(sum(survived) / len(survived))


def test_survival_when_each_dies_by_itself():
    chance = sum(
        0.3 ** sum(dead) * 0.7 ** (3 - sum(dead))
        for dead in itertools.product((0, 1), repeat=3)
        if not (dead[0] and dead[1]) and not dead[2]
    )
    assert closed_forms.all_survive_independent([2, 1], 0.3) == pytest.approx(chance)


def test_exact_availability_is_what_the_paper_says():
    """Its abstracts give 0.161 without replication and 0.305 with it, to three digits."""
    assert round(exact_availability(1), 3) == 0.161
    assert round(exact_availability(3), 3) == 0.305
    by_hand = (0.6 * math.comb(8, 4) + 0.3 * math.comb(9, 4)) / math.comb(12, 4)  # compose-post needs all twelve
    assert exact_availability(1) == pytest.approx(by_hand)
