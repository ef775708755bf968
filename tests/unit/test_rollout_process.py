"""Calendars, suppressed alerts, notices and tickets in a tiny world: exact logs of what happens, and when."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from chaos.unrealised import unrealised
from evidence.events import Event
from evidence.timeline import Timeline
from scenarios.calendar import Calendar
from scenarios.errors import InvalidScenario
from scenarios.models import Scenario
from tests.unit.rollout_tiny import TinyWorld, data, observation, play, scenario_of

ERRORS = {"metric": "error-ratio", "of": "web", "above": "5%", "window": "10s", "minimum": 10}
PAGED = {**ERRORS, "action": "page"}
ON_CALL = {"acknowledge": "7s", "decide": "5s"}
OFFICE = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}
SALE = {"from": "2026-11-26 00:00", "to": "2026-11-30 06:00", "reason": "sale"}


def at(text: str) -> datetime:
    """A moment; 2026-11-27 is a Friday."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007


def scenario(start: str | None = None, calendar: Any = None, operations: Any = None, **release: Any) -> Scenario:
    plain = {**data(**release), "operations": operations or {}, "calendar": calendar or {}}
    return scenario_of(plain if start is None else {**plain, "start": start})


def timeline(world: TinyWorld) -> Timeline:
    return Timeline.of([Event(time_s, kind, subject, detail) for time_s, kind, subject, detail in world.events])


# -- calendars


@pytest.mark.parametrize(
    ("calendar", "moment", "opens"),
    [
        ({}, "2026-11-28 03:00", "2026-11-28 03:00"),
        ({"windows": [OFFICE]}, "2026-11-27 16:59", "2026-11-27 16:59"),
        ({"windows": [OFFICE]}, "2026-11-27 17:00", "2026-11-30 09:00"),
        ({"freezes": [SALE]}, "2026-11-27 17:00", "2026-11-30 06:00"),
        # Deny beats allow.
        ({"windows": [OFFICE], "freezes": [SALE]}, "2026-11-27 10:00", "2026-11-30 09:00"),
        ({"windows": [OFFICE], "blackouts": [{"days": ["fri"]}]}, "2026-11-26 18:00", "2026-11-30 09:00"),
        ({"blackouts": [{"days": ["fri"], "from": "16:00", "to": "06:00"}]}, "2026-11-27 22:00", "2026-11-28 06:00"),
        ({"blackouts": [{"month_end": 2}]}, "2026-11-28 12:00", "2026-11-28 12:00"),
        ({"blackouts": [{"month_end": 2}]}, "2026-11-29 12:00", "2026-12-01 00:00"),
        ({"freezes": [SALE, {"from": "2026-11-30 00:00", "to": "2026-12-24 00:00"}]}, "2026-11-27 12:00",
         "2026-12-24 00:00"),
        ({"blackouts": [{}]}, "2026-11-28 12:00", None),
    ],
)  # fmt: skip
def test_when_a_calendar_opens(calendar: dict[str, Any], moment: str, opens: str | None) -> None:
    model = Calendar.model_validate(calendar)
    assert model.opens(at(moment)) == (None if opens is None else at(opens))
    assert (model.closed_by(at(moment)) is None) == (opens == moment)


MORNING = {"windows": [{"from": "09:00", "to": "09:30"}]}


def test_a_release_waits_for_the_calendar() -> None:
    world = TinyWorld()
    play(world, scenario("2026-11-27 08:59", MORNING))
    assert world.kinds("step-start", "step-end") == [
        (10.0, "calendar-closed"),
        (60.0, "release-start"),
        (88.0, "release-end"),
    ]
    assert world.detail("calendar-closed") == [
        {"reason": "outside the windows", "when_closed": "wait", "opens": "Fri 2026-11-27 09:00", "held_s": 50.0,
         "defects": []}
    ]  # fmt: skip
    assert (timeline(world).outcome(), timeline(world).held_s()) == ("promoted", 50.0)


def test_an_open_calendar_changes_nothing() -> None:
    plain, calm = TinyWorld(), TinyWorld()
    play(plain, scenario())
    play(calm, scenario("2026-11-27 09:00", MORNING))
    assert calm.events == plain.events


