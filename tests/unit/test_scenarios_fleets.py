"""Rules of fleets, zones, third parties and of defects that show late: each with its message."""

import pytest

from scenarios.loading import load_text
from tests.unit.scenario_texts import VALID, changed, problems

EDGE = "edge: {service_time: 2ms}"
BANK = "bank: {external: true, service_time: {exponential: {mean: 30ms}}}"
CRASH = "{name: crash, probability: 10%, errors: 50%, cohort: coupon}"
KILL = "kill: {of: web, version: old}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (EDGE, "edge: {service_time: 2ms, availability: {uptime: 99%, outage: 1m}}",
         "8: system.services.edge.availability: 'availability': must be of an external service: ours fail by faults"),
        (BANK, BANK.replace("true,", "true, availability: {uptime: 100%, outage: 1m},"),
         ("10: system.services.bank.availability: {'uptime': '100%', 'outage': '1m'}: uptime must be below 100%: leave "
         "availability out for a third party that is always up")),
        (BANK, BANK.replace("true,", "true, availability: {uptime: 0%, outage: 1m},"),
         "10: system.services.bank.availability.uptime: '0%': must be above 0%"),
        (BANK, BANK.replace("true,", "true, availability: {uptime: 99%, outage: 0s},"),
         "10: system.services.bank.availability: {'uptime': '99%', 'outage': '0s'}: outage must take longer than 0s"),
        (BANK, BANK.replace("true,", "true, liveness: {},"),
         ("10: system.services.bank.liveness: 'liveness': must not be of an external service: a third party keeps its "
         "own up")),
        ("replicas: 4", "replicas: 4, autoscaling: {target: 70%, maximum: 3}",
         "9: system.services.web.replicas: 4: must be between minimum and maximum: 1 to 3"),
        ("replicas: 4", "replicas: 4, autoscaling: {target: 70%, minimum: 5, maximum: 4}",
         ("9: system.services.web.autoscaling: {'target': '70%', 'minimum': 5, 'maximum': 4}: maximum(=4) must be at "
         "least minimum(=5)")),
        ("replicas: 4", "replicas: 4, readiness: {failures: 0}",
         "9: system.services.web.readiness.failures: 0: must be at least 1"),
        (KILL, "zone: {of: a}", "45: faults[3].zone.of: 'a': must be one of system.zones: (there is none)"),
        (CRASH, "{name: crash, probability: 10%, crash: 30%, after: 5m}",
         ("30: release.defects[0]: {'name': 'crash', 'probability': '10%', 'crash': '30%', 'after': '5m'}: after, ramp "
         "and above_rate must be of errors, latency or lost_writes")),
        (CRASH, "{name: crash, probability: 10%, crash_after: 5m, cohort: coupon}",
         ("30: release.defects[0]: {'name': 'crash', 'probability': '10%', 'crash_after': '5m', 'cohort': 'coupon'}: "
         "crash and crash_after must stand without a cohort: a replica serves all of them")),
        (CRASH, "{name: crash, probability: 10%, errors: 5%, above_rate: 150}",
         "30: release.defects[0].above_rate: 150: must be a rate with its unit (/s, /m, /h), such as 40/s"),
    ],
)  # fmt: skip
def test_each_rule_has_its_message(old: str, new: str, said: str) -> None:
    assert next(problem.removeprefix("f.yaml:") for problem in problems(changed(old, new))) == said


def test_zones_are_there_once_and_known_to_faults() -> None:
    text = changed("  services:\n", "  zones: [a, b, a]\n  services:\n").replace(KILL, "zone: {of: c}")
    assert problems(text) == [
        "f.yaml:7: system.zones[2]: 'a': must be there once",
        "f.yaml:46: faults[3].zone.of: 'c': must be one of system.zones: a, b, a",
    ]


def test_two_outages_of_one_zone_must_not_overlap() -> None:
    text = changed("  services:\n", "  zones: [a, b]\n  services:\n").replace(KILL, "zone: {of: a}")
    text = text.replace("expect:\n", "  - {at: 9s, for: 10s, zone: {of: a}}\nexpect:\n")
    assert problems(text) == [
        "f.yaml:47: faults[4]: 'zone on a': must not overlap with or touch another fault of its kind and target"
    ]


def test_everything_is_taken_with_its_defaults() -> None:
    text = changed("replicas: 4", "replicas: 4, readiness: {}, autoscaling: {target: 70%, maximum: 9}")
    service = load_text(text.replace("startup: 1s", "startup: {exponential: {mean: 3s}}"), "f").system.services["web"]
    assert (service.readiness.period_s, service.readiness.failures, service.readiness.timeout_s) == (10, 3, 1)
    assert (service.autoscaling.minimum, service.autoscaling.period_s, service.autoscaling.lag_s) == (1, 15, 0)
    assert service.startup.mean_s == 3
    plain = load_text(VALID, "f").system.services["web"]
    assert (plain.startup.params, plain.liveness, plain.availability) == ((1.0, 0.0), None, None)
