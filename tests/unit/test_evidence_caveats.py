"""What is said beside figures that mean less than they seem to."""

import math
import re
from dataclasses import replace

import pytest

from evidence.caveats import caveats, caveats_compared
from evidence.measures import FunctionMeasure
from scenarios.loading import load_text
from tests.unit import evidence_made as made
from tests.unit.evidence_made import TEXT
from tests.unit.scenario_texts import VALID


def said(*changes: tuple[str, str]) -> list[str]:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return caveats(load_text(text, "tiny.yaml"))


def test_most_scenarios_have_none() -> None:
    assert said() == []


def test_a_function_that_is_asked_too_seldom_for_its_window() -> None:
    assert said(("rate: 20/s", "rate: 3.5/s")) == []
    (line,) = said(("rate: 20/s", "rate: 3.4/s"))
    assert line.startswith("functions.browse: at 3.4/s a window of 2 s holds no request with a probability of 0.1%")
    (line,) = said(("rate: 20/s", "rate: 0.5/s"))
    assert f"{math.exp(-1):.1%}" in line
    assert "at least 14 s" in line


def test_the_quietest_part_of_a_profile_counts() -> None:
    (line,) = said(("rate: 20/s", "rate: 20/s\n    profile: {steps: [{at: 30s, factor: 0.05}]}"))
    assert "at 1/s a window of 2 s" in line


def test_a_kill_switch_alone_takes_back_toggles_alone() -> None:
    toggle = "alternatives: [{toggle: {steps: [{on: 50%}]}}]\n  strategy:"
    only = [("  strategy:", f"  rollback: [kill-switch, verify]\n  {toggle}")]
    (line,) = said(*only)
    assert line.startswith("release.rollback: has neither route-back nor retire: after one of canary ")
    assert said(("  strategy:", f"  rollback: [kill-switch, route-back, verify]\n  {toggle}")) == []


def test_a_route_back_to_nobody_is_said_where_it_happened() -> None:
    hurt = [replace(row, outcome="failed", rto_censored=row.episodes > 0) for row in made.measures(replications=40)]
    restored = [replace(row, rto_censored=False) for row in hurt]

    def told(steps: str, rows: list[FunctionMeasure]) -> list[str]:
        scenario = load_text(TEXT.replace("  strategy:", f"  rollback: [{steps}]\n  strategy:"), "tiny.yaml")
        return [line for line in caveats(scenario, rows) if line.startswith("release.rollback")]

    (line,) = told("route-back, retire, verify", hurt)
    assert "has route-back without redeploy, and 8 of 40 replications were still down" in line
    assert told("redeploy, route-back, retire, verify", hurt) == []
    assert told("route-back, retire, verify", restored) == []


def test_a_flag_that_is_taken_back_leaves_no_version_that_an_old_schema_serves() -> None:
    toggle = "strategy: {toggle: {steps: [{on: 50%}]}}\n  migration: {store: orders, expand: 5s}"
    text = re.sub(r"strategy: .*|  alternatives:\n.*\n.*\n", lambda found: toggle if "str" in found[0] else "", VALID)

    def told(steps: str) -> list[str]:
        return caveats(load_text(text.replace("  strategy:", f"  rollback: [{steps}]\n  strategy:"), "tiny.yaml"))

    assert told("kill-switch, verify") == []
    assert told("kill-switch, redeploy, route-back, retire, revert-migration") == []
    (line,) = told("kill-switch, revert-migration, verify")
    assert line.startswith("release.rollback: revert-migration brings the old schema back, and without redeploy")


def test_a_function_that_is_not_good_before_anything_has_happened() -> None:
    scenario = load_text(TEXT, "tiny.yaml")
    row = next(each for each in made.measures() if each.function == "browse")
    early = replace(row, impact_start_s=scenario.release.at_s - 1.0)
    late = replace(early, impact_start_s=scenario.release.at_s + 1.0)
    assert caveats(scenario, [late] * 19 + [early], []) == []
    (line,) = caveats(scenario, [late] * 18 + [early] * 2, [])
    assert line.startswith("functions.browse: not good before the release and every fault (at ")
    assert "in 2 of 20 replications" in line
    assert caveats_compared({"canary": (scenario, [early], []), "rolling": (scenario, [late], [])})[0].startswith(
        "canary: "
    )
    assert caveats_compared({"canary": (scenario, [early], []), "rolling": (scenario, [early], [])})[0].startswith(
        "functions."
    )


