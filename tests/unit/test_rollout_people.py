"""What people do, in a tiny world: exact logs of pages and sign-offs, and draws that do not shift one another."""

from typing import Any

import numpy as np
import pytest

from rollout.people import People
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
    assert world.detail("approval") == [{"work_s": 3000.0, "person": "cab, drawn from the scenario"}]


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
