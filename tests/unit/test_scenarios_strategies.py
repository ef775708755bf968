"""Rules between strategies and the rest of a scenario, each with what it says."""

import pytest

from scenarios.errors import InvalidScenario
from scenarios.loading import load_text

TEXT = """\
schema: windtunnel/v1
name: tiny
sources: [a test]
duration: 200s
system:
  services: {web: {service_time: 10ms}, bank: {external: true, service_time: 1ms}}
  calls: [{from: web, to: bank}]
functions: {buy: {path: [web], rate: 10/s, rto: 1m, rpo: 0s, good: {success: ">= 99%"}}}
release:
  changes: [{service: web, from: v1, to: v2}]
"""
CANARY = "strategy: {canary: {steps: [{weight: 5%}]}}"


def analysed(check: str, more: str = "") -> str:
    return f"strategy: {{blue-green: {{analysis: {{for: 9s, checks: [{{metric: p99, above: 9ms, {check}}}]{more}}}}}}}"


def defect(what: str) -> str:
    return f"{CANARY}\n  defects: [{{name: d, probability: 1%, flag: true, {what}}}]"


@pytest.mark.parametrize(
    "release",
    [CANARY, analysed("of: web", ", inconclusive: go-on"), "strategy: {waves: {by: cohorts, waves: [[default]]}}"],
)
def test_what_is_right_is_taken(release: str) -> None:
    load_text(f"{TEXT}  {release}\n", "tiny.yaml")


@pytest.mark.parametrize(
    ("release", "problem"),
    [
        (
            "strategy: {canary: {steps: [{cohort: nobody}]}}",
            "steps[0].cohort: 'nobody': must be a cohort",
        ),
        ("strategy: {canary: {steps: [{scale: 1}, {approve: boss}]}}", "must be one of operations.approvals"),
        ("strategy: {waves: {by: zones, waves: [[a]]}}", "waves.waves[0][0]: 'a': must be one of system.zones"),
        ("strategy: {waves: {by: cohorts, waves: [[a]]}}", "waves.waves[0][0]: 'a': must be a cohort"),
        ("strategy: {toggle: {}}", "strategy.toggle.steps: (absent): is required"),
        (analysed("of: shop"), "checks[0].of: 'shop': must be a service"),
        (analysed("of: bank"), "checks[0].version: 'new': must be any: bank has one version"),
        (analysed("of: web"), "there is no operations.on_call"),
        (analysed("of: web, action: note"), "checks[0] must have no action"),
        (analysed("of: web, every: 1h"), "for must be at least 3600s, or checks[0] never looks"),
        (
            analysed("of: web, every: 2s, consecutive: 5"),
            "for must be at least as long as checks[0] takes to fail: 5 looks in a row, one each 2s",
        ),
        (
            analysed("of: web, every: 1s, mann_whitney: {}").replace(" above: 9ms,", ""),
            "for must be at least as long as checks[0] takes to see enough: 50 points, one each 1s",
        ),
        ("strategy: {recreate: {pause: 5s}}", "unknown key, allowed are (none)"),
        (f"{CANARY}\n  rollback: [kill-switch]", "rollback[0]: 'kill-switch': must go with a toggle"),
        (defect("errors: 1%"), "defects[0].flag: True: must go with a toggle"),
        (defect("errors: 1%, crash: 1%"), "flag must stand without"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(release: str, problem: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        load_text(f"{TEXT}  {release}\n", "tiny.yaml")
    assert problem in str(caught.value)


def test_every_zone_is_in_a_wave() -> None:
    zoned = TEXT.replace("system:\n", "system:\n  zones: [a, b]\n")
    with pytest.raises(InvalidScenario, match="must name every zone, or the old version stays there: b is missing"):
        load_text(f"{zoned}  strategy: {{waves: {{by: zones, waves: [[a]]}}}}\n", "tiny.yaml")
