"""What a drill compares of a staging that tells no fact of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chaos.proof import Proof


def test_what_runs_and_who_answers_is_compared_though_the_staging_tells_no_fact(tmp_path: Path) -> None:
    ready, routes = {"2.3": 2}, {"2.3": 1.0}
    surface = SimpleNamespace(ready=lambda _: ready, routes=lambda _: routes, steering=lambda _: ())
    staging: Any = SimpleNamespace(facts=dict, declared=dict, books=None, surface=surface)
    proof = Proof(staging, tmp_path, ["checkout"])
    proof.take_baseline()
    assert proof.compare("at once") == []
    ready["2.4"] = 1
    routes |= {"2.3": 0.5, "2.4": 0.5}
    assert proof.compare("after the rollback") == [
        "replicas checkout: 2.3: 2, 2.4: 1, was 2.3: 2",
        "routes checkout: 2.3: 0.5, 2.4: 0.5, was 2.3: 1",
    ]
    assert proof.compare("after the rollback", ["replicas ", "routes "]) == []


def test_own_looks_are_no_drift_of_what_was_declared(tmp_path: Path) -> None:
    surface = SimpleNamespace(ready=lambda _: {"2.3": 2}, routes=lambda _: {"2.3": 1.0}, steering=lambda _: ())
    facts = {"schema": "v1"}
    staging: Any = SimpleNamespace(facts=lambda: facts, declared=lambda: facts, books=None, surface=surface)
    Proof(staging, tmp_path, ["checkout"]).take_baseline()