def test_a_release_that_is_held_to_the_end_never_starts() -> None:
    world = TinyWorld()
    play(world, scenario("2026-11-27 12:00", {"freezes": [SALE]}))
    assert world.kinds() == [(10.0, "calendar-closed")]
    assert timeline(world).outcome() == "waiting"


def test_a_release_is_skipped() -> None:
    world = TinyWorld()
    play(world, scenario("2026-11-27 12:00", {"freezes": [SALE], "when_closed": "skip"}, guardrails=[ERRORS]))
    assert world.kinds() == [(10.0, "calendar-closed"), (10.0, "release-end")]
    assert world.detail("calendar-closed")[0]["reason"] == "freeze: sale"
    assert (timeline(world).outcome(), timeline(world).held_s(), world.observed, world.log) == ("skipped", None, [], [])


def test_a_release_is_postponed_with_its_load_and_its_people() -> None:
    plain = {**data(), "start": "2026-11-27 12:00", "calendar": {"freezes": [SALE], "when_closed": "postpone"}}
    plain["functions"]["buy"]["profile"] = {"weekly": {"mon": 2}}
    moved = scenario_of(plain)
    world = TinyWorld()
    play(world, moved)
    assert world.kinds("step-start", "step-end")[:2] == [(10.0, "calendar-closed"), (10.0, "release-start")]
    assert world.detail("calendar-closed")[0]["opens"] == "Mon 2026-11-30 06:00"
    # The load begins ten seconds before the opening, at which the release is to start.
    assert moved.clock == datetime(2026, 11, 30, 5, 59, 50)  # noqa: DTZ001
    assert timeline(world).held_s() == (moved.clock - at("2026-11-27 12:00")).total_seconds()
    assert moved.functions["buy"].rates(moved.clock, 200.0) == ((0.0, 20.0),)


def test_an_abort_ends_the_wait() -> None:
    world = TinyWorld()
    play(world, scenario("2026-11-27 08:59", MORNING), abort_at_s=30.0)
    assert world.kinds() == [(10.0, "calendar-closed"), (30.0, "decision")]


def test_a_later_change_waits_and_is_not_skipped() -> None:
    plain = {**data(at="0s", strategy={"canary": {"steps": [{"weight": "25%"}, {"bake": "60s"}]}})}
    plain["system"]["services"]["shop"] = {"replicas": 4, "service_time": "1ms"}
    plain["system"]["calls"].append({"from": "web", "to": "shop"})
    plain["release"]["changes"].append({"service": "shop", "from": "v1", "to": "v2"})
    blackout = {"from": "15:59", "to": "16:01", "reason": "report"}
    world = TinyWorld()
    calendar = {"blackouts": [blackout], "when_closed": "skip"}
    play(world, scenario_of({**plain, "start": "2026-11-27 15:58", "calendar": calendar}))
    starts = [(time_s, subject) for time_s, kind, subject, _ in world.events if kind == "step-start"]
    assert next(entry for entry in starts if entry[1].startswith("shop")) == (180.0, "shop: deploy v2 x1")
    assert [(time_s, kind) for time_s, kind in world.kinds() if kind == "calendar-closed"] == [
        (68.0, "calendar-closed")
    ]
    assert world.detail("calendar-closed")[0]["held_s"] == 112.0


def test_a_later_wave_waits_for_the_calendar_and_all_waits_are_counted() -> None:
    plain = data(strategy={"waves": {"by": "zones", "waves": [["a"], ["b"]], "bake": "60s"}})
    plain["system"]["zones"] = ["a", "b"]
    windows = [{"from": "16:00", "to": "16:01"}, {"from": "16:02", "to": "17:00"}]
    world = TinyWorld()
    play(world, scenario_of({**plain, "start": "2026-11-27 15:59", "calendar": {"windows": windows}}))
    # Held from 10 s to 60 s. The first wave takes 5 s and bakes to 125 s, when the first window is over.
    steps = [(time_s, subject) for time_s, kind, subject, _ in world.events if kind == "step-start"]
    assert steps[4:6] == [(125.0, "calendar"), (180.0, "deploy v2 x4 in a, b")]
    assert timeline(world).held_s() == 50.0 + 55.0


