"""Scenarios as tests of pytest: each `*.scenario.yaml` is simulated and judged by its own expectations.

pytest finds this by its entry point; `-p no:windtunnel` switches it off. Nothing but pytest is imported until a
scenario runs, and a file of another tool that happens to be called alike is left alone: it names no schema of ours.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from evidence.verdicts import Verdict

__all__ = ["ScenarioFile", "ScenarioItem"]

_INI = "windtunnel_scenarios"
_SUFFIX = ".scenario.yaml"
_SCHEMA = re.compile(rb"""\bschema["']?\s*:\s*["']?windtunnel/""")
_REPLICATIONS, _SEED = "--windtunnel-replications", "--windtunnel-seed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two options, as `windtunnel check` has them, and where scenarios are looked for."""
    group = parser.getgroup("windtunnel", "scenarios as tests")
    group.addoption(
        _REPLICATIONS,
        type=_replications,
        default=200,
        metavar="N",
        help="how often the release of each scenario is played (default: 200)",
    )
    group.addoption(_SEED, type=_seed, default=1, metavar="S", help="seed of every random stream (default: 1)")
    parser.addini(
        _INI,
        type="args",
        default=None,
        help=f"patterns of scenario files; without, *{_SUFFIX} where it names Windtunnel's schema",
    )


def _replications(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from {least}")
    return int(text)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A scenario among the files that pytest comes across; one that the settings name is taken whatever it holds."""
    patterns = parent.config.getini(_INI)
    if patterns is None:
        wanted = file_path.name.endswith(_SUFFIX) and (parent.session.isinitpath(file_path) or _is_ours(file_path))
    else:
        wanted = any(file_path.match(pattern) for pattern in patterns)
    return ScenarioFile.from_parent(parent, path=file_path) if wanted else None


def _is_ours(path: Path) -> bool:
    try:
        return _SCHEMA.search(path.read_bytes()) is not None
    except OSError:
        return False


class ScenarioFile(pytest.File):
    """One scenario file; it holds one test."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The test that the verdict is pass."""
        yield ScenarioItem.from_parent(self, name="verdict")


class NotPassed(Exception):
    """The verdict is not pass."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.status.value)
        self.verdict = verdict


class ScenarioItem(pytest.Item):
    """Plays the scenario in the simulator and judges it; reasons become properties of the test (JUnit)."""

    def runtest(self) -> None:
        """Pass when the verdict does."""
        from scenarios.loading import load
        from windtunnel.simulating import simulate

        scenario, source = load(self._shown_path)
        with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
            outcome = simulate(scenario, source, replications=self._replications, seed=self._seed, out=Path(folder))
        verdict = outcome.verdict
        self.user_properties.append(("verdict", verdict.status.value))
        self.user_properties += [(f"{check.subject}: {check.name}", check.reason) for check in verdict.checks]
        if verdict.exit_code != 0:
            raise NotPassed(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:  # noqa: ARG002
        """The reasons; of an error that a user can cause, its message; a traceback only of a defect of ours."""
        from windtunnel.cli.exits import exit_code_of

        if isinstance(excinfo.value, NotPassed):
            return self._reasons(excinfo.value.verdict)
        if exit_code_of(excinfo.value) is not None:
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the test is and what it is called in the head of a failure."""
        return self.path, None, f"scenario {self._shown_path}"

    @property
    def _shown_path(self) -> str:
        """As the user, where pytest was started, would write it."""
        return os.path.relpath(self.path, self.config.invocation_params.dir)

    @property
    def _replications(self) -> int:
        return int(self.config.getoption(_REPLICATIONS))

    @property
    def _seed(self) -> int:
        return int(self.config.getoption(_SEED))

    def _reasons(self, verdict: Verdict) -> str:
        reasons = [f"{check.status.value:<12} {check.subject}: {check.reason}" for check in verdict.checks]
        file = shlex.quote(self._shown_path)
        again = f"windtunnel simulate {file} --replications {self._replications} --seed {self._seed}"
        return "\n".join([self._verdict_line(verdict), *reasons, f"again: {again}"])

    def _verdict_line(self, verdict: Verdict) -> str:
        """The first line, which pytest's summary shows."""
        if not verdict.checks:
            return "inconclusive is no pass: the scenario expects nothing; say under `expect` what must hold"
        status = verdict.status.value
        count = sum(check.status is verdict.status for check in verdict.checks)
        line = f"{status}: {count} of {len(verdict.checks)} checks"
        if status == "inconclusive":
            line += f", which is no pass: {self._replications} replications cannot tell, more may ({_REPLICATIONS})"
        return line
