"""Scenarios as tests of pytest: what is collected, what is reported, and that nobody else notices."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scenarios.catalogue import library_file

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ("-p", "windtunnel.pytest_plugin", "-W", "error")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inner pytest loads the plugin that it is told to, and none that happens to be installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def text(expect: str) -> str:
    """The shop's release in little, with these expectations."""
    path = library_file("shop-release")
    assert path is not None
    whole = path.read_text(encoding="utf-8")
    return whole[: whole.index("\nexpect:")] + f"\nexpect:\n{expect}\n"


def scenario(pytester: pytest.Pytester, name: str, expect: str) -> Path:
    """A scenario file of that name in the inner project."""
    path = pytester.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(expect), encoding="utf-8")
    return path


def test_verdicts_decide_and_tell_their_reasons(pytester: pytest.Pytester) -> None:
    scenario(pytester, "met.scenario.yaml", '  browse: {rto_attainment: ">= 20%"}')
    scenario(pytester, "missed.scenario.yaml", '  release: {false_alarms: ">= 99%"}')
    scenario(pytester, "unsure.scenario.yaml", '  checkout: {rto_attainment: ">= 99%"}')
    scenario(pytester, "silent.scenario.yaml", "  {}")
    (pytester.path / "broken.scenario.yaml").write_text("schema: windtunnel/v1\nname: broken\n")

    result = pytester.runpytest_subprocess(*PLUGIN, "--windtunnel-replications=3", "--windtunnel-seed=7", "-v")

    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(["*met.scenario.yaml::verdict PASSED*"])
    result.stdout.fnmatch_lines(
        [
            "*scenario broken.scenario.yaml*",
            "broken.scenario.yaml:1: *system: (absent): is required",
            "*scenario missed.scenario.yaml*",
            "fail: 1 of 1 checks",
            "fail *release: false_alarms 0.000 [[]0.000, *] < 0.99 (n = *)",
            "again: windtunnel simulate missed.scenario.yaml --replications 3 --seed 7",
            "*scenario silent.scenario.yaml*",
            "inconclusive is no pass: the scenario expects nothing; *",
            "*scenario unsure.scenario.yaml*",
            "inconclusive: 1 of 1 checks, which is no pass: 3 replications cannot tell, *",
            "inconclusive checkout: rto_attainment 1.000 [[]*, 1.000] spans 0.99, must be >= 0.99 (n = 3)",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    assert not list(pytester.path.glob("runs*"))


def test_files_of_others_are_left_alone_unless_they_are_named(pytester: pytest.Pytester) -> None:
    (pytester.path / "theirs.scenario.yaml").write_text("Feature: something else\n")
    scenario(pytester, "library/plain.yaml", "  {}")
    pytester.makepyfile(test_theirs="def test_theirs(): pass")

    found = pytester.runpytest_subprocess(*PLUGIN, "--collect-only", "-q")
    found.stdout.fnmatch_lines(["test_theirs.py::test_theirs", "", "1 test collected*"])

    named = pytester.runpytest_subprocess(*PLUGIN, "--collect-only", "-q", "theirs.scenario.yaml")
    named.stdout.fnmatch_lines(["theirs.scenario.yaml::verdict"])


def test_settings_name_other_files(pytester: pytest.Pytester) -> None:
    scenario(pytester, "releases/june.yaml", "  {}")
    scenario(pytester, "other/june.yaml", "  {}")
    scenario(pytester, "shop.scenario.yaml", "  {}")
    pytester.makeini("[pytest]\nwindtunnel_scenarios = releases/*.yaml\n")

    result = pytester.runpytest_subprocess(*PLUGIN, "--collect-only", "-q")

    result.stdout.fnmatch_lines(["releases/june.yaml::verdict", "", "1 test collected*"])


@pytest.mark.parametrize(
    ("option", "rule"),
    [("--windtunnel-replications=0", "whole number from 1"), ("--windtunnel-seed=-1", "whole number from 0")],
)
def test_bad_options_are_bad_usage(option: str, rule: str, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(*PLUGIN, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{option.partition('=')[0]}*{rule}*"])


def test_plugin_costs_nothing_until_a_scenario_runs(pytester: pytest.Pytester) -> None:
    scenario(pytester, "shop.scenario.yaml", "  {}")
    pytester.makeconftest(
        """
        import sys

        def pytest_collection_finish(session):
            light = {"windtunnel", "windtunnel.pytest_plugin"}
            rooms = ("windtunnel", "simulator", "chaos", "rollout", "evidence", "scenarios", "numpy", "pydantic")
            print("loaded:", sorted(n for n in sys.modules if n.partition(".")[0] in rooms and n not in light))
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN, "--collect-only", "-q", "-s")
    result.stdout.fnmatch_lines(["shop.scenario.yaml::verdict", "loaded: []"])


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"windtunnel": "windtunnel.pytest_plugin"}


def test_our_own_suite_does_not_collect_the_library() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "windtunnel.pytest_plugin", "--collect-only", "-q", "scenarios"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