def test_a_wave_that_is_held_is_taken_back_at_once() -> None:
    plain = data(at="0s", strategy={"waves": {"by": "zones", "waves": [["a"], ["b"]], "bake": "60s"}})
    plain["system"]["zones"] = ["a", "b"]
    world = TinyWorld()
    calendar = {"blackouts": [{"from": "16:00", "to": "17:00"}]}
    play(world, scenario_of({**plain, "start": "2026-11-27 15:59", "calendar": calendar}), abort_at_s=70.0)
    assert [entry for entry in world.kinds() if entry[1] in ("calendar-closed", "rollback-start")] == [
        (65.0, "calendar-closed"),
        (70.0, "rollback-start"),
    ]
    assert (timeline(world).outcome(), timeline(world).held_s()) == ("rolled-back", 5.0)


@pytest.mark.parametrize(
    ("calendar", "rule"),
    [
        ({"blackouts": [{}]}, "calendar: must let the release start at some time within a year of start"),
        ({"freezes": [{"from": "2026-11-27 16:00", "to": "2026-11-27 16:00"}]},
         "calendar.freezes[0]: to must be later than from"),
        ({"windows": [{"days": ["monday"]}]},
         "calendar.windows[0].days[0]: must be one of 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'"),
        ({"when_closed": "hope"}, "calendar.when_closed: must be one of 'wait', 'skip' or 'postpone'"),
    ],
)  # fmt: skip
def test_calendars_are_checked(calendar: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        scenario("2026-11-27 16:00", calendar)
    assert [f"{problem.path}: {problem.rule}" for problem in caught.value.problems] == [rule]


@pytest.mark.parametrize(
    ("start", "calendar", "operations", "refused"),
    [
        ("2026-11-27 08:59", MORNING, {}, []),
        ("2026-11-27 12:00", {"freezes": [SALE]}, {},
         ["calendar: closed when the release is to start (freeze: sale): there would be nothing to drill"]),
        ("2026-11-27 08:59", {**MORNING, "when_closed": "skip"}, {},
         ["calendar: closed when the release is to start (outside the windows): there would be nothing to drill"]),
        ("2026-11-27 12:00", {"freezes": [SALE], "when_closed": "postpone"}, {}, []),
        ("2026-11-28 12:00", {}, {"approvals": {"cab": {"takes": "1s", "hours": [OFFICE]}}},
         ["operations.approvals.cab.hours: nobody signs off before the drill ends"]),
        (None, {}, {"tickets": {"share": "1%", "after": "1m"}},
         ["operations.tickets: nobody files tickets about a staging"]),
    ],
)  # fmt: skip
def test_a_drill_refuses_what_would_make_it_wait_in_vain(
    start: str | None, calendar: Any, operations: Any, refused: list[str]
) -> None:
    assert unrealised(scenario(start, calendar, operations)) == refused


# -- suppressed alerts


def bad_between(begin_s: float, end_s: float = 1e9) -> Any:
    return lambda now: observation(100, errors=50 if begin_s <= now < end_s else 0)


def watched(suppression: Any, guardrail: Any = PAGED, sees: Any = None) -> TinyWorld:
    world = TinyWorld()
    world.sees = sees or bad_between(20.0)
    operations = {"on_call": ON_CALL} if suppression is None else {"on_call": ON_CALL, "suppression": suppression}
    play(world, scenario(operations=operations, guardrails=[guardrail]))
    return world


def heard(world: TinyWorld) -> list[tuple[float, str]]:
    kinds = ("alert-suppressed", "guardrail-trip", "guardrail-note", "page")
    return [entry for entry in world.kinds() if entry[1] in kinds]


def test_a_suppressed_alert_is_heard_when_the_silence_ends() -> None:
    world = watched({"for": "15s"})
    assert heard(world) == [(20.0, "alert-suppressed"), (25.0, "guardrail-trip"), (25.0, "page")]
    seen = {"value": 0.5, "above": 0.05, "requests": 100, "action": "page"}
    assert world.detail("alert-suppressed") == [seen]
    assert world.detail("guardrail-trip") == [{**seen, "suppressed_s": 5.0}]
    assert timeline(world).suppressed_s(200.0) == 5.0


def test_the_silence_lasts_as_long_as_the_release() -> None:
    # The canary is promoted at 38 s; the guardrail had looked just before.
    assert heard(watched({"during": "release"})) == [
        (20.0, "alert-suppressed"),
        (39.0, "guardrail-trip"),
        (39.0, "page"),
    ]


def test_what_has_gone_before_the_silence_ends_is_never_heard() -> None:
    world = watched({"for": "30s"}, sees=bad_between(20.0, 30.0))
    assert heard(world) == [(20.0, "alert-suppressed")]
    assert timeline(world).suppressed_s(200.0) == 180.0


def test_guardrails_that_roll_back_are_silenced_only_where_all_are() -> None:
    assert heard(watched({"for": "15s"}, ERRORS)) == [(20.0, "guardrail-trip")]
    assert heard(watched({"for": "15s", "guardrails": "all"}, ERRORS)) == [
        (20.0, "alert-suppressed"),
        (25.0, "guardrail-trip"),
    ]
    assert heard(watched({"for": "15s", "guardrails": "all"}, {**ERRORS, "action": "note"})) == [
        (20.0, "guardrail-note")
    ]


def test_without_suppression_trips_say_nothing_of_it() -> None:
    assert watched(None).detail("guardrail-trip") == [{"value": 0.5, "above": 0.05, "requests": 100, "action": "page"}]


# -- notices


def test_everyone_is_told_of_the_first_event_of_its_kind() -> None:
    world = TinyWorld()
    world.sees = bad_between(60.0)
    notices = [
        {"to": "support", "on": "release-start", "after": "3s"},
        {"to": "status-page", "on": "guardrail-trip", "after": "10s"},
        {"to": "board", "on": "release-end", "after": "1s"},
    ]
    play(world, scenario(operations={"notices": notices}, guardrails=[ERRORS]))
    told = [(time_s, subject, detail["on"]) for time_s, kind, subject, detail in world.events if kind == "notice"]
    # The release is promoted at 38 s and rolled back at 65 s; of its end the board hears once.
    assert told == [
        (13.0, "support", "release-start"),
        (39.0, "board", "release-end"),
        (70.0, "status-page", "guardrail-trip"),
    ]
    assert timeline(world).notified_s(58.0) == 12.0
    assert timeline(world).notified_s(71.0) is None


# -- tickets


def desk(failures: Any, **tickets: Any) -> TinyWorld:
    world = TinyWorld()
    world.failures = failures
    play(world, scenario(operations={"on_call": ON_CALL, "tickets": {"after": "20s", **tickets}}))
    return world


def test_tickets_come_after_failures_and_page_when_they_are_many() -> None:
    world = desk(lambda now: max(0, int(now) - 19), share="100%", page={"above": 3, "window": "10s"})
    # Counted every five seconds, and told twenty seconds later; more than three within ten seconds page.
    counts = [(time_s, detail["count"]) for time_s, kind, _, detail in world.events if kind == "tickets"]
    assert counts[:3] == [(40.0, 1), (45.0, 5), (50.0, 5)]
    assert [entry for entry in world.kinds() if entry[1] in ("guardrail-trip", "page", "decision")] == [
        (45.0, "guardrail-trip"),
        (45.0, "page"),
        (57.0, "decision"),
    ]
    assert world.detail("guardrail-trip") == [{"value": 6, "above": 3, "action": "page"}]
    assert timeline(world).tickets("buy") == sum(count for _, count in counts)


def test_what_failed_before_the_release_is_no_ticket_about_it() -> None:
    assert timeline(desk(lambda _now: 500, share="100%", page={"above": 3})).tickets("buy") == 0


def test_a_share_of_failures_becomes_tickets() -> None:
    world = desk(lambda now: int(100 * max(0.0, now - 10.0)), share="5%")
    # 150 s of failures whose tickets came; five standard errors.
    expected, deviation = 17000 * 0.05, np.sqrt(17000 * 0.05 * 0.95)
    assert abs(timeline(world).tickets("buy") - expected) < 5 * deviation + 100 * 0.05
    assert not world.detail("guardrail-trip")


def test_background_tickets_need_no_failure_and_shift_nothing() -> None:
    noise = desk(lambda _now: 0, share="5%", background="6/m")
    assert abs(timeline(noise).tickets("buy") - 19) < 5 * np.sqrt(19)
    failing = lambda now: int(now)  # noqa: E731
    quiet, noisy = desk(failing, share="5%"), desk(failing, share="5%", background="6/m")
    assert timeline(noisy).tickets("buy") == timeline(quiet).tickets("buy") + timeline(noise).tickets("buy")