def test_side_by_side_a_release_that_did_not_start_does_not_seem_the_best_unsaid() -> None:
    scenario = load_text(TEXT, "tiny.yaml")
    rows = made.measures(replications=20)
    frozen = [replace(row, outcome="skipped" if row.replication % 2 else "waiting") for row in rows]
    found = caveats_compared({"friday": (scenario, frozen, []), "monday": (scenario, rows, [])})
    said = "release: the calendar let none start in 20 of 20 replications: they count as good ones, but "
    assert [each.startswith(f"friday: {said}") for each in found] == [True]


def test_windows_without_requests_are_not_blamed_on_the_system_as_well() -> None:
    early = replace(next(each for each in made.measures() if each.function == "browse"), impact_start_s=1.0)
    quiet = load_text(TEXT.replace("rate: 20/s", "rate: 1/s"), "tiny.yaml")
    (line,) = caveats(quiet, [early], [])
    assert "holds no request" in line
    later = "rate: 20/s\n    profile: {steps: [{at: 30s, factor: 0.05}]}"
    lines = caveats(load_text(TEXT.replace("rate: 20/s", later), "tiny.yaml"), [early], [])
    assert ["holds no request" in lines[0], "not good before" in lines[1]] == [True, True]


def test_a_release_that_is_under_way_when_the_run_ends() -> None:
    scenario = load_text(TEXT, "tiny.yaml")
    ended = next(each for each in made.measures() if each.function == "browse")
    rows = [replace(ended, replication=place) for place in range(20)]
    endless = [replace(row, outcome="running") for row in rows[:2]]
    assert caveats(scenario, rows[1:] + endless[:1], []) == []
    (line,) = caveats(scenario, rows[2:] + endless, [])
    assert line.startswith("release: it, or its rollback, was still under way when the load ended (at 60 s)")
    assert "in 2 of 20 replications" in line
    assert line.endswith("or `progress_deadline` where replicas never become ready")
    waiting = [replace(row, outcome="waiting") for row in rows]  # for the calendar: said beside it
    assert caveats(scenario, waiting, []) == []
    limited = load_text(TEXT.replace("  strategy:", "  progress_deadline: 20s\n  strategy:"), "tiny.yaml")
    (line,) = caveats(limited, endless, [])
    assert line.endswith("give a longer `duration`")


def test_a_risk_of_the_rollback_that_few_releases_met() -> None:
    risky = "  rollback_risks: [{name: drift, probability: 30%, step: redeploy, fails: true}]\n  strategy:"
    scenario = load_text(TEXT.replace("  strategy:", risky), "tiny.yaml")
    rows = made.measures(replications=132, bad_every=4)  # a quarter of them taken back
    (line,) = caveats(scenario, rows, ["crash"])
    assert line.startswith("release.rollback_risks.drift: 33 of 132 replications were taken back, of which about 9.9")
    assert caveats(scenario, made.measures(replications=136, bad_every=4), ["crash"]) == []
    assert caveats(scenario, [row for row in rows if not row.defects], ["crash"]) == []


