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
    text = text.replace("latency: +200ms", "latency: +200ms, after: 5m")
    assert [line.split(": ")[0] for line in unrealised(load_text(text, "f"))] == [
        "system.services.web.liveness",
        "system.services.web.autoscaling",
        "system.services.bank.availability",
        "release.defects[1].after",
    ]


def test_a_fault_that_could_not_be_put_in_force_is_refused_before_anything_starts() -> None:
    shop = load("shop-release")[1].text
    text = shop.replace(
        "  - {at: 12s, for: 6s, latency: {on: checkout -> payments, add: 100ms, jitter: 20ms}}\n",
        """
  - {at: 12s, for: 1s, latency: {on: checkout -> payments, add: 0.2ms}}
  - {at: 12s, for: 1s, reset: {on: checkout -> payments, connections: 0.5%}}
  - {at: 12s, for: 1s, slicer: {on: checkout -> payments, size: 10B, vary: 10B}}
  - {at: 12s, for: 1s, delay: {on: edge, add: 0.1ms}}
  - {at: 12s, for: 1s, error: {on: edge, share: 0.001%}}
  - {at: 12s, for: 1s, cpu: {of: checkout, share: 96%}}
  - {at: 12s, for: 1s, experiment: {file: nowhere.json}}
""",
    )
    refused = unrealised(load_text(text, "f"))
    assert [line.split(": ")[0] for line in refused] == [
        f"faults[{index}].{kind}"
        for index, kind in enumerate(["latency", "reset", "slicer", "delay", "error", "cpu", "experiment"])
    ]
    assert "nowhere.json: cannot be read" in refused[-1]
