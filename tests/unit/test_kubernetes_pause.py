"""Pause of pods: the shell's part on a real process, the fault's order of safety on pods that are kept in memory."""

import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.kubernetes import pod_pause, signals
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import PauseTarget
from chaos.kubernetes.pod_pause import POD_PAUSE
from chaos.kubernetes.signals import Standing
from chaos.safety.undo import undo_entry
from scenarios.models import Fault
from tests.e2e.drills import PATIENCE_S, wait_for

FAULT = Fault.model_validate({"at": "0s", "for": "5s", "pause": {"of": "checkout", "replicas": 2}})


class ThisMachine:
    """Where a container's shell would look: at /proc, of this machine."""

    def execute(self, pod: str, container: str, command: Sequence[str]) -> str:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


@pytest.fixture
def process(tmp_path: Path) -> Iterator[str]:
    """The name of a process that no other one has."""
    name = f"wt-{secrets.token_hex(6)}"
    program = shutil.copy(shutil.which("sleep") or "", tmp_path / name)
    child = subprocess.Popen([program, "60"])
    try:
        yield name
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10.0)


def test_processes_are_stopped_and_go_on_by_name(process: str) -> None:
    machine: Any = ThisMachine()
    assert signals.standing(machine, "pod", "shop", process) == (0, 1, False)
    signals.send(machine, "pod", "shop", process, "STOP")
    wait_for(
        lambda: signals.standing(machine, "pod", "shop", process) == (1, 1, False), PATIENCE_S, "the process to stop"
    )
    signals.send(machine, "pod", "shop", process, "CONT")
    wait_for(
        lambda: signals.standing(machine, "pod", "shop", process) == (0, 1, False), PATIENCE_S, "the process to go on"
    )
    assert signals.standing(machine, "pod", "shop", process[:-1]) == (0, 0, False)
    first = Path("/proc/1/comm").read_text().strip()
    assert signals.standing(machine, "pod", "shop", first).first


class Pods:
    """Three pods with a process each: `first` its container's pid 1, `shielded` from signals, `deaf` to the API."""

    patience = 1.0

    def __init__(self) -> None:
        self.pauses = {"checkout": PauseTarget(container="shop", process="shop")}
        self.still = {"a": False, "b": False, "c": False}
        self.first: set[str] = set()
        self.shielded: set[str] = set()
        self.deaf: set[str] = set()
        self.api = self

    def token(self) -> str:
        return "pods"

    def ready(self, service: str) -> dict[str, int]:
        return {"2.3": len(self.still)}

    def pods(self, service: str, version: str) -> list[dict[str, Any]]:
        return [{"metadata": {"name": name, "uid": f"uid-{name}"}} for name in self.still]

    def all_pods(self, service: str) -> list[dict[str, Any]]:
        return self.pods(service, "2.3")

    def standing(self, pod: str, container: str, process: str) -> Standing:
        return Standing(int(self.still[pod]), 1, first=pod in self.first)

    def signal(self, pod: str, container: str, process: str, signal: str) -> None:
        if pod in self.deaf:
            raise KubernetesError(f"sh in pod {pod}: cannot be run")
        self.still[pod] = signal == "STOP" and pod not in self.shielded

    def delete_pod(self, name: str, uid: str) -> None:
        assert uid == f"uid-{name}"
        del self.still[name]


def planned(pods: Any) -> Any:
    return POD_PAUSE.plan(pods, FAULT, PlanContext("drill"))


def test_pods_stand_still_until_the_undo() -> None:
    pods: Any = Pods()
    entry = planned(pods)
    assert not any(pods.still.values())
    POD_PAUSE.apply(pods, entry)
    POD_PAUSE.confirm(pods, entry)
    assert pods.still == {"a": True, "b": True, "c": False}
    with pytest.raises(FaultRefused, match="pod a has 1 processes shop, 1 of them standing still"):
        planned(pods)
    assert undo_entry(pods, entry).rung == "continue"
    assert not any(pods.still.values())


def test_half_a_pause_is_undone_and_pods_that_are_gone_are_no_matter() -> None:
    pods: Any = Pods()
    entry = planned(pods)
    pods.still["a"] = True
    del pods.still["b"]
    assert undo_entry(pods, entry).rung == "continue"
    assert pods.still == {"a": False, "c": False}


def test_pod_that_cannot_be_let_go_on_is_replaced() -> None:
    pods: Any = Pods()
    entry = planned(pods)
    POD_PAUSE.apply(pods, entry)
    pods.deaf.add("a")
    assert undo_entry(pods, entry).rung == "replace pods"
    assert pods.still == {"c": False}


def test_first_process_of_a_container_is_refused_before_anything_stands_still() -> None:
    pods: Any = Pods()
    pods.first.add("b")
    with pytest.raises(FaultRefused, match="shop of pod b is its container's pid 1, which the kernel shields"):
        planned(pods)
    assert not any(pods.still.values())


def test_process_that_goes_on_is_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_pause, "_STILL_TIMEOUT_S", 0.1)
    pods: Any = Pods()
    pods.shielded.add("b")
    entry = planned(pods)
    POD_PAUSE.apply(pods, entry)
    with pytest.raises(FaultNotConfirmed, match="0 of 1 processes shop of pod b stand still"):
        POD_PAUSE.confirm(pods, entry)
    assert undo_entry(pods, entry).rung == "continue"


def test_service_without_a_process_to_pause_is_refused() -> None:
    pods: Any = Pods()
    pods.pauses = {}
    with pytest.raises(FaultRefused, match="does not say which process"):
        planned(pods)
