"""The library's scenarios of people and calendars: what they show, shown by taking it out."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

import numpy as np
import pytest

from evidence.measures import FunctionMeasure
from scenarios.catalogue import library_file
from scenarios.loading import load, load_text
from simulator.replication import Player
from simulator.replications import simulate

REPLICATIONS = 30


def measures(
    name: str,
    *changes: tuple[str, str],
    replications: int = REPLICATIONS,
    defects: Sequence[str] | None = None,
    strategy: str | None = None,
) -> list[FunctionMeasure]:
    """Of a library scenario, each `old` text (which must be there once) written as `new`."""
    file = library_file(name)
    assert file is not None
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    scenario = load_text(text, name)
    return simulate(
        scenario, text, strategy=strategy, replications=replications, processes=1, defects=defects, keep=[]
    ).measures


def attained(rows: Sequence[FunctionMeasure]) -> float:
    return float(np.mean([row.met_rto is True for row in rows]))


def test_the_freeze_saves_the_sale() -> None:
    frozen = measures("black-friday-freeze")
    thawed = measures("black-friday-freeze", ("freezes: [{", "freezes: [] # [{"))
    skipped = measures("black-friday-freeze", ("when_closed: postpone", "when_closed: skip"))
    assert attained(frozen) == 1.0
    assert attained(thawed) < 0.7
    # From Friday 16:05 to Monday 09:00.
    assert {row.held_s for row in frozen} == {64 * 3600 + 55 * 60.0}
    assert {row.held_s for row in thawed} == {None}
    assert {row.outcome for row in skipped} == {"skipped"}
    assert attained(skipped) == 1.0
    # The sale's load is that of Friday: 10/s x 1.2 x 2.6 by day and by peak, for an hour's worth of factors in between.
    assert np.mean([row.requests for row in skipped]) > 2 * np.mean([row.requests for row in frozen])


def test_a_night_and_a_rush_fall_between_the_waves() -> None:
    scenario, _ = load(library_file("night-between-waves"))
    player = Player(scenario, scenario.release.strategy, 1, defects=())
    start = datetime(2026, 12, 2, 15, 30)  # noqa: DTZ001 - a scenario's wall clock has no time zone
    nights = rushes = 0
    for number in range(15):
        ends = [
            (str(event.subject), start + timedelta(seconds=event.time_s))
            for event in player.timeline(number).events
            if event.kind == "step-end"
        ]
        signed = [moment for name, moment in ends if name == "approval by change-manager"]
        admitted = [moment for name, moment in ends if name == "calendar"]
        assert len(signed) == len(admitted) == 2
        for asked, begun in zip(signed, admitted, strict=True):
            assert time(9) <= asked.time() <= time(17)
            if time(10) <= asked.time() < time(12) or time(14) <= asked.time() < time(16, 30):
                assert begun == asked
            elif asked.time() < time(14):
                assert begun == asked.replace(hour=10 if asked.hour < 10 else 14, minute=0, second=0, microsecond=0)
                rushes += asked.hour >= 12
            else:
                assert begun == datetime.combine(asked.date() + timedelta(days=1), time(10))
        nights += admitted[0].date() > start.date()
    assert nights == 15  # half an hour of bake leaves the manager too little of the Wednesday
    assert 1 <= rushes <= 7


def test_a_leak_at_midnight_has_one_zone_instead_of_three() -> None:
    def bad(*changes: tuple[str, str]) -> list[FunctionMeasure]:
        return measures("night-between-waves", *changes, replications=6, defects=["connection-leak"])

    held = bad()
    through = bad(
        ('  windows: [{days: [mon, tue, wed, thu, fri], from: "10:00", to: "16:30"}]\n', ""),
        (', hours: [{days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}]}', "}"),
    )
    assert {row.outcome for row in held + through} == {"rolled-back"}
    # Of 80 % errors, (0.8 / 3)^2 fail twice on a third of the replicas, and 0.8^2 on all of them: nine times as many.
    few, many = (sum(row.failed for row in rows) for rows in (held, through))
    assert many / few == pytest.approx(9.0, rel=4 / np.sqrt(few))


def test_a_night_release_hurts_fewer_for_longer() -> None:
    night = measures("night-release")
    day = measures("night-release", ('start: "2026-11-25 02:00"', 'start: "2026-11-25 10:00"'))
    bad_night, bad_day = ([row for row in rows if row.defects] for rows in (night, day))
    assert [row.replication for row in bad_night] == [row.replication for row in bad_day]
    assert np.median([row.rto_s for row in bad_night]) > 1.4 * np.median([row.rto_s for row in bad_day])
    # Each of them, not only on average: the same releases and the same people, asleep or awake.
    longer_s = [late.rto_s - soon.rto_s for late, soon in zip(bad_night, bad_day, strict=True)]
    assert min(longer_s) > 180
    assert np.median(longer_s) > 400
    assert np.mean([row.failed for row in bad_night]) < 0.6 * np.mean([row.failed for row in bad_day])
    waited = [row.acknowledged_s for row in bad_night if row.acknowledged_s is not None]
    assert len(waited) == len(bad_night)
    # Escalated after ten minutes, whoever was paged first.
    nobody = ("- {after: 10m, to: second}", "- {after: 74m, to: second}"), ("- {after: 25m, to", "- {after: 75m, to")
    alone = measures("night-release", *nobody)
    unescalated = [row.acknowledged_s for row in alone if row.acknowledged_s is not None]
    assert max(waited) < max(unescalated)
    assert np.mean(waited) < np.mean(unescalated)


def test_silence_costs_what_it_hides() -> None:
    silent = measures("suppressed-alerts")
    loud = measures("suppressed-alerts", ("  suppression: {for: 15m}\n", ""))
    hidden = [row.suppressed_s for row in silent if row.suppressed_s is not None]
    assert len(hidden) == sum(bool(row.defects) for row in silent)
    assert {row.suppressed_s for row in loud} == {None}
    bad_silent, bad_loud = ([row for row in rows if row.defects] for rows in (silent, loud))
    costs = [late.rto_s - soon.rto_s for late, soon in zip(bad_silent, bad_loud, strict=True)]
    # What is detected later lasts longer by as much, but for the window that a recovery is dated back to.
    assert np.mean(costs) == pytest.approx(np.mean(hidden), rel=0.1)
    assert sum(row.tickets for row in silent) > sum(row.tickets for row in loud)
    # Customers are heard before the monitoring may speak, in some of the releases at least.
    assert any(hidden_s < 14 * 60 for hidden_s in hidden)


def test_waves_see_a_region_that_weights_and_a_last_wave_drown() -> None:
    regional, everywhere = ("decimal-comma",), ("broken-quotes",)
    waves = measures("waves-by-region", defects=regional, replications=10)
    weights = measures("waves-by-region", defects=regional, replications=10, strategy="canary")
    last = ("[nordics], [iberia], [dach]", "[nordics], [dach], [iberia]")
    with_all = measures("waves-by-region", last, defects=regional, replications=10)
    assert {row.outcome for row in waves} == {"rolled-back"}
    assert {cohort for row in waves for cohort in row.cohorts_hit} == {"iberia"}
    # A quarter of 15 % is less than the guardrail allows, and more than customers do.
    assert {row.outcome for row in [*weights, *with_all]} == {"promoted"}
    assert not any(row.met_rto for row in [*weights, *with_all])
    first = measures("waves-by-region", defects=everywhere, replications=10)
    assert {row.outcome for row in first} == {"rolled-back"}
    assert {cohort for row in first for cohort in row.cohorts_hit} == {"nordics"}
    assert all(row.met_rto for row in [*waves, *first])


def test_a_second_office_helps_while_it_is_awake() -> None:
    def bad(start: str) -> list[FunctionMeasure]:
        edit = ('start: "2026-11-24 22:00"', f'start: "{start}"')
        return measures("follow-the-sun", edit, defects=["no-tax"], replications=16)

    evening, night, day = bad("2026-11-24 22:00"), bad("2026-11-25 03:00"), bad("2026-11-25 10:00")
    assert {row.outcome for row in [*evening, *night, *day]} == {"rolled-back"}

    def waited_s(rows: list[FunctionMeasure]) -> list[float]:
        """From the page to its acknowledgement."""
        assert all(row.acknowledged_s is not None for row in rows)
        return [row.acknowledged_s or 0.0 for row in rows]

    # Asleep, Berlin hardly answers within the five minutes after which Denver is paged, of whom half answer within two.
    assert 5 * 60 < np.median(waited_s(evening)) < 8 * 60
    assert np.median(waited_s(day)) < 4 * 60
    assert np.median(waited_s(night)) > 10 * 60
    rto_s = [np.median([row.rto_s for row in rows]) for rows in (day, evening, night)]
    assert rto_s[0] + 3 * 60 < rto_s[1] < rto_s[2] - 5 * 60
