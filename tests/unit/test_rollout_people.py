"""What people do, in a tiny world: exact logs of pages and sign-offs, and draws that do not shift one another."""

from typing import Any

import numpy as np
import pytest

from rollout.people import People
from scenarios.errors import InvalidScenario
from tests.unit.rollout_tiny import TinyWorld, data, scenario_of

OFFICE = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}
SKEWED = {"lognormal": {"median": "20m", "p95": "2h"}}


def people(world: TinyWorld, start: str | None = None, **operations: Any) -> People:
    plain = {**data(), "operations": operations}
    if start is not None:
        plain["start"] = start
    return People(world, scenario_of(plain), np.random.default_rng(1))


def test_a_sign_off_takes_its_time() -> None:
    world = TinyWorld()
    world.env.process(people(world, approvals={"cab": {"takes": "50m"}}).approve("cab"))
    world.env.run()
    assert [(time_s, kind, subject) for time_s, kind, subject, _ in world.events] == [
        (0.0, "approval-request", "cab"),
        (3000.0, "approval", "cab"),
    ]
    assert world.detail("approval") == [{"asked_s": 0.0, "work_s": 3000.0, "person": "cab, drawn from the scenario"}]


@pytest.mark.parametrize(
    ("start", "after_h"), [("2026-11-24 10:00", 2), ("2026-11-27 16:00", 66), ("2026-11-28 09:00", 50)]
)
def test_a_sign_off_waits_for_the_hours_of_those_who_sign(start: str, after_h: float) -> None:
    world = TinyWorld()
    world.env.process(people(world, start, approvals={"cab": {"takes": "2h", "hours": [OFFICE]}}).approve("cab"))
    world.env.run()
    assert world.kinds() == [(0.0, "approval-request"), (after_h * 3600.0, "approval")]


def test_sign_offs_draw_from_streams_of_their_own() -> None:
    alone, beside = TinyWorld(), TinyWorld()
    alone.env.process(people(alone, approvals={"cab": {"takes": SKEWED}}).approve("cab"))
    several = people(beside, approvals={"qa": {"takes": SKEWED}, "cab": {"takes": SKEWED}})
    for name in ("qa", "cab"):
        beside.env.process(several.approve(name))
    alone.env.run()
    beside.env.run()
    drawn = {str(detail["person"])[:3]: detail["work_s"] for detail in beside.detail("approval")}
    assert drawn["cab"] == alone.detail("approval")[0]["work_s"]
    assert drawn["qa,"] != drawn["cab"]


def test_the_streams_of_others_leave_that_of_the_person_on_call_alone() -> None:
    rng, untouched = np.random.default_rng(1), np.random.default_rng(1)
    staff = People(TinyWorld(), scenario_of(data()), rng)
    assert staff.stream("a").random() != staff.stream("b").random()
    assert rng.random() == untouched.random()


OWL = {"acknowledge": "60s", "decide": "30s"}
ASLEEP = {"acknowledge": "20m", "decide": "10m"}


def paged(start: str | None = None, about: str = "web", **operations: Any) -> list[tuple[float, str, str]]:
    """Time, kind and person of what follows a page about a service, and when it is decided."""
    world = TinyWorld()
    staff = people(world, start, **operations)

    def decided() -> Any:
        yield from staff.page("errors", about)
        world.record("decision", "errors")

    world.env.process(decided())
    world.env.run()
    return [(time_s, kind, str(detail.get("person", "")).split(",")[0]) for time_s, kind, _, detail in world.events]


def test_whoever_is_on_call_alone_is_paged_alone() -> None:
    assert paged(on_call=OWL) == [(0.0, "page", ""), (60.0, "acknowledge", "on-call"), (90.0, "decision", "")]


@pytest.mark.parametrize(
    ("start", "acknowledged_s", "decided_s"),
    [("2026-11-27 16:00", 60.0, 90.0), ("2026-11-28 03:00", 1200.0, 1800.0), ("2026-11-30 08:50", 1200.0, 1230.0)],
)
def test_people_are_slower_outside_their_hours(start: str, acknowledged_s: float, decided_s: float) -> None:
    # The last one is paged out of hours and decides within them.
    on_call = {**OWL, "hours": [OFFICE], "out_of_hours": ASLEEP}
    assert paged(start, on_call=on_call)[1:] == [
        (acknowledged_s, "acknowledge", "on-call"),
        (decided_s, "decision", ""),
    ]


LADDER = [{"after": "5m", "to": "second"}, {"after": "15m", "to": "boss"}]


@pytest.mark.parametrize(
    ("first", "second", "log"),
    [
        ("2m", "4m", [(0.0, "page", ""), (120.0, "acknowledge", "on-call"), (150.0, "decision", "")]),
        ("8m", "4m", [(0.0, "page", ""), (300.0, "page", "second"),
                      (480.0, "acknowledge", "on-call"), (510.0, "decision", "")]),
        ("30m", "4m", [(0.0, "page", ""), (300.0, "page", "second"),
                       (540.0, "acknowledge", "second"), (600.0, "decision", "")]),
        ("30m", "20m", [(0.0, "page", ""), (300.0, "page", "second"), (900.0, "page", "boss"),
                        (1080.0, "acknowledge", "boss"), (1200.0, "decision", "")]),
    ],
)  # fmt: skip
def test_a_page_is_escalated_until_somebody_acknowledges(
    first: str, second: str, log: list[tuple[float, str, str]]
) -> None:
    staff = {"second": {"acknowledge": second, "decide": "60s"}, "boss": {"acknowledge": "3m", "decide": "2m"}}
    assert paged(on_call={"acknowledge": first, "decide": "30s", "escalation": LADDER}, people=staff) == log


