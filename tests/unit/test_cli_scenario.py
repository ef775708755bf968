"""``windtunnel scenario`` and ``windtunnel schema``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scenarios.catalogue import library_file, library_names
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]


@pytest.fixture
def good() -> str:
    file = library_file("shop-release")
    assert file is not None
    return file.read_text()


def test_whole_library_is_valid(windtunnel: Run) -> None:
    result = windtunnel("scenario", "validate", *library_names(), "--json")
    assert result.code == 0
    assert [answer["name"] for answer in json.loads(result.out)] == library_names()


def test_every_problem_is_told_in_one_pass(windtunnel: Run, tmp_path: Path, good: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(good.replace("duration: 36s", "duration: soon").replace("tier: 2", "teir: 2"))
    result = windtunnel("scenario", "validate", str(file))
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    lines = result.err.splitlines()
    assert [line.startswith(f"{file}:") for line in lines] == [True, True]
    assert "duration: 'soon'" in lines[0]
    assert "functions.browse.teir: 2: unknown key" in lines[1]


def test_problems_as_json(windtunnel: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("schema: windtunnel/v1\nname: [")
    result = windtunnel("scenario", "validate", "shop-release", str(file), "--json")
    assert result.code == ExitCode.USAGE
    assert [answer["valid"] for answer in json.loads(result.out)] == [True, False]


def test_show_prints_the_text_as_written(windtunnel: Run, good: str) -> None:
    assert windtunnel("scenario", "show", "shop-release").out == good


def test_show_json_is_in_si_units(windtunnel: Run) -> None:
    document = json.loads(windtunnel("scenario", "show", "shop-release", "--json").out)
    assert document["duration_s"] == 36.0


def test_list_names_the_library(windtunnel: Run) -> None:
    document = json.loads(windtunnel("scenario", "list", "--json").out)
    assert [each["name"] for each in document] == library_names()
    table = windtunnel("scenario", "list").out
    assert all(name in table for name in library_names())


def test_schema_is_a_json_schema(windtunnel: Run) -> None:
    document = json.loads(windtunnel("schema").out)
    assert document["$schema"].endswith("2020-12/schema")
    assert {"system", "functions", "release"} <= set(document["properties"])
