"""Kills parts of a drill with SIGKILL at random moments of short drills, and looks at what is left. Prints JSON.

    python -m benchmarks.kills [--kills 20] [--victims harness,load,watchdog,toxiproxy] [--seed 1]

Victims take turns: the harness with its whole process group, the load generator, the watchdog, Toxiproxy. Two drills in
five run on a staging that runs already, the others bring their own up; Toxiproxy is killed on the drill's own, as one
that runs already is not the drill's to start again. After each kill nobody does anything for a while (the drill or the
watchdog may); then `windtunnel undo` is run, and whatever it had to do is listed. Each kill takes about 20 s and is
bounded in time. Exit code 1 when anything was left after the undo.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from chaos.realise import staging_config
from chaos.staging.config import SERVICES
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.postgres import SHARED_TEMPORARY
from chaos.staging.processes import TOKEN_VARIABLE
from scenarios.loading import load, read

KILLS_MAX = 1000
VICTIMS = ("harness", "load", "watchdog", "toxiproxy")
# A drill that lost a part ends by itself: it heals, looks again, and takes its staging down.
ENDS_WITHIN_S = 120.0
# From the command to the end of its drill, on two cores: staging 4 s, drill 10 s, afterwards 6 s.
SPAN_S = 21.0
QUIET_S = 12.0
UNDO_TIMEOUT_S = 120.0
SHORTER = {
    "duration: 36s": "duration: 10s",
    "window: 3s, consecutive: 12": "window: 1s, consecutive: 3",
    "at: 10s\n": "at: 4s\n",
    "{weight: 20%}, {bake: 8s}, {weight: 60%}, {bake: 8s}": "{weight: 50%}, {bake: 6s}",
    "  - {at: 12s, for: 6s, latency: {on: checkout -> payments, add: 100ms, jitter: 20ms}}": (
        "  - {at: 4500ms, for: 4s, latency: {on: checkout -> payments, add: 50ms}}\n"
        "  - {at: 5s, for: 4s, error: {on: catalogue, share: 10%}}\n"
        "  - {at: 5500ms, for: 3s, kill: {of: checkout, version: any}}\n"
        "  - {at: 6s, for: 2s, cut: {on: edge -> catalogue}}"
    ),
}


def scenario_file(folder: Path) -> Path:
    """The shop's release made short, with a fault of each kind at once."""
    text = read("shop-release").text
    for old, new in SHORTER.items():
        if old not in text:
            raise SystemExit(f"the shop's release no longer says {old!r}")
        text = text.replace(old, new)
    path = folder / "killed.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def of_drill(paths: tuple[Path, ...], tokens: set[str]) -> list[psutil.Process]:
    """Processes that name one of the paths, or carry one of the tokens."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join([*process.cmdline(), process.cwd()])
            token = process.environ().get(TOKEN_VARIABLE)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if token in tokens or any(str(path) in words for path in paths):
            found.append(process)
    return found


def tokens_of(state: Path) -> set[str]:
    """The token of the staging that is recorded, if one is."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return {str(json.loads((state / "state.json").read_text(encoding="utf-8"))["token"])}
    return set()


def in_force(staging: Staging) -> dict[str, Any]:
    """Everything that a drill changes, as the staging itself tells it."""
    return {
        "proxies": {name: (p.enabled, len(p.toxics)) for name, p in staging.toxiproxy.proxies().items()},
        "errors": {name: staging.envoy.abort_share(name) for name in SERVICES},
        "replicas": {name: staging.replicas(name) for name in SERVICES},
        "ordered": {name: staging.ordered(name) for name in SERVICES},
        "routes": {name: staging.routes(name) for name in SERVICES},
        "defects": {v: len(staging.defects("checkout", v)) for v in staging.config.services["checkout"].versions},
    }


def until(holds: Callable[[], bool], timeout_s: float) -> float | None:
    """Seconds until it holds, None when it does not in time."""
    began_s = time.monotonic()
    while not holds():
        if time.monotonic() - began_s > timeout_s:
            return None
        time.sleep(0.1)
    return round(time.monotonic() - began_s, 2)


