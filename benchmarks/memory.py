"""Memory of many replications: whether it stays flat, and its peak over the process and its workers.

Runs `windtunnel simulate` and reads the resident memory of it and its workers (shared pages counted once, as their
proportional share) as its replications go by.

    python -m benchmarks.memory [--scenario shop-release] [--replications 1000] [--processes 2]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time

import psutil

PERIOD_S = 0.1
TIMEOUT_S = 3600.0


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="shop-release")
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable, "-m", "windtunnel", "simulate", arguments.scenario, "--out", out, "--json",
            "--replications", str(arguments.replications), "--processes", str(arguments.processes),
        ]  # fmt: skip
        seen = _watched(command)
    third = len(seen) // 3
    middle, last = max(seen[third : 2 * third]), max(seen[2 * third : -1])
    document = {
        "scenario": arguments.scenario,
        "replications": arguments.replications,
        "processes": arguments.processes,
        "looks": len(seen),
        "peak_mb": max(seen) / 1e6,
        "middle_third_peak_mb": middle / 1e6,
        "last_third_peak_mb": last / 1e6,
        "growth_ratio": last / middle,
        "flat_and_under_1_gb": bool(max(seen) < 1e9 and last < 1.2 * middle),
    }
    print(json.dumps(document, indent=2))


def _watched(command: list[str]) -> list[int]:
    """Bytes at each look, until the command ends; raises CalledProcessError when it fails."""
    seen: list[int] = []
    deadline_s = time.monotonic() + TIMEOUT_S
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            process = psutil.Process(child.pid)
            while child.poll() is None and time.monotonic() < deadline_s:
                seen.append(_resident(process))
                time.sleep(PERIOD_S)
        finally:
            if child.poll() is None:
                child.kill()
    # A verdict is no failure of the run: 0 pass, 1 fail, 3 inconclusive.
    if child.returncode not in (0, 1, 3):
        raise subprocess.CalledProcessError(child.returncode, command)
    return seen


def _resident(process: psutil.Process) -> int:
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue  # it has ended since
    return total


if __name__ == "__main__":
    main()
