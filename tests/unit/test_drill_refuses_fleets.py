"""A drill refuses what its staging has no fleets, zones and clocks for, naming each path."""

from chaos.unrealised import unrealised
from scenarios.loading import load, load_text
from tests.unit.scenario_texts import changed


def test_what_the_shop_can_be_is_not_refused() -> None:
    assert unrealised(load("shop-release")[0]) == []


def test_each_path_is_named() -> None:
    text = changed("  services:\n", "  zones: [a, b]\n  services:\n")
    text = text.replace("replicas: 4", "replicas: 4, liveness: {}, autoscaling: {target: 70%, maximum: 9}")
    text = text.replace("external: true", "external: true, availability: {uptime: 99%, outage: 1m}")
    text = text.replace("latency: +200ms", "latency: +200ms, after: 5m").replace(
        "kill: {of: web, version: old}", "zone: {of: a}"
    )
    assert [line.split(": ")[0] for line in unrealised(load_text(text, "f"))] == [
        "system.zones",
        "system.services.web.liveness",
        "system.services.web.autoscaling",
        "system.services.bank.availability",
        "release.defects[1].after",
        "faults[3].zone",
    ]