def last_event(runs: Path) -> str:
    """The last event that the record of the drill holds."""
    lines = [line for path in runs.glob("*/events.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    with contextlib.suppress(ValueError, KeyError, IndexError):
        return str(json.loads(lines[-1])["kind"])
    return "before the first event"


def start(scenario: Path, state: Path, runs: Path) -> subprocess.Popen[bytes]:
    """A drill in a process group of its own."""
    command = [sys.executable, "-m", "windtunnel", "drill", str(scenario), "--state", str(state), "--out", str(runs)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )  # fmt: skip


def undo(state: Path) -> dict[str, Any]:
    """`windtunnel undo --json`."""
    command = [sys.executable, "-m", "windtunnel", "undo", "--state", str(state), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=UNDO_TIMEOUT_S, check=False)
    document = json.loads(ended.stdout)
    return {
        "exit_code": ended.returncode,
        "undone": [f"{each['kind']}: {each['rung']}" for each in document.get("undone", [])],
    }


def victim_pid(victim: str, state: Path, runs: Path) -> int | None:
    """The process to kill; None while there is none."""
    if victim == "toxiproxy":
        with contextlib.suppress(OSError, ValueError, KeyError):
            document = json.loads((state / "state.json").read_text(encoding="utf-8"))
            return int(document["components"]["toxiproxy"]["pid"])
        return None
    module, path = {"load": ("chaos.load.locustfile", runs), "watchdog": ("chaos.safety.watchdog", state)}[victim]
    for process in of_drill((path,), set()):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if module in process.cmdline():
                return process.pid
    return None


def kill_part(drill: subprocess.Popen[bytes], victim: str, state: Path, runs: Path) -> int | None:
    """Kill the victim once it is there, and wait for the drill to end; its exit code, None when it did not."""
    while drill.poll() is None:
        pid = victim_pid(victim, state, runs)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.05)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return drill.wait(ENDS_WITHIN_S)
    return None


def kill_at(
    victim: str, moment_s: float, scenario: Path, state: Path, runs: Path, clean: Callable[[], bool]
) -> dict[str, Any]:
    """One drill of which the victim is killed; what was left and what healed it."""
    drill = start(scenario, state, runs)
    exit_code = None
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            drill.wait(moment_s)
        ended = drill.poll()
        if victim == "harness":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(drill.pid, signal.SIGKILL)
        else:
            exit_code = kill_part(drill, victim, state, runs)
    finally:
        drill.kill()
        drill.wait()
    alone_s = until(clean, QUIET_S)
    undone = undo(state)
    return {
        "victim": victim,
        "moment_s": round(moment_s, 2),
        "drill_had_ended": ended,
        "drill_ended_with": exit_code,
        "last_event": last_event(runs),
        "clean_by_itself_after_s": alone_s,
        "undo": undone,
        "clean": clean(),
    }


def own(folder: Path, scenario: Path, number: int, victim: str, moment_s: float) -> dict[str, Any]:
    """A drill with a staging of its own: nothing of it may be left."""
    state, runs = folder / f"own-{number}" / "state", folder / f"own-{number}" / "runs"
    tokens: set[str] = set()

    def clean() -> bool:
        tokens.update(tokens_of(state))
        data = [SHARED_TEMPORARY / f"windtunnel-pg-{token}" for token in tokens]
        return not of_drill((state, runs), tokens) and not any(path.exists() for path in data)

    try:
        return kill_at(victim, moment_s, scenario, state, runs, clean)
    finally:
        EmbeddedStaging.down(state)


def running(folder: Path, scenario: Path, kills: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Drills on one staging that runs on: it must be as before after each."""
    state = folder / "running" / "state"
    loaded, _ = load(str(scenario))
    found = []
    try:
        staging = EmbeddedStaging.up(staging_config(loaded, 1), state)
        before, tokens = in_force(staging), tokens_of(state)
        ours = {process.pid for process in of_drill((), tokens)}
        for number, (victim, moment_s) in enumerate(kills):
            runs = folder / "running" / f"runs-{number}"

            def clean(runs: Path = runs) -> bool:
                # the harness, its load and its watchdog; replicas may have been replaced
                others = [p for p in of_drill((state, runs), set()) if p.pid not in ours]
                helpers = [p for p in others if TOKEN_VARIABLE not in _environment(p)]
                return not helpers and in_force(staging) == before

            found.append(kill_at(victim, moment_s, scenario, state, runs, clean))
            sys.stderr.write(f"{json.dumps(found[-1])}\n")
    finally:
        EmbeddedStaging.down(state)
    return found


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return {}


def split(
    victims: list[str], kills: int, chance: random.Random
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Who is killed when: on stagings of the drill's own, and on one that runs already.

    Moments of each victim are drawn one from each part of the drill, so that few kills meet every phase.
    """
    on_own: list[tuple[str, float]] = []
    on_running: list[tuple[str, float]] = []
    for place, victim in enumerate(victims):
        count = len(range(place, kills, len(victims)))
        for number in range(count):
            part = (number + chance.random()) / count
            if victim != "toxiproxy" and number % 5 in (1, 3):
                on_running.append((victim, (SPAN_S - 4.0) * part))
            else:
                on_own.append((victim, SPAN_S * part))
    return on_own, on_running


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--victims", default=",".join(VICTIMS))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    victims = given.victims.split(",")
    if not 0 < given.kills <= KILLS_MAX:
        parser.error(f"--kills(={given.kills}) must be 1..{KILLS_MAX}")
    if not set(victims) <= set(VICTIMS):
        parser.error(f"--victims(={given.victims}) must be of {', '.join(VICTIMS)}")
    chance = random.Random(given.seed)
    on_own, on_running = split(victims, given.kills, chance)
    with tempfile.TemporaryDirectory(prefix="windtunnel-kills-") as name:
        folder = Path(name)
        scenario = scenario_file(folder)
        owns = []
        for number, (victim, moment_s) in enumerate(on_own):
            owns.append(own(folder, scenario, number, victim, moment_s))
            sys.stderr.write(f"{json.dumps(owns[-1])}\n")
        runnings = running(folder, scenario, on_running) if on_running else []
    every = [*owns, *runnings]
    document = {
        "kills": len(every),
        "by_victim": {victim: sum(each["victim"] == victim for each in every) for victim in victims},
        "needed_undo": [each for each in every if each["clean_by_itself_after_s"] is None],
        "left": [each for each in every if not each["clean"] or each["undo"]["exit_code"] != 0],
        "own_staging": owns,
        "running_staging": runnings,
    }
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 1 if document["left"] else 0


if __name__ == "__main__":
    sys.exit(main())
