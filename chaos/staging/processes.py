"""Processes that outlive the command which started them, known by pid and start.

A pid alone is not an identity: after a reboot, or after enough forks, it names something else. So each process is
recorded with its start, and nothing is signalled unless both agree. The start is told in the kernel's own ticks, not
by the time of day: that of a process changes whenever the clock is set, and a watchdog would take the harness that it
must kill for another process. Every process also carries the staging's token in its environment: one that was started
but never recorded (the starter was killed in between) is found by it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from chaos.errors import ComponentFailed

TOKEN_VARIABLE = "WINDTUNNEL_STAGING_TOKEN"  # noqa: S105 -- a name, not a secret
POLL_S = 0.02
LOG_TAIL_LINES = 15
REAP_TIMEOUT_S = 5.0
PROC = Path("/proc")
# Of /proc/PID/stat, counted from behind the name, which may hold anything: see proc_pid_stat(5).
_FLAGS_FIELD, _START_FIELD = 6, 19
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD of the kernel's linux/sched.h
_STARTING_S = 1.0

# Children of this very process must be reaped, or they stay as zombies: by pid.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessId:
    """A process by pid and start: the clock ticks from the machine's start to its own, and which start that was."""

    pid: int
    started: str


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    token: str,
    cwd: Path,
    user: str | None = None,
    pass_fds: Iterable[int] = (),
) -> ProcessId:
    """Start `argv` in a session of its own, output appended to `log`. Raises ComponentFailed."""
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**environment, TOKEN_VARIABLE: token},
                start_new_session=True,
                pass_fds=tuple(pass_fds),
                user=user,
                group=primary_group(user),
                extra_groups=[] if user else None,
            )
        except OSError as error:
            raise ComponentFailed(f"{argv[0]} could not be started: {error}") from error
    _children[child.pid] = child
    try:
        return identify(child.pid)
    except ProcessLookupError as error:
        raise ComponentFailed(f"{argv[0]} ended at once:\n{log_tail(log)}") from error


def identify(pid: int) -> ProcessId:
    """The process that has this pid now. Raises ProcessLookupError."""
    start = _stat(pid)[_START_FIELD]
    boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ProcessId(pid, f"{start} of {boot}")


def _stat(pid: int) -> list[str]:
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:  # the second when it ends while it is read
        raise ProcessLookupError(f"process {pid} does not run") from error
    return stat.rpartition(")")[2].split()


def own() -> ProcessId:
    """The calling process."""
    return identify(os.getpid())


def primary_group(user: str | None) -> int | None:
    """The primary group of `user`."""
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


def alive(process: ProcessId) -> bool:
    """Whether this very process still runs (a zombie does not, and is reaped if it is our child)."""
    found = _find(process)
    if found is not None and _status(found) != psutil.STATUS_ZOMBIE:
        return True
    child = _children.pop(process.pid, None)
    if child is not None:
        child.wait(REAP_TIMEOUT_S)
    return False


def zombie(pid: int) -> bool:
    """Whether a process has ended and waits to be reaped."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def paused(process: ProcessId) -> bool:
    """Whether the kernel has this very process stopped (SIGSTOP)."""
    found = _find(process)
    return found is not None and _status(found) == psutil.STATUS_STOPPED


def send(process: ProcessId, signum: int) -> bool:
    """Signal this very process; False when it is gone."""
    if not alive(process):
        return False
    try:
        os.kill(process.pid, signum)
    except ProcessLookupError:
        return False
    return True


def stop(
    processes: Sequence[ProcessId],
    *,
    ladder: Sequence[tuple[int, float]] = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)),
) -> list[ProcessId]:
    """Stop all together, climbing the ladder of (signal, seconds to wait). Returns those still there."""
    left = [process for process in processes if alive(process)]
    for signum, wait_s in ladder:
        for process in left:
            send(process, signum)
        left = _wait_gone(left, wait_s)
        if not left:
            break
    return left


def with_token(token: str) -> list[ProcessId]:
    """Every process that carries the token in its environment, recorded or not, this one excepted."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and environment_of(process).get(TOKEN_VARIABLE) == token:
                found.append(identify(process.pid))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, ProcessLookupError):
            continue
    return found


def strays(token: str, recorded: Iterable[ProcessId], folder: Path) -> list[ProcessId]:
    """Those with the token at work below a folder that are not recorded, nor started by one that is."""
    known = {process.pid for process in recorded}
    found = []
    for process in with_token(token):
        try:
            running = psutil.Process(process.pid)
            lineage = {running.pid, *(parent.pid for parent in running.parents())}
            if not lineage & known and Path(running.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def environment_of(process: psutil.Process) -> dict[str, str]:
    """What a process was started with. Raises what psutil does, and ProcessLookupError.

    While a program is being loaded, for some milliseconds, the kernel tells an empty environment. Who looks for a token
    at that moment would not find it, and leave what was just started: a young process without any is looked at again.
    """
    environment: dict[str, str] = process.environ()
    while not environment and _is_starting(process):
        time.sleep(POLL_S / 10.0)
        environment = process.environ()
    return environment


def _is_starting(process: psutil.Process) -> bool:
    stat = _stat(process.pid)
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(stat[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return age_s < _STARTING_S and not int(stat[_FLAGS_FIELD]) & _KERNEL_THREAD and not zombie(process.pid)


def log_tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log file, for an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (log is empty)"


def _status(process: psutil.Process) -> str:
    try:
        status: str = process.status()
    except psutil.NoSuchProcess:
        status = psutil.STATUS_ZOMBIE
    return status


def _find(process: ProcessId) -> psutil.Process | None:
    try:
        return psutil.Process(process.pid) if identify(process.pid) == process else None
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None


def _wait_gone(processes: Sequence[ProcessId], wait_s: float) -> list[ProcessId]:
    deadline = time.monotonic() + wait_s
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(POLL_S)
        left = [process for process in left if alive(process)]
    return left