def test_a_drawn_defect_that_few_replications_met() -> None:
    scenario = load_text(TEXT, "tiny.yaml")  # crash, by 20 %
    assert caveats(scenario, made.measures(replications=80, bad_every=4)) == []
    (line,) = caveats(scenario, made.measures(replications=76, bad_every=4))
    assert line.startswith("release.defects: only 19 of 76 replications had one: where their harm varies much, 95 %")
    (line,) = caveats(scenario, made.measures(replications=36, bad_every=4))
    assert line.startswith("release.defects.crash: met in 9 of 36 replications, so means")
    assert caveats(scenario, made.measures(replications=36, bad_every=4), ["crash"]) == []
    certain = load_text(TEXT.replace("probability: 20%", "probability: 100%"), "tiny.yaml")
    assert caveats(certain, made.measures(replications=4, bad_every=1)) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("probability: 20%", "probability: 0%",
         "release.defects.crash: has a probability of 0 %: only --defect crash plays it"),
        ("errors: 50%}", "errors: 50%, after: 55s}",
         ("release.defects.crash: shows 55 s after its first request, and the run ends 55 s after the start of the "
          "release: nobody meets it")),
        ("errors: 50%}", "errors: 50%, above_rate: 66/s}",
         "release.defects.crash: shows above 66/s, and at most about 40 requests/s come to shop: nobody meets it"),
        ("window: 5s, minimum: 10", "window: 61s, minimum: 10",
         ("release.guardrails[0]: error-ratio of shop (new) looks at 61 s, more than the run is long (60 s): it never "
          "sees its whole window")),
        ("{canary: {steps: [{weight: 50%}, {bake: 20s}]}}", "{rolling: {surge: 3, unavailable: 2}}",
         "release.strategy.rolling.surge: 3 is more than the 2 replicas of shop"),
        ("{canary: {steps: [{weight: 50%}, {bake: 20s}]}}", "{toggle: {steps: [{on: 50%}], deploy: {unavailable: 3}}}",
         "release.strategy.toggle.deploy.unavailable: 3 is more than the 2 replicas of shop"),
        ("{canary: {steps: [{weight: 50%}, {bake: 20s}]}}", "{waves: {by: zones, waves: [[a], [b], [c]]}}",
         "release.strategy.waves: none of the 2 replicas of shop stands in c"),
        ("release:\n  at", "faults: [{at: 5s, for: 5s, error: {on: spare, share: 5%}}]\nrelease:\n  at",
         "faults[0]: error on spare: no function reaches spare, so nobody feels it"),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_said(old: str, new: str, line: str) -> None:
    system = ("system:\n", "system:\n  zones: [a, b, c]\n"), ("    ads:", "    spare: {service_time: 1ms}\n    ads:")
    assert said(*system) == []
    assert said(*system, (old, new)) == [line]


def test_who_is_never_asked_is_said() -> None:
    paged = "on_call: {acknowledge: 1m, decide: 1m, escalation: [{after: 5m, to: second}]}"
    people = "people: {second: {acknowledge: 1m, decide: 1m}, third: {acknowledge: 1m, decide: 1m}}"
    signs = "approvals: {boss: {takes: 1m}, lawyer: {takes: 1m}}"
    operations = ("release:\n  at", f"operations: {{{paged}, {people}, {signs}}}\nrelease:\n  at")
    assert said(operations, ("{bake: 20s}]", "{approve: boss}, {bake: 20s}]")) == [
        "operations.people.third: operations.on_call.escalation does not lead there, so nobody pages them",
        "operations.approvals.lawyer: no step of a strategy waits for it",
    ]


def test_a_judge_that_never_looks_as_often_as_it_must_is_said() -> None:
    looks = ("minimum: 10", "minimum: 10, every: 20s, consecutive: 4")
    assert said(looks) == [
        (
            "release.guardrails[0]: error-ratio of shop (new) must find it bad at 4 looks in a row, one each 20 s, and "
            "the run ends 55 s after the start of the release: it never trips"
        )
    ]
    assert said(("minimum: 10", "minimum: 10, every: 20s, consecutive: 3")) == []
    check = "analysis: {for: 5s, checks: [{metric: error-ratio, of: shop, above: 5%, minimum: 1, consecutive: 30}]}"
    paged = ("release:\n  at", "operations: {on_call: {acknowledge: 1m, decide: 1m}}\nrelease:\n  at")
    assert said(("{bake: 20s}]", f"{{{check}}}, {{bake: 20s}}]"), paged) == [
        (
            "release.strategy: analysis 5 s: error-ratio of shop (new) must find it bad at 30 looks in a row, one each "
            "0.25 s: it never fails"
        )
    ]


def test_a_silence_that_hides_nothing_and_notices_of_nothing_are_said() -> None:
    notices = "notices: [{to: support, on: acknowledge, after: 1m}, {to: status, on: guardrail-trip, after: 1m}]"
    operations = ("release:\n  at", f"operations: {{suppression: {{for: 10m}}, {notices}}}\nrelease:\n  at")
    assert said(operations) == [
        "operations.suppression: no guardrail of the release pages, so it silences nothing",
        "operations.notices: nobody is paged, so there is no first acknowledge to tell of",
    ]
    paged = ("release:\n  at", f"operations: {{on_call: {{acknowledge: 1m, decide: 1m}}, {notices}}}\nrelease:\n  at")
    assert said(paged, ("minimum: 10", "minimum: 10, action: page")) == []
    noted = ("release:\n  at", f"operations: {{suppression: {{for: 10m, guardrails: all}}, {notices}}}\nrelease:\n  at")
    assert said(noted, ("minimum: 10", "minimum: 10, action: note")) == [
        "operations.suppression: no guardrail of the release pages or takes back, so it silences nothing",
        "operations.notices: nobody is paged, so there is no first acknowledge to tell of",
        "operations.notices: nothing trips, so there is no first guardrail-trip to tell of",
    ]


