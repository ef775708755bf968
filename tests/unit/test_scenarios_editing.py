"""A scenario's text with one thing changed: which places a path means, and that nothing else moves."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from scenarios.catalogue import library_file
from scenarios.editing import edited
from scenarios.errors import PathError

FLOW = (library_file("shop-release") or "").read_text()  # type: ignore[union-attr]
BLOCK = """\
name: x  # kept
release:
  strategy:
    canary:
      steps:
        - weight: 5%
        - bake: 5m   # kept too
        - bake: 5m
  alternatives:
    - rolling:
        pause: 1s
"""


def changed(text: str, path: str, value: str) -> list[tuple[str, str]]:
    """Lines that differ, before and after."""
    after = edited(text, path, value)
    assert len(after.splitlines()) == len(text.splitlines())
    return [(a.strip(), b.strip()) for a, b in zip(text.splitlines(), after.splitlines(), strict=True) if a != b]


@pytest.mark.parametrize(
    ("path", "value", "was", "becomes", "lines"),
    [
        ("functions.checkout.rate", "99/s", "rate: 50/s", "rate: 99/s", 1),
        ("release.strategy.canary.bake", "1m", "{bake: 8s}", "{bake: 1m}", 1),
        ("release.strategy.blue-green.preview", "9s", "preview: 4s", "preview: 9s", 1),  # among the alternatives
        ("release.defects.slow-query.probability", "50%", "probability: 10%", "probability: 50%", 1),
        ("release.defects.1.probability", "50%", "probability: 10%", "probability: 50%", 1),
        ("system.calls.edge->checkout.timeout", "2s", "timeout: 1500ms", "timeout: 2s", 1),
        ("system.calls.retries", "0", "retries: 1", "retries: 0", 2),
        ("functions.checkout.good.p99", '"<= 2s"', '"<= 600ms"', '"<= 2s"', 1),
        ("system.services.edge.service_time", "3ms", "{lognormal: {mean: 2ms, cv: 0.5}}", "3ms", 1),
    ],
)
def test_a_path_changes_what_it_names(path: str, value: str, was: str, becomes: str, lines: int) -> None:
    found = changed(FLOW, path, value)
    assert [before.replace(was, becomes) for before, _ in found] == [after for _, after in found]
    assert len(found) == lines


def test_comments_and_blocks_stay() -> None:
    assert changed(BLOCK, "release.strategy.canary.bake", "1m") == [
        ("- bake: 5m   # kept too", "- bake: 1m   # kept too"),
        ("- bake: 5m", "- bake: 1m"),
    ]
    assert changed(BLOCK, "release.strategy.rolling.pause", "2s") == [("pause: 1s", "pause: 2s")]
    whole = edited(BLOCK, "release.strategy", "{recreate: {}}")
    assert "  strategy:\n    {recreate: {}}\n  alternatives:\n" in whole


def test_a_list_that_begins_below_its_key_makes_room_for_one_line() -> None:
    text = "path:\n- edge\n- shop  # gone\nwaves:\n- - a\n- - b\n  - c\nbake: 1s\n"
    one = edited(text, "path", "[edge]")
    assert YAML(typ="safe").load(one) == {"path": ["edge"], "waves": [["a"], ["b", "c"]], "bake": "1s"}
    assert YAML(typ="safe").load(edited(text, "waves", "[[a, b, c]]"))["waves"] == [["a", "b", "c"]]
    assert YAML(typ="safe").load(edited(text, "waves.1", "[c]"))["waves"] == [["a"], ["c"]]


def test_a_key_that_is_not_there_is_added() -> None:
    assert "measure: {warmup: 5s, resolution" in edited(FLOW, "measure.warmup", "5s")
    assert "        surge: 1\n        pause: 1s" in edited(BLOCK, "release.strategy.rolling.surge", "1")
    assert edited(BLOCK, "measure.window", "2s").startswith("measure: {window: 2s}\nname: x")


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (
            "system.services.chekout.replicas",
            "3",
            "chekout must be a key of system.services: edge",
        ),
        ("release.strategy.rolin.surge", "1", "rolin must be a key of release.strategy: canary"),
        (
            "release.defects.slow.probability",
            "1%",
            "slow must be an entry of release.defects, or a key there: cou",
        ),
        ("functions.checkout.rate.x", "1", r"x must be a key of functions.checkout.rate: \(none\)"),
        ("release..at", "1s", "must be keys with single dots between"),
        ("release.at", "{", r"value\(=\{\) of release.at must be YAML in one line"),
        ("release.at", "", "must be YAML in one line, such as 5m"),
        ("release.at", "a: b", "must be YAML in one line"),
    ],
)
def test_what_leads_nowhere_is_told(path: str, value: str, rule: str) -> None:
    with pytest.raises(PathError, match=rule):
        edited(FLOW, path, value)
