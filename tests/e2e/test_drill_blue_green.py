"""A blue-green drill as a user runs it: brought up whole, switched, judged, the old version drained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenarios.loading import read
from tests.e2e.drills import DRILL_TIMEOUT_S, only_record, processes_naming, start_drill

pytestmark = pytest.mark.e2e

_SHORT = {
    "duration: 40s": "duration: 13s",
    "window: 3s, consecutive: 12": "window: 2s, consecutive: 4",
    "at: 10s\n": "at: 4s\n",
    "preview: 3s": "preview: 500ms",
    "hold: 2s": "hold: 500ms",
    "for: 6s": "for: 2s",
    "window: 5s, minimum: 100": "window: 2s, minimum: 20",
    "scale_down_delay: 4s": "scale_down_delay: 500ms",
    "rate: 50/s": "rate: 25/s",
    "rate: 40/s": "rate: 10/s",
}


def test_a_good_blue_green_release_costs_no_request(tmp_path: Path) -> None:
    text = read("shop-blue-green").text
    for old, new in _SHORT.items():
        assert old in text, f"shop-blue-green no longer says {old!r}"
        text = text.replace(old, new)
    scenario = tmp_path / "short.yaml"
    scenario.write_text(text, encoding="utf-8")
    drill = start_drill(scenario, tmp_path / "state", tmp_path / "runs", "--good")
    out, err = drill.communicate(timeout=DRILL_TIMEOUT_S)
    assert drill.returncode == 0, (out, err)
    assert json.loads(out)["exit_code"] == 0
    record = only_record(tmp_path / "runs")
    events = record.events()
    done = [event for event in events if event.kind in ("deploy", "route", "analysis", "release-end")]
    told = [(str(event.kind), event.detail.get("result", event.detail.get("outcome"))) for event in done]
    assert told == [
        ("deploy", None),
        ("route", None),
        ("analysis", "passed"),
        ("deploy", None),
        ("release-end", "promoted"),
    ]
    up, switch, _, down, _ = done
    assert (up.detail["version"], up.detail["replicas"]) == ("2.4", 2)
    assert switch.detail["weights"] == {"2.3": 0.0, "2.4": 1.0}
    assert (down.detail["version"], down.detail["replicas"], down.detail["drained"]["cut"]) == ("2.3", 0, 0)
    assert [(each.failed, each.lost_writes) for each in record.measures()] == [(0, 0), (0, 0)]
    # all of the requests moved at the switch, and stayed
    samples = record.samples()
    of_checkout = samples.where(samples.service == "checkout")
    old = of_checkout.where(of_checkout.version == "2.3")
    new = of_checkout.where(of_checkout.version == "2.4")
    served_s = new.window_start_s[new.requests > 0]
    assert switch.time_s - 0.5 <= served_s.min() <= switch.time_s + 1.0
    assert old.window_start_s[old.requests > 0].max() <= switch.time_s + 0.5
    assert not processes_naming(tmp_path)