def test_what_just_changes_something_is_not() -> None:
    assert said(("errors: 50%}", "errors: 50%, after: 54s, above_rate: 65/s}")) == []
    assert said(("window: 5s, minimum: 10", "window: 60s, minimum: 10")) == []
    assert said(("{canary: {steps: [{weight: 50%}, {bake: 20s}]}}", "{rolling: {surge: 2, unavailable: 2}}")) == []
    never = load_text(TEXT.replace("probability: 20%", "probability: 0%"), "tiny.yaml")
    assert caveats(never, made.measures(replications=4, bad_every=1), ["crash"]) == []


def test_a_guardrail_that_never_sees_enough() -> None:
    def told(window: str, minimum: int, retries: int = 0) -> list[str]:
        text = VALID.replace("window: 5s, minimum: 10}", f"window: {window}, minimum: {minimum}}}")
        text = text.replace(
            "{from: edge, to: web, timeout: 1s}", f"{{from: edge, to: web, timeout: 1s, retries: {retries}}}"
        )
        return [line for line in caveats(load_text(text, "tiny.yaml")) if line.startswith("release.guardrails")]

    # 10/s in 5 s are 50 requests, and four deviations more are 78.
    assert told("5s", 78) == []
    (line,) = told("5s", 79)
    assert line.startswith("release.guardrails[0]: error-ratio of web (new) never trips: within 5 s at most about 50 ")
    assert told("10s", 79) == []
    assert told("5s", 79, retries=1) == []  # each request may come twice


def test_a_guardrail_that_looks_back_further_than_the_load() -> None:
    def told(judge: str, at: str = "10s") -> list[str]:
        old = "above: 5%, window: 5s, minimum: 10}"
        assert old in VALID
        text = VALID.replace(old, f"{judge}, minimum: 10}}").replace("  at: 10s", f"  at: {at}")
        return [line for line in caveats(load_text(text, "tiny.yaml")) if "looks back" in line]

    burn = "burn_rate: {objective: 99%, above: 5, windows: [20s, 5s]}"
    assert told(f"version: any, {burn}", "20s") == []
    (line,) = told(f"version: any, {burn}")
    assert line.startswith("release.guardrails[0]: error-ratio of web (any), burn-rate looks back 20 s, and the ")
    assert line.endswith("give release.at at least 20 s")
    assert told(f"version: new, {burn}") == []  # it has no past outside of a simulation, either
    assert len(told("version: old, above: 10%, window: 11s")) == 1
    assert told("version: old, above: 10%, window: 10s") == []


def test_a_loss_that_nobody_stops_is_dated_by_the_end_of_the_load() -> None:
    scenario = load_text(TEXT.replace("errors: 50%}", "errors: 50%, lost_writes: 10%}"), "tiny.yaml")
    rows = made.measures(replications=4, bad_every=2)
    taken_back = [replace(row, lost_writes=3) if row.defects else row for row in rows]
    assert caveats(scenario, taken_back, ["crash"]) == []
    promoted = [replace(row, outcome="promoted") for row in taken_back]
    (line,) = caveats(scenario, promoted, ["crash"])
    assert line.startswith("release.defects.crash: nobody takes it back in 2 of 4 replications, and it loses writes to")
    assert caveats(scenario, [replace(row, lost_writes=0) for row in promoted], ["crash"]) == []
    harmless = load_text(TEXT, "tiny.yaml")  # what is lost there is not the defect's
    assert caveats(harmless, promoted, ["crash"]) == []


def test_flows_that_were_near_a_capacity_for_longer_than_a_window() -> None:
    scenario = load_text(TEXT, "tiny.yaml")
    row = next(each for each in made.measures() if each.function == "browse")
    near = replace(row, near_capacity=("shop", "orders"), near_capacity_s=(30.0, 1.0))
    far = [replace(row, replication=number) for number in range(1, 4)]
    assert caveats(scenario, far, []) == []
    (line,) = caveats(scenario, [near, *far], [])
    assert line.startswith(
        "system.services.shop: had about as much to do as it can for 30 s (50.0% of the run) in 1 of 4 "
    )
    (line,) = caveats(scenario, [replace(near, near_capacity_s=(0.0, 2.0)), *far], [])
    assert line.startswith("system.stores.orders: ")
