"""A plan in hand is a plan within its bounds; everything else is refused with name, value and rule."""

import re
from typing import Any

import pytest

from chaos.load.errors import PlanRefused, TargetRefused
from chaos.load.plan import MAX_REQUESTS, FunctionLoad, LoadPlan
from chaos.load.target import resolve_target

URL = "http://127.0.0.1:8080"


def load(**changes: Any) -> FunctionLoad:
    return FunctionLoad(**{"name": "browse", "profile": ((0.0, 10.0),), **changes})


def plan(*functions: FunctionLoad, **changes: Any) -> LoadPlan:
    return LoadPlan(**{"base_url": URL, "functions": functions or (load(),), "duration_s": 10.0, **changes})


def test_a_plan_survives_its_json() -> None:
    original = plan(
        load(cohorts={"beta": 0.25}, timeout_s=1.5),
        load(name="order", method="POST", body='{"id": "$id"}', store="orders"),
        seed=7,
    )
    assert LoadPlan.from_json(original.to_json()) == original


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_s": 0}, "duration_s(=0) must be > 0"),
        ({"duration_s": 1e9}, "duration_s(=1000000000.0) must be > 0 and <= 3600"),
        ({"duration_s": float("nan")}, "duration_s(=nan) must be > 0"),
        ({"drain_s": -1}, "drain_s(=-1) must be >= 0"),
        ({"seed": -1}, "seed(=-1) must be >= 0"),
        ({"arrivals": "closed"}, "arrivals(=closed) must be poisson or uniform"),
        ({"functions": ()}, "functions(=[]) must name at least one function"),
        ({"token": "x"}, "token(=x) must be 8 to 64"),
    ],
)
def test_plan_bounds(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanRefused, match=re.escape(message)):
        LoadPlan(**{"base_url": URL, "functions": (load(),), "duration_s": 10.0, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "functions.name(='') must not be empty"),
        ({"profile": ()}, "browse.profile(=[]) must start at 0 s"),
        ({"profile": ((1.0, 5.0),)}, "browse.profile(=[(1.0, 5.0)]) must start at 0 s"),
        ({"profile": ((0.0, 5.0), (0.0, 6.0))}, "must have rising times"),
        ({"profile": ((0.0, -5.0),)}, "browse.profile(=-5.0) must hold rates >= 0"),
        ({"profile": ((0.0, float("inf")),)}, "browse.profile(=inf) must hold rates >= 0"),
        ({"method": "TRACE"}, "browse.method(=TRACE) must be one of GET"),
        ({"path": "http://elsewhere/"}, "browse.path(='http://elsewhere/') must start with one /"),
        ({"path": "//elsewhere/"}, "must start with one /"),
        ({"path": "/a b"}, "printable ASCII only"),
        ({"cohorts": {"beta": 1.2}}, "browse.cohorts.beta(=1.2) must be within 0..1"),
        ({"cohorts": {"a": 0.6, "b": 0.6}}, "browse.cohorts(=1.2) must sum to at most 1"),
        ({"cohorts": {"a\r\nx: y": 0.1}}, "must be letters"),
        ({"timeout_s": 0}, "browse.timeout_s(=0) must be > 0"),
        ({"body": '{"id": "$order"}'}, "browse.body(=$order) may use $id, $cohort, $function only"),
    ],
)
def test_function_bounds(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanRefused, match=re.escape(message)):
        plan(load(**changes))


def test_too_many_requests_are_refused() -> None:
    with pytest.raises(PlanRefused, match=re.escape(f"requests(=3600000) must be <= {MAX_REQUESTS}")):
        plan(load(profile=((0.0, 1000.0),)), duration_s=3600.0)


def test_too_high_a_rate_is_refused_over_all_functions_together() -> None:
    half = ((0.0, 3000.0),)
    with pytest.raises(PlanRefused, match=re.escape("rate(=6000/s) of all functions together")):
        plan(load(profile=half), load(name="order", profile=half), duration_s=1.0)


def test_functions_of_one_name_are_refused() -> None:
    with pytest.raises(PlanRefused, match="must be named differently"):
        plan(load(), load())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"functions": [{"nme": 1}]}', "null"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanRefused, match="not a load plan"):
        LoadPlan.from_json(text)


def test_expected_requests_follow_the_profile() -> None:
    stepped = load(profile=((0.0, 10.0), (5.0, 0.0), (8.0, 100.0)))
    assert stepped.expected_requests(10.0) == pytest.approx(50 + 200)
    assert stepped.expected_requests(4.0) == pytest.approx(40)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:9000/", "http://127.8.9.1:9000"])
def test_loopback_is_allowed(url: str) -> None:
    target = resolve_target(url)
    assert target.address.startswith("127.")
    assert target.port == 9000


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://192.0.2.1:80", "resolves to 192.0.2.1, load goes to loopback only"),
        ("http://0.0.0.0:80", "resolves to 0.0.0.0, load goes to loopback only"),
        ("http://[2001:db8::1]:80", "load goes to loopback only"),
        ("https://127.0.0.1", "the scheme must be http"),
        ("127.0.0.1:80", "the scheme must be http"),
        ("http://user:secret@127.0.0.1", "must not carry credentials"),
        ("http://127.0.0.1/path", "must have no path"),
        ("http://127.0.0.1:99999", "the port must be"),
        ("http://", "must name a host"),
        ("http://a..b", "does not resolve"),
        ("http://[::1", "Invalid IPv6 URL"),
    ],
)
def test_everything_else_is_refused(url: str, rule: str) -> None:
    with pytest.raises(TargetRefused, match=re.escape(rule)):
        resolve_target(url)
