"""The library's scenarios of gates, and of changes that fit only each other: what they say must come out."""

import numpy as np
import pytest

from evidence.measures import FunctionMeasure
from scenarios.catalogue import library_file
from scenarios.loading import load
from simulator.replication import Player
from tests.model.test_library_process import measures

SKEW = ("old-form-to-new-api", "new-form-to-old-api")


def failed(rows: list[FunctionMeasure]) -> float:
    return float(np.mean([row.failed for row in rows]))


def lasts_s(rows: list[FunctionMeasure]) -> float:
    """How long the releases take on average; each has ended."""
    return float(np.mean([np.nan if row.release_duration_s is None else row.release_duration_s for row in rows]))


def outcomes(rows: list[FunctionMeasure]) -> set[str]:
    return {row.outcome for row in rows}


def test_what_fits_only_each_other_fails_for_as_long_as_one_is_switched_before_the_other() -> None:
    scenario, _ = load(library_file("lockstep"))
    player = Player(scenario, scenario.release.strategy, 1, defects=SKEW)
    apart_s = []
    for number in range(10):
        switched = [event.time_s for event in player.timeline(number).events if event.kind == "route"]
        assert len(switched) == 2
        apart_s.append(switched[1] - switched[0])
    together = measures("lockstep", defects=SKEW, replications=10)
    assert outcomes(together) == {"promoted"}
    expected = 20 * sum(apart_s)
    assert sum(row.failed for row in together) == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_neither_an_order_nor_a_mix_of_versions_gets_a_change_in_lockstep_out() -> None:
    sequential = measures("lockstep", ("order: together", "order: sequential"), defects=SKEW, replications=8)
    mixed = measures("lockstep", defects=SKEW, replications=8, strategy="rolling")
    down = measures("lockstep", defects=SKEW, replications=8, strategy="recreate")
    assert outcomes(sequential) == outcomes(mixed) == {"rolled-back"}
    assert outcomes(down) == {"promoted"}
    switched = measures("lockstep", defects=SKEW, replications=8)
    assert failed(switched) < failed(down) / 4
    assert failed(down) < min(failed(sequential), failed(mixed))


def test_a_sign_off_before_the_switch_is_a_wait_and_after_a_tenth_a_bake() -> None:
    def played(strategy: str, *defects: str) -> list[FunctionMeasure]:
        return measures("signed-switch", defects=defects, replications=8, strategy=strategy)

    before, after = played("blue-green"), played("canary")
    assert outcomes(before) == outcomes(after) == {"promoted"}
    assert lasts_s(before) == pytest.approx(lasts_s(after), abs=2 * 60)
    hurt, spared = played("blue-green", "rejects-umlauts"), played("canary", "rejects-umlauts")
    assert outcomes(hurt) == outcomes(spared) == {"rolled-back"}
    # The same people, and a guardrail that has its hundred requests ten times as late.
    assert failed(hurt) > 4 * failed(spared)
    assert {row.rto_s for row in spared} == {0.0}
    assert min(row.rto_s for row in hurt) > 60
    # Nobody has signed by then: ten minutes are the least that it takes.
    assert all(row.trip_after_s is not None and row.trip_after_s < 10 * 60 for row in spared)


def test_a_check_that_asks_for_more_than_staff_bring_lets_customers_find_it() -> None:
    def played(*changes: tuple[str, str], bad: bool) -> list[FunctionMeasure]:
        return measures("staff-first", *changes, defects=["no-price"] if bad else [], replications=6)

    fitting = ("minimum: 200", "minimum: 60")
    rollback, go_on = (("inconclusive: pause", f"inconclusive: {then}") for then in ("rollback", "go-on"))
    asked, unasked, told = played(bad=False), played(go_on, bad=False), played(fitting, bad=False)
    assert outcomes(asked) == outcomes(unasked) == outcomes(told) == {"promoted"}
    assert lasts_s(asked) > lasts_s(unasked) + 3 * 60  # somebody is paged, comes and decides
    assert lasts_s(told) == pytest.approx(lasts_s(unasked), abs=1)
    assert outcomes(played(rollback, bad=False)) == {"rolled-back"}
    late, soon = played(bad=True), played(fitting, bad=True)
    assert outcomes(late) == outcomes(soon) == {"rolled-back"}
    assert {cohort for row in late for cohort in row.cohorts_hit} == {"staff", "default"}
    assert {cohort for row in soon for cohort in row.cohorts_hit} == {"staff"}
    assert failed(late) > 4 * failed(soon)


def test_after_the_last_wave_nothing_is_left_to_compare_with() -> None:
    def played(*changes: tuple[str, str], bad: bool) -> list[FunctionMeasure]:
        return measures("last-wave", *changes, defects=["connection-leak"] if bad else [], replications=6)

    longer, limited = ("for: 3m", "for: 6m"), ("action: note", "action: rollback")
    good, good_longer = played(bad=False), played(longer, bad=False)
    assert outcomes(good) == outcomes(good_longer) == outcomes(played(limited, bad=False)) == {"promoted"}
    assert lasts_s(good_longer) - lasts_s(good) == pytest.approx(3 * 3 * 60, abs=1)
    missed, seen, noticed = played(bad=True), played(longer, bad=True), played(limited, bad=True)
    assert outcomes(missed) == {"promoted"}
    assert not any(row.met_rto for row in missed)
    assert {row.trip_after_s for row in missed} == {None}
    assert outcomes(seen) == outcomes(noticed) == {"rolled-back"}
    # The leak shows eight minutes after the first traffic, some half a minute into the release.
    assert all(row.trip_after_s is not None and 8 * 60 < row.trip_after_s < 10 * 60 for row in [*seen, *noticed])
    assert all(row.met_rto for row in [*seen, *noticed])
