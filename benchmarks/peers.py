"""How fast the kernel is beside other simulators, on the same systems, in the same run; and whether it is right.

Run: python -m benchmarks.peers [--requests 200000] [--rounds 3]

Absolute figures differ from machine to machine and from minute to minute; ratios are taken between runs that follow
each other. Each figure is requests per second of processor time, which other work disturbs least: the median over
rounds (one seed each), building the model included, compiling not. All are judged by the same bounds, and one that is
wrong is printed with what it answered.

cimba and happysim are no dependencies of the project: what is not installed is named with the reason. The first comes
by pip install cimba==0.9.6; the other takes Python 3.13 or later only. Where there is none, a Debian in a folder of its
own has one (as root, 2 GB; it plays SimPy and the loops faster than a Python 3.11 does, and the kernel alike):

    debootstrap --variant=minbase --include=python3.13-venv,ca-certificates trixie /tmp/trixie
    git archive HEAD | tar -x -C /tmp/trixie/srv
    chroot /tmp/trixie sh -ec 'cd /srv; python3.13 -m venv .venv; .venv/bin/pip install -r requirements.lock
        .venv/bin/pip install cimba==0.9.6 happysim==0.2.5; .venv/bin/python -m benchmarks.peers'
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.answer import Answer

Run = Callable[[int, int], Answer]

MODELS = ("cimba", "kernel", "simpy", "loop", "happysim")
"""Modules queues_*.py, in the order of import: cimba adds its types to numba and finds them only if it is the first."""
PEERS = ("cimba", "happysim")
"""Those that may be missing: packages of these names."""
SLOW = {"happysim": 10, "happysim's client": 10}
"""How many times fewer requests these play, to end within the minute."""

EXPECTED = {"M/M/1": (4.0, 4.0), "M/M/10": (0.20459, 0.20459), "chain": (0.3762, 0.3770)}
"""Mean wait in service times (closed form), and mean latency in seconds (range of three implementations)."""
TIMED_OUT = (0.0308, 0.0311)
"""Share of the chain's api calls that time out (range of three implementations)."""
Z = 2.576  # two-sided 99 %


def load() -> tuple[dict[str, ModuleType], dict[str, str]]:
    """The models that can be imported, and why the others cannot."""
    models, missing = {}, {}
    for name in MODELS:
        try:
            models[name] = import_module(f"benchmarks.queues_{name}")
        except ImportError as error:
            if name not in PEERS:
                raise
            missing[name] = f"{error}: the package {name} is not installed, or not for this Python"
    return models, missing


def systems(models: dict[str, ModuleType]) -> dict[str, dict[str, Run]]:
    """Every system with its runs, the kernel's first; each runs about n requests with a seed."""
    names = sorted(models, key=lambda name: name != "kernel")
    chains: dict[str, Run] = {name: models[name].chain for name in names}
    if "happysim" in models:
        chains["happysim's client"] = models["happysim"].chain_with_client
    return {
        "M/M/1": {name: _queue(models[name], 1) for name in names},
        "M/M/10": {name: _queue(models[name], 10) for name in names},
        "chain": chains,
    }


def measure(system: str, runs: dict[str, Run], requests: int, rounds: int) -> dict[str, Any]:
    """Run every simulator in turn, `rounds` times."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    answers: dict[str, list[Answer]] = {name: [] for name in runs}
    for run in runs.values():
        run(2000, 0)  # whatever compiles has compiled after this
    for seed in range(1, rounds + 1):
        for name, run in runs.items():
            begun = time.process_time()
            answer = run(requests // SLOW.get(name, 1), seed)
            rates[name].append(answer.requests / (time.process_time() - begun))
            answers[name].append(answer)
    median = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "requests": {name: requests // SLOW.get(name, 1) for name in runs},
        "requests_per_s": {name: round(value) for name, value in median.items()},
        "kernel_times_as_fast_as": {
            name: round(median["kernel"] / value, 1) for name, value in median.items() if name != "kernel"
        },
        "answers": {name: judge(system, found) for name, found in answers.items()},
    }


def judge(system: str, answers: list[Answer]) -> dict[str, Any]:
    """The mean over all batches with its 99 % interval, and whether that interval meets what is expected."""
    batches = np.concatenate([answer.batches for answer in answers])
    mean, half = float(batches.mean()), float(Z * batches.std(ddof=1) / np.sqrt(len(batches)))
    low, high = EXPECTED[system]
    result = {
        "mean": round(mean, 5),
        "interval": [round(mean - half, 5), round(mean + half, 5)],
        "expected": [low, high],
        "agrees": mean - half <= high and mean + half >= low,
    }
    if system == "chain":
        shares = np.array([answer.timed_out_share for answer in answers], np.float64)
        half = float(Z * np.sqrt(TIMED_OUT[0] / sum(answer.requests for answer in answers)))
        share = float(shares.mean())
        result["timed_out_share"] = round(share, 5)
        result["timed_out_expected"] = list(TIMED_OUT)
        result["timed_out_agrees"] = TIMED_OUT[0] - half <= share <= TIMED_OUT[1] + half
    return result


def _queue(model: ModuleType, servers: int) -> Run:
    return lambda n, seed: model.mmc(servers, n, seed)


def main() -> None:
    """Measure all and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    models, missing = load()
    packages = ["numba", "simpy", *(name for name in models if name in PEERS)]
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load_average": os.getloadavg()[0],
        "versions": {name: version(name) for name in packages},
        "rounds": options.rounds,
        "systems": {
            system: measure(system, runs, options.requests, options.rounds) for system, runs in systems(models).items()
        },
        "not_measured": missing,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
