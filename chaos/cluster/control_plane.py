"""Start, end and state of a control plane on this machine."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from chaos.cluster import builds, commands, setting_up
from chaos.cluster import state as states
from chaos.cluster.state import State
from chaos.errors import ComponentFailed, StagingAlreadyUp, StagingUnclean
from chaos.staging import processes
from chaos.staging.go_toolchain import Say
from chaos.staging.locks import FileLock
from chaos.staging.ports import free_ports
from chaos.staging.processes import ProcessId

_READY_TIMEOUT_S = 120.0
_POLL_S = 0.1
# Nothing of it is worth an orderly end: its data goes with it.
_LADDER = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0))
# Go's programs read a proxy from their environment, and the API server is never behind one.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")

__all__ = ["lose", "revive", "start", "status", "stop"]


def start(folder: Path, say: Say = lambda _: None) -> Path:
    """Start a cluster; all of it is ready when this returns, or nothing of it runs. Returns its kubeconfig.

    Raises BuildFailed when a program is not there, StagingAlreadyUp, ComponentFailed.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(folder / ".lock"):
        if (folder / states.FILE).exists():
            state = states.read(folder)
            if state.up and any(processes.alive(process) for process in state.processes.values()):
                raise StagingAlreadyUp(f"a cluster runs in {folder}: use it, or stop it first")
        _end(folder)
        began_s = time.monotonic()
        ports = dict(zip(commands.PORTS, free_ports(len(commands.PORTS)), strict=True))
        password = secrets.token_urlsafe(24)
        _lay_out(folder, ports, password)
        states.write(folder, State(secrets.token_hex(16), ports))
        try:
            _bring_up(folder, say)
        except BaseException:
            _end(folder)
            raise
        say(f"cluster up in {time.monotonic() - began_s:.0f} s: KUBECONFIG={commands.kubeconfig(folder)}")
    return commands.kubeconfig(folder)


def stop(folder: Path) -> list[ProcessId]:
    """End a cluster, whatever is left of it; a second time does nothing. Returns what was stopped; logs stay.

    Raises StagingUnclean, and keeps the state, if a process survives.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        return []
    with FileLock(folder / ".lock"):
        return _end(folder)


def status(folder: Path) -> dict[str, bool]:
    """Each program of it, and whether it runs. Raises StagingNotUp."""
    return {name: processes.alive(process) for name, process in states.read(folder.absolute()).processes.items()}


def lose(folder: Path, name: str) -> None:
    """SIGKILL one of its programs."""
    processes.stop([states.read(folder.absolute()).processes[name]], ladder=((signal.SIGKILL, 5.0),))


def revive(folder: Path, name: str) -> None:
    """Start one of its programs again, where it was and with what it had. Raises ComponentFailed."""
    folder = folder.absolute()
    with FileLock(folder / ".lock"):
        ports = states.read(folder).ports
        stores = {"etcd": commands.etcd(folder, ports), "kube-apiserver": commands.apiserver(folder, ports)}
        _spawn(folder, name, {**stores, **commands.controllers(folder, ports)}[name])
        _wait(folder, "the API server to be ready", lambda: setting_up.answers(commands.kubeconfig(folder)))


def _lay_out(folder: Path, ports: dict[str, int], password: str) -> None:
    shutil.rmtree(folder / "log", ignore_errors=True)
    (folder / "log").mkdir(mode=0o700)
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{password},admin,admin,"system:masters"\n', encoding="utf-8")
    commands.write_kubeconfig(folder, ports["apiserver"], password)
    pretended = [path.read_text(encoding="utf-8") for path in builds.manifests("kwok")]
    if os.geteuid() == 0:
        pretended.append(json.dumps(commands.EXEC))
    (folder / "stages.yaml").write_text("\n---\n".join(pretended), encoding="utf-8")


def _bring_up(folder: Path, say: Say) -> None:
    ports = states.read(folder).ports
    say("starting etcd and the API server")
    _spawn(folder, "etcd", commands.etcd(folder, ports))
    _spawn(folder, "kube-apiserver", commands.apiserver(folder, ports))
    _wait(folder, "the API server to be ready", lambda: setting_up.answers(commands.kubeconfig(folder)))
    say("installing the definitions, starting the controllers")
    with setting_up.connected(commands.kubeconfig(folder)) as api:
        setting_up.define(api, [*builds.manifests("rollouts"), *builds.manifests("gateway")])
        _wait(folder, "the definitions to be established", lambda: setting_up.defined(api))
        for name, argv in commands.controllers(folder, ports).items():
            _spawn(folder, name, argv)
        setting_up.add_nodes(api, commands.NODES)
        _wait(folder, "nodes and controllers to be ready", lambda: setting_up.settled(api, commands.NODES))
    states.write(folder, replace(states.read(folder), up=True))


def _spawn(folder: Path, name: str, argv: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key.lower() not in _PROXIES}
    state = states.read(folder)
    log = folder / "log" / f"{name}.log"
    process = processes.spawn(argv, log=log, environment=environment, token=state.token, cwd=folder)
    states.write(folder, replace(state, processes={**state.processes, name: process}))


def _wait(folder: Path, what: str, holds: Callable[[], bool]) -> None:
    """Until it holds. Raises ComponentFailed when a program died or time is up."""
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while not holds():
        for name, alive in status(folder).items():
            if not alive:
                tail = processes.log_tail(folder / "log" / f"{name}.log")
                raise ComponentFailed(f"{name} died while waiting for {what}:\n{tail}")
        if time.monotonic() >= deadline_s:
            raise ComponentFailed(f"waited {_READY_TIMEOUT_S:g} s in vain for {what}; logs are in {folder / 'log'}")
        time.sleep(_POLL_S)


def _end(folder: Path) -> list[ProcessId]:
    if not (folder / states.FILE).exists():
        return []
    state = states.read(folder)
    known = {*state.processes.values(), *processes.with_token(state.token)}
    running = [process for process in known if processes.alive(process)]
    left = processes.stop(running, ladder=_LADDER)
    left += processes.stop(processes.with_token(state.token), ladder=_LADDER)
    if left:
        raise StagingUnclean(f"still running after SIGKILL: {', '.join(str(each.pid) for each in left)}")
    for name in ("etcd", "certificates"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("tokens.csv", "kubeconfig", "stages.yaml"):
        with suppress(FileNotFoundError):
            (folder / name).unlink()
    states.remove(folder)
    return running
