"""What a command costs from its first instruction to its exit: whole processes, one after the other.

    python -m benchmarks.startup [--runs 7]

Prints one JSON document: for `--help`, and for `simulate shop-release` with 1 and with 200 replications, seconds of
wall clock and of CPU (user and system, the workers' too). Each command runs once before it is measured, which compiles
the kernel where that has not been done yet. The median says what a user meets; the least of the CPU times what the
work takes when nothing else is in the way. `load_average` is the machine's before and after: beside other work,
wall clock says little.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 600.0
VERDICTS = (0, 1, 3)
"""Exit codes of commands that did their work, whatever the verdict."""


def commands(out: Path) -> dict[str, list[str]]:
    """What is measured; records go to `out`."""
    simulate = ["simulate", "shop-release", "--out", str(out), "--replications"]
    return {"help": ["--help"], "simulate_1": [*simulate, "1"], "simulate_200": [*simulate, "200"]}


def run_once(arguments: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one process and its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "windtunnel", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in VERDICTS:
        raise SystemExit(f"windtunnel {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return round(wall_s, 3), round(cpu_s, 3)


def measured(arguments: list[str], runs: int) -> dict[str, Any]:
    """Medians and least values over `runs` processes, and every value in the order measured."""
    run_once(arguments)
    wall_s, cpu_s = zip(*(run_once(arguments) for _ in range(runs)), strict=True)
    return {
        "wall_s": {"median": statistics.median(wall_s), "least": min(wall_s), "all": wall_s},
        "cpu_s": {"median": statistics.median(cpu_s), "least": min(cpu_s), "all": cpu_s},
    }


def main() -> None:
    """Measure each command and print the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    if runs < 1:
        parser.error(f"--runs(={runs}) must be at least 1")
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measured(arguments, runs) for name, arguments in commands(Path(folder)).items()}
    load.append(os.getloadavg()[0])
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0], "load_average": load}
    print(json.dumps({"runs": runs, "machine": machine, **found}, indent=2, default=list))


if __name__ == "__main__":
    main()
