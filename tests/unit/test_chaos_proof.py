"""What a drill compares of a staging that tells no fact of its own."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos.proof import FACTS_FILE, Proof
from chaos.safety.errors import BaselineDrifted
from chaos.staging.adapters import open_staging
from tests.commands_tiny import tiny_staging


def test_what_runs_and_who_answers_is_compared_though_the_staging_tells_no_fact(tmp_path: Path) -> None:
    ready, routes = {"2.3": 2}, {"2.3": 1.0}
    surface = SimpleNamespace(ready=lambda _: ready, routes=lambda _: routes, steering=lambda _: ())
    staging: Any = SimpleNamespace(facts=dict, declared=dict, books=None, surface=surface, redact=str)
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
    staging: Any = SimpleNamespace(facts=lambda: facts, declared=lambda: facts, books=None, surface=surface, redact=str)
    Proof(staging, tmp_path, ["checkout"]).take_baseline()


def test_secrets_among_facts_are_kept_nowhere_and_compared_all_the_same(tmp_path: Path) -> None:
    facts = {"url": "postgres://shop:password=one@db"}
    staging = open_staging(
        tiny_staging(
            tmp_path / "shop",
            facts={"run": ["sh", "-c", "cat facts.json"]},
            secrets={"patterns": ["password=[a-z]+"]},
        ),
        tmp_path,
    )
    (tmp_path / "shop" / "facts.json").write_text(json.dumps(facts))
    proof = Proof(staging, tmp_path, ["checkout"])
    proof.take_baseline()
    (tmp_path / "shop" / "facts.json").write_text(json.dumps({"url": "postgres://shop:password=two@db"}))
    assert proof.compare("after") == ["url: postgres://shop:***@db, was postgres://shop:***@db"]
    assert "password" not in (tmp_path / FACTS_FILE).read_text()
    (tmp_path / "shop" / "drift").write_text("workers: 3, password=two")
    assert staging.differences() == ["workers: 3, ***"]
    with pytest.raises(BaselineDrifted, match=r"not as declared: .*workers: 3, \*\*\*, was nothing"):
        Proof(staging, tmp_path, ["checkout"]).take_baseline()
