"""An experiment of the Chaos Toolkit, read and played part by part, each part in a child process with a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chaos
from chaos.errors import ChaosError

__all__ = ["Activity", "ExperimentFailed", "ExperimentRefused", "play", "read"]

_CHECK_TIMEOUT_S = 30.0


class ExperimentRefused(ChaosError):
    """The experiment cannot be read, is not valid, or cannot be played as a fault."""


class ExperimentFailed(ChaosError):
    """A part of the experiment did not come to its end."""


@dataclass(frozen=True)
class Activity:
    """An action or a probe that was carried out; `met` is whether its tolerance was, None without one."""

    name: str
    type: str
    succeeded: bool
    met: bool | None
    output: str
    error: str

    @property
    def well(self) -> bool:
        """Whether it succeeded, within its tolerance."""
        return self.succeeded and self.met is not False

    def __str__(self) -> str:
        if not self.succeeded:
            return f"{self.type} {self.name!r} failed: {self.error.strip()}"
        told = {None: "succeeded", True: "within its tolerance", False: "outside of its tolerance"}[self.met]
        return f"{self.type} {self.name!r} {told}: {self.output}"


def read(path: Path) -> dict[str, Any]:
    """The experiment in a file (JSON or YAML), valid as the Chaos Toolkit has it. Raises ExperimentRefused."""
    # As chaoslib tells them apart, without importing it.
    try:
        text = path.read_text(encoding="utf-8")
        experiment = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except (OSError, ValueError) as error:
        raise ExperimentRefused(f"experiment {path}: cannot be read: {error}") from error
    if not isinstance(experiment, dict):
        raise ExperimentRefused(f"experiment {path}: must be a mapping")
    try:
        play(experiment, "check", _CHECK_TIMEOUT_S)
    except ChaosError as error:
        raise ExperimentRefused(f"experiment {path}: {error}") from error
    return experiment


def play(experiment: dict[str, Any], part: str, timeout_s: float) -> list[Activity]:
    """Every activity of a part (child.PARTS), in their order.

    Raises ExperimentRefused for one that is not valid, ExperimentFailed when the part does not end within `timeout_s`
    or its process dies; whatever it had started is killed then.
    """
    order = json.dumps({"experiment": experiment, "part": part})
    with subprocess.Popen(
        [sys.executable, "-m", "chaos.experiments.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        text=True,
        start_new_session=True,
    ) as child:
        answered, complaints = _exchange(child, order, timeout_s)
    try:
        answer = json.loads(answered.strip().splitlines()[-1])
    except (IndexError, ValueError):
        tail = complaints.strip()[-500:] or "it said nothing"
        raise ExperimentFailed(f"{part}: its process ended without an answer: {tail}") from None
    if "refused" in answer:
        raise ExperimentRefused(str(answer["refused"]))
    return [Activity(**each) for each in answer["activities"]]


def _exchange(child: subprocess.Popen[str], order: str, timeout_s: float) -> tuple[str, str]:
    """Order and answer. The child's stdin stays open until then: its end would tell it that the harness is gone."""
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    said = {"out": "", "err": ""}
    streams = {"out": child.stdout, "err": child.stderr}

    def follow(name: str) -> None:
        said[name] = streams[name].read()

    readers = [threading.Thread(target=follow, args=(name,), daemon=True) for name in streams]
    for reader in readers:
        reader.start()
    try:
        with suppress(BrokenPipeError):  # it has died already; what it said tells why
            child.stdin.write(order + "\n")
            child.stdin.flush()
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise ExperimentFailed(f"did not end within {timeout_s:g} s, and was killed") from None
    finally:
        _end(child)
        for reader in readers:
            reader.join()  # nobody is left who could hold the other ends
    return said["out"], said["err"]


def _end(child: subprocess.Popen[str]) -> None:
    """Kill the child's group, and reap it: a group keeps its number as long as one of it lives."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _environment() -> dict[str, str]:
    root = str(Path(chaos.__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}


def _yaml(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ValueError(str(error)) from error
