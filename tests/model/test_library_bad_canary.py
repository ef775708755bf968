"""The library's bad canary: every bad release is caught, no good one is taken back."""

from collections import Counter

from scenarios.loading import load
from simulator.replications import simulate


def test_bad_releases_are_caught_and_good_ones_completed() -> None:
    scenario, text = load("bad-canary")
    measures = simulate(scenario, text.text, replications=40, seed=1, processes=1, keep=[]).measures
    found = Counter((bool(row.defects), row.outcome) for row in measures)
    # A false alarm needs 8 errors in 150 requests at 1 %, or 16 in 300: below 1 in 1000 over a whole release.
    assert set(found) == {(True, "rolled-back"), (False, "promoted")}
    # Half are bad: 40 draws stay within 20 +- 4 standard deviations (12.6).
    assert 8 <= found[True, "rolled-back"] <= 32
    # The canary has a twentieth of the traffic: users hardly notice (1 % fail anyhow).
    assert all(row.rto_s == 0.0 for row in measures)
