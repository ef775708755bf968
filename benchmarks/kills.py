"""Kills parts of a drill with SIGKILL at random moments of short drills, and looks at what is left. Prints JSON.

    python -m benchmarks.kills [--kills 78] [--drills release,failover,…] [--victims harness,load,…] [--out FILE]

The drills: a release rolled back under faults, the same under faults that are on the host itself (as root: packets
diverted on loopback, a full disk), waves over zones of which one is lost, a failover, a restore, a migration reverted,
a toggle killed. The victims: the harness with its whole process group, the load generator, the watchdog, Toxiproxy,
Envoy, the database server that serves, a toggle's flagd where one is built; and both harness and watchdog at once,
after which nobody is left to heal but `windtunnel undo`. Each drill brings its own staging up; those of which harness,
load or watchdog is killed also run on one that is up already (its other parts are not the drill's to start again). 78
kills meet each once, in random order.

After each kill nobody but the drill or its watchdog does anything, to its end; then `windtunnel undo` is run, and
whatever it had to do is listed. A drill that ended before its kill counts for nothing, and is tried again at another
moment. `--out` is written after each kill, so that a run cut short keeps what it has. Each kill takes about 25 s and is
bounded in time. Exit code 1 when anything was left after an undo.
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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.killed_drills import DRILLS
from benchmarks.remains import happened, in_force, of_drill, remains, strays, tokens_of
from chaos.errors import ChaosError
from chaos.realise import staging_config
from chaos.staging import diversion
from chaos.staging.embedded import EmbeddedStaging
from chaos.staging.flagd_build import FLAGD
from chaos.staging.paths import write_atomically
from chaos.staging.shared_memory import segments
from evidence.events import EventKind
from evidence.provenance import project_commit
from scenarios.loading import load

KILLS_MAX = 1000
# Where a drill may run of which this is killed: on its own staging, on one that is up already.
VICTIMS = {
    "harness": ("own", "running"),
    "load": ("own", "running"),
    "watchdog": ("own", "running"),
    "both": ("own", "running"),
    "toxiproxy": ("own",),
    "envoy": ("own",),
    "database": ("own",),
    "flagd": ("own",),
}
# The only drill that has such a part.
PART_OF = {"flagd": "toggle"}
# What a drill takes before its load begins and after that ended, on two idle cores: by whose staging it runs on. A kill
# is drawn from all of the drill evenly; on a slower machine these ends get fewer kills than their share.
BEFORE_S = {"own": 4.0, "running": 2.0}
AFTER_S = {"own": 6.0, "running": 5.0}
# A drill that lost a part ends by itself: it heals, looks again, and takes its staging down.
ENDS_WITHIN_S = 120.0
# A watchdog's heal: servers of a store that are put back take longest.
HEALS_WITHIN_S = 180.0
SEEN_WITHIN_S = 3.0
UNDO_TIMEOUT_S = 120.0
TRIES = 5
COMMAND = "command"
ENDING = (signal.SIGINT, signal.SIGTERM)

# What is there that should not be.
Left = Callable[[], list[str]]


@dataclass(frozen=True)
class Moment:
    """So many seconds after something: the command, or an event of the drill."""

    after: str
    by_s: float

    def wait(self, drill: subprocess.Popen[bytes], runs: Path) -> None:
        """Until it has come, or the drill has ended."""
        while self.after != COMMAND and self.after not in happened(runs) and drill.poll() is None:
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):
            drill.wait(self.by_s)


@dataclass(frozen=True)
class Kill:
    """Which victim of which drill, on whose staging."""

    drill: str
    victim: str
    on: str

    def moment(self, duration_s: float, chance: random.Random) -> Moment:
        """When, in a drill whose load lasts so long."""
        at_s = chance.uniform(0.0, BEFORE_S[self.on] + duration_s + AFTER_S[self.on])
        for after, lasts_s in ((COMMAND, BEFORE_S[self.on]), (EventKind.LOAD_START, duration_s)):
            if at_s < lasts_s:
                return Moment(str(after), at_s)
            at_s -= lasts_s
        return Moment(str(EventKind.LOAD_END), at_s)


def impossible() -> dict[str, str]:
    """Drills and victims that cannot be had on this machine, and why."""
    found = {"host": diversion.why_not(), "flagd": None if FLAGD.find() else "it is not built: `make flagd`"}
    return {name: why for name, why in found.items() if why is not None}


def every_kill(drills: list[str], victims: list[str]) -> list[Kill]:
    """Each victim of each drill that has it, on each staging."""
    return [
        Kill(drill, victim, on)
        for drill in drills
        for victim in victims
        if PART_OF.get(victim, drill) == drill
        for on in VICTIMS[victim]
    ]


def in_turn(every: list[Kill], chance: random.Random) -> Iterator[Kill]:
    """All there are, in random order, over and over."""
    while True:
        yield from chance.sample(every, len(every))


def until_nothing(left: Left, state: Path) -> tuple[float | None, list[str]]:
    """Seconds until nothing is left, None when something still is, and what.

    While a watchdog is at work it may yet heal; then what is left is waited for no longer than ends take to be seen.
    """
    began_s = last_s = time.monotonic()
    while True:
        try:
            found = left()
        except ChaosError as error:
            found = [f"cannot be read: {type(error).__name__}: {error}"]
        now_s = time.monotonic()
        if not found:
            return round(now_s - began_s, 2), []
        if victim_pid("watchdog", state) is not None:
            last_s = now_s
        if now_s - last_s > SEEN_WITHIN_S or now_s - began_s > HEALS_WITHIN_S:
            return None, found
        time.sleep(0.1)


def start(scenario: Path, state: Path, runs: Path) -> subprocess.Popen[bytes]:
    """A drill in a process group of its own."""
    command = [sys.executable, "-m", "windtunnel", "drill", str(scenario), "--state", str(state), "--out", str(runs)]
    with (state.parent / "drill.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def undo(state: Path) -> dict[str, Any]:
    """`windtunnel undo --json`; no exit code when it had to be killed at its time."""
    command = [sys.executable, "-m", "windtunnel", "undo", "--state", str(state), "--json"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=UNDO_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"exit_code": None, "undone": []}
    document = json.loads(ended.stdout)
    return {
        "exit_code": ended.returncode,
        "undone": [f"{each['kind']}: {each['rung']}" for each in document.get("undone", [])],
    }


def victim_pid(victim: str, state: Path) -> int | None:
    """The process to kill, unless it is the harness; None while there is none."""
    if victim in ("load", "watchdog"):
        module = {"load": "chaos.load.locustfile", "watchdog": "chaos.safety.watchdog"}[victim]
        for process in of_drill((state.parent,), set()):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if module in process.cmdline():
                    return int(process.pid)
        return None
    with contextlib.suppress(OSError, ValueError, KeyError):
        document = json.loads((state / "state.json").read_text(encoding="utf-8"))
        part = document["store_at"] if victim == "database" else victim
        pid = int(document["components"][part]["pid"])
        return pid if psutil.pid_exists(pid) else None
    return None


def kill_part(drill: subprocess.Popen[bytes], victim: str, state: Path) -> bool:
    """Kill the victim once it is there; whether it was before the drill's end."""
    while drill.poll() is None:
        if victim == "harness":
            pid: int | None = drill.pid
        else:
            pid = victim_pid("watchdog" if victim == "both" else victim, state)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                if victim != "harness":
                    os.kill(pid, signal.SIGKILL)
                if victim in ("harness", "both"):
                    os.killpg(drill.pid, signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False


def killed_at(kill: Kill, moment: Moment, scenario: Path, folder: Path, left: Left) -> dict[str, Any] | None:
    """One drill of which the victim is killed; what was left and what healed it. None for one that ended before."""
    state, runs = folder / "state", folder / "runs"
    drill = start(scenario, state, runs)
    exit_code = None
    try:
        moment.wait(drill, runs)
        killed = kill_part(drill, kill.victim, state)
        events = happened(runs)
        with contextlib.suppress(subprocess.TimeoutExpired):
            exit_code = drill.wait(ENDS_WITHIN_S)
    finally:
        drill.kill()
        drill.wait()
    if not killed:
        return None
    alone_s, left_alone = until_nothing(left, state)
    undone = undo(state)
    return {
        "drill": kill.drill,
        "victim": kill.victim,
        "staging": kill.on,
        "moment": f"{moment.by_s:.2f} s after {moment.after}",
        "last_event": events[-1] if events else "before the first event",
        "drill_ended_with": exit_code,
        "clean_by_itself_after_s": alone_s,
        "left_alone": left_alone,
        "undo": undone,
        "left": until_nothing(left, state)[1],
    }


def end_staging(state: Path) -> None:
    """Take it down, none being fine; whoever ends this program meanwhile is heard after that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        EmbeddedStaging.down(state)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def on_own(kill: Kill, moment: Moment, scenario: Path, folder: Path) -> dict[str, Any] | None:
    """A drill with a staging of its own: nothing of it may be left."""
    state, runs = folder / "state", folder / "runs"
    tokens: set[str] = set()
    memory = segments()

    def left() -> list[str]:
        tokens.update(tokens_of(state))
        return remains(state, runs, tokens, memory)

    try:
        return killed_at(kill, moment, scenario, folder, left)
    finally:
        end_staging(state)


def on_running(kill: Kill, moment: Moment, scenario: Path, folder: Path) -> dict[str, Any] | None:
    """A drill on a staging that runs on: that must be as it was before, and nothing else be there."""
    state, runs = folder / "state", folder / "runs"
    loaded, _ = load(str(scenario))
    memory = segments()
    try:
        staging = EmbeddedStaging.up(staging_config(loaded, 1), state)
        before = in_force(staging)

        def left() -> list[str]:
            now = in_force(staging)
            changed = [f"{name}: {now[name]}, was {before[name]}" for name in before if now[name] != before[name]]
            return [*changed, *strays(staging, (runs,), memory)]

        return killed_at(kill, moment, scenario, folder, left)
    finally:
        end_staging(state)


def killed(kill: Kill, chance: random.Random, scenario: Path, folder: Path) -> dict[str, Any]:
    """Tried until the drill is alive at the moment of its kill. Raises SystemExit when it never is."""
    duration_s = load(str(scenario))[0].duration_s
    for number in range(TRIES):
        here = folder / str(number)
        (here / "state").mkdir(parents=True)
        play = on_own if kill.on == "own" else on_running
        found = play(kill, kill.moment(duration_s, chance), scenario, here)
        if found is not None:
            return found
    log = (here / "drill.log").read_text(encoding="utf-8", errors="replace")
    raise SystemExit(f"{TRIES} drills of {kill.drill} had ended before their kills; the last one said:\n{log}")


def document(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The counts, and every kill."""
    return {
        "commit": project_commit()[0],
        "kills": len(found),
        "left_out": impossible(),
        "clean_by_itself": sum(each["clean_by_itself_after_s"] is not None for each in found),
        "longest_s": max((each["clean_by_itself_after_s"] or 0.0 for each in found), default=0.0),
        "by_victim": Counter(each["victim"] for each in found),
        "by_drill": Counter(each["drill"] for each in found),
        "by_last_event": Counter(each["last_event"] for each in found),
        "needed_undo": [each for each in found if each["clean_by_itself_after_s"] is None or each["undo"]["undone"]],
        "left": [each for each in found if each["left"] or each["undo"]["exit_code"] != 0],
        "each": found,
    }


def told(number: int, of: int, each: dict[str, Any]) -> str:
    """One line of progress."""
    alone_s = each["clean_by_itself_after_s"]
    what = f"{each['drill']} on {each['staging']}, {each['victim']} {each['moment']} ({each['last_event']})"
    how = f"clean after {alone_s} s" if alone_s is not None else f"NOT clean by itself: {each['left_alone']}"
    undone = f"; undo: {', '.join(each['undo']['undone'])}" if each["undo"]["undone"] else ""
    left = f"; LEFT: {each['left']}" if each["left"] else ""
    return f"[{number}/{of}] {what}: {how}{undone}{left}\n"


def asked() -> tuple[argparse.Namespace, list[Kill]]:
    """The command line, and the kills that it asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    cannot = impossible()
    parser.add_argument("--kills", type=int, default=78)
    parser.add_argument("--drills", default=",".join(each for each in DRILLS if each not in cannot))
    parser.add_argument("--victims", default=",".join(each for each in VICTIMS if each not in cannot))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where the JSON is kept while it grows")
    given = parser.parse_args()
    if not 0 < given.kills <= KILLS_MAX:
        parser.error(f"--kills(={given.kills}) must be 1..{KILLS_MAX}")
    for option, text, known in (("--drills", given.drills, DRILLS), ("--victims", given.victims, VICTIMS)):
        for name in text.split(","):
            if name not in known:
                parser.error(f"{option}(={text}) must be of {', '.join(known)}")
            if name in cannot:
                parser.error(f"{option}(={text}): no {name} here: {cannot[name]}")
    every = every_kill(given.drills.split(","), given.victims.split(","))
    if not every:
        parser.error(f"--victims(={given.victims}) are in none of --drills(={given.drills})")
    return given, every


def main() -> int:
    """Measure and print."""
    given, every = asked()
    for number in ENDING:  # the first is ignored in the background of a script
        signal.signal(number, signal.default_int_handler)
    chance = random.Random(given.seed)
    order = in_turn(every, chance)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="windtunnel-kills-") as name:
        folder = Path(name)
        scenarios = {drill: DRILLS[drill].write(folder) for drill in {kill.drill for kill in every}}
        for count in range(1, given.kills + 1):
            kill = next(order)
            found.append(killed(kill, chance, scenarios[kill.drill], folder / str(count)))
            sys.stderr.write(told(count, given.kills, found[-1]))
            if given.out is not None:
                write_atomically(given.out, json.dumps(document(found), indent=1) + "\n")
    sys.stdout.write(json.dumps(document(found), indent=1) + "\n")
    return 1 if document(found)["left"] else 0


if __name__ == "__main__":
    sys.exit(main())