def test_a_page_is_handed_over_to_who_knows_the_service() -> None:
    staff = {"second": {**ASLEEP, "skills": ["web"]}, "boss": {"acknowledge": "3m", "decide": "2m", "skills": ["bank"]}}
    on_call = {**OWL, "skills": ["web"], "escalation": LADDER}
    assert paged(about="bank", on_call=on_call, people=staff) == [
        (0.0, "page", ""),
        (60.0, "acknowledge", "on-call"),
        (60.0, "page", "boss"),
        (240.0, "acknowledge", "boss"),
        (360.0, "decision", ""),
    ]
    assert paged(about="web", on_call=on_call, people=staff)[-1] == (90.0, "decision", "")


def test_who_was_paged_before_the_handover_is_not_paged_anew() -> None:
    staff = {"second": {"acknowledge": "4m", "decide": "60s", "skills": ["web"]}}
    on_call = {"acknowledge": "10m", "decide": "30s", "skills": ["bank"], "escalation": LADDER[:1]}
    assert paged(about="bank", on_call=on_call, people=staff) == [
        (0.0, "page", ""),
        (300.0, "page", "second"),
        (540.0, "acknowledge", "second"),
        (540.0, "page", "on-call"),
        (600.0, "acknowledge", "on-call"),
        (630.0, "decision", ""),
    ]


def test_escalation_shifts_no_draw_of_the_person_on_call() -> None:
    skewed = {"acknowledge": SKEWED, "decide": SKEWED}
    alone = paged(on_call=skewed)
    beside = paged(
        on_call={**skewed, "escalation": [{"after": "1s", "to": "second"}]},
        people={"second": {"acknowledge": "366d", "decide": "1s"}},
    )
    assert [entry for entry in beside if entry[2] != "second"] == alone


@pytest.mark.parametrize(
    ("operations", "rule"),
    [
        ({"on_call": {**OWL, "escalation": [{"after": "5m", "to": "nobody"}]}},
         "operations.on_call.escalation[0].to: must be one of operations.people: (there is none)"),
        ({"on_call": {**OWL, "skills": ["wbe"]}}, "operations.on_call.skills[0]: must be a service: bank, web"),
        ({"on_call": {**OWL, "out_of_hours": ASLEEP}},
         "operations.on_call: must have both of hours and out_of_hours, or none of them"),
        ({"on_call": {**OWL, "escalation": list(reversed(LADDER))}, "people": {"second": OWL, "boss": OWL}},
         "operations.on_call: escalation must be in the order of its times, each later than the one before"),
        ({"tickets": {"share": "1%", "after": "5m", "page": {"above": 3}}},
         "operations.tickets.page: must have someone to page: operations.on_call"),
        ({"suppression": {"for": "5m", "during": "release"}},
         "operations.suppression: must have exactly one of for, during"),
        ({"notices": [{"to": "boss", "on": "decision", "after": "1m"}] * 2},
         "operations.notices[1]: must be there once"),
    ],
)  # fmt: skip
def test_people_are_checked(operations: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        scenario_of({**data(), "operations": operations})
    assert [f"{problem.path}: {problem.rule}" for problem in caught.value.problems] == [rule]


def test_somebody_must_know_what_is_paged_about() -> None:
    guardrail = {"metric": "error-ratio", "of": "bank", "version": "any", "above": "5%", "action": "page"}
    plain = {**data(guardrails=[guardrail]), "operations": {"on_call": {**OWL, "skills": ["web"]}}}
    with pytest.raises(InvalidScenario, match="must be known by someone who is paged"):
        scenario_of(plain)
    plain["operations"]["on_call"]["escalation"] = [{"after": "5m", "to": "second"}]
    plain["operations"]["people"] = {"second": OWL}
    scenario_of(plain)


def test_somebody_must_know_what_an_analysis_may_pause_about() -> None:
    check = {"metric": "error-ratio", "of": "bank", "version": "any", "above": "5%"}
    analysis = {"for": "10s", "checks": [check]}
    plain = {
        **data(strategy={"blue-green": {"analysis": analysis}}),
        "operations": {"on_call": {**OWL, "skills": ["bank"]}},
    }
    with pytest.raises(InvalidScenario) as caught:
        scenario_of(plain)
    [problem] = caught.value.problems
    assert str(problem.path) == "release.strategy.blue-green.analysis.inconclusive"
    assert problem.rule == "must be rollback or go-on: nobody who is paged knows web (skills)"
    plain["operations"]["on_call"]["skills"] = ["bank", "web"]
    scenario_of(plain)
