"""Which part of a load profile is its peak, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scenarios.loading import load
from scenarios.models import Scenario
from scenarios.peak_window import peak_window
from scenarios.profiles import Profile


def shop(**profiles: Any) -> Scenario:
    """The shop's release, 36 s long: checkout at 50/s and browse at 40/s, with these profiles."""
    scenario, _ = load("shop-release")
    shaped = {name: {"profile": Profile.model_validate(profile)} for name, profile in profiles.items()}
    functions = {name: each.model_copy(update=shaped.get(name)) for name, each in scenario.functions.items()}
    return scenario.model_copy(update={"functions": functions})


def test_a_load_that_never_changes_is_played_from_its_start() -> None:
    window = peak_window(shop(), 5.0)
    assert (window.from_s, window.until_s) == (0.0, 5.0)
    assert window.rates == {"checkout": ((0.0, 50.0),), "browse": ((0.0, 40.0),)}
    assert window.requests("checkout") == 250.0


def test_a_window_longer_than_the_peak_begins_as_early_as_it_still_holds_all_of_it() -> None:
    window = peak_window(shop(checkout={"peaks": [{"at": "20s", "for": "2s", "factor": 3}]}), 5.0)
    assert (window.from_s, window.until_s) == (17.0, 22.0)
    assert window.rates["checkout"] == ((0.0, 50.0), (3.0, 150.0))
    assert window.requests("checkout") == 3 * 50.0 + 2 * 150.0
    assert window.highest_per_s("checkout") == 150.0


def test_it_is_the_peak_of_all_functions_together_and_not_of_each() -> None:
    """Checkout's own peak is at 10 s, browse's higher one at 25 s: nobody ever sees both at once."""
    profiles = {
        "checkout": {"peaks": [{"at": "10s", "for": "4s", "factor": 2}]},
        "browse": {"peaks": [{"at": "25s", "for": "4s", "factor": 5}]},
    }
    window = peak_window(shop(**profiles), 4.0)
    assert (window.from_s, window.until_s) == (25.0, 29.0)
    assert window.rates == {"checkout": ((0.0, 50.0),), "browse": ((0.0, 200.0),)}


def test_a_load_that_falls_within_the_window_keeps_its_shape() -> None:
    steps = [{"at": "10s", "factor": 4}, {"at": "12s", "factor": 2}, {"at": "16s", "factor": 1}]
    window = peak_window(shop(checkout={"steps": steps}), 4.0)
    assert window.from_s == 10.0
    assert window.rates["checkout"] == ((0.0, 200.0), (2.0, 100.0))
    assert window.after(1.0)["checkout"] == ((0.0, 200.0), (3.0, 100.0))


def test_no_other_window_has_more() -> None:
    steps = [{"at": f"{at}s", "factor": factor} for at, factor in ((3, 1.7), (8, 3.1), (11, 0.4), (19, 2.9), (27, 1.2))]
    scenario = shop(checkout={"steps": steps}, browse={"peaks": [{"at": "17s", "for": "6s", "factor": 2.5}]})
    window = peak_window(scenario, 7.0)
    best = sum(window.requests(name) for name in scenario.functions)
    for from_s in np.arange(0.0, 29.0, 0.25):
        other = sum(
            each.requests(None, from_s + 7.0) - (each.requests(None, from_s) if from_s else 0.0)
            for each in scenario.functions.values()
        )
        assert other <= best + 1e-6, from_s


def test_a_window_longer_than_the_scenario_is_refused() -> None:
    with pytest.raises(ValueError, match=r"40 s must be at most the scenario's duration \(36 s\)"):
        peak_window(shop(), 40.0)
    assert peak_window(shop(), 36.0).from_s == 0.0
