"""How fast the kernel is beside other simulators, on the same systems, in the same run; and whether it is right.

Run: python -m benchmarks.peers [--requests 200000] [--rounds 3]

Absolute figures differ from machine to machine and from minute to minute; ratios are taken between runs that
follow each other. Each figure is the median over rounds (one seed each), building the model included, compiling not.
cimba and happysim need Python 3.13, newer than the oldest Python that the project supports: they are named, not run.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks import queues_kernel, queues_loop, queues_simpy
from benchmarks.queues_kernel import Answer

Run = Callable[[int, int], Answer]

SYSTEMS: dict[str, dict[str, Run]] = {
    "M/M/1": {
        "kernel": lambda n, seed: queues_kernel.mmc(1, n, seed),
        "simpy": lambda n, seed: queues_simpy.mmc(1, n, seed),
        "loop": lambda n, seed: queues_loop.mmc(1, n, seed),
    },
    "M/M/10": {
        "kernel": lambda n, seed: queues_kernel.mmc(10, n, seed),
        "simpy": lambda n, seed: queues_simpy.mmc(10, n, seed),
        "loop": lambda n, seed: queues_loop.mmc(10, n, seed),
    },
    "chain": {
        "kernel": queues_kernel.chain,
        "simpy": queues_simpy.chain,
        "loop": queues_loop.chain,
    },
}
"""Each runs about n requests with a seed."""

EXPECTED = {"M/M/1": (4.0, 4.0), "M/M/10": (0.20459, 0.20459), "chain": (0.3762, 0.3770)}
"""Mean wait in service times (closed form), and mean latency in seconds (range of three implementations)."""
TIMED_OUT = (0.0308, 0.0311)
"""Share of the chain's api calls that time out (range of three implementations)."""
Z = 2.576  # two-sided 99 %


def measure(system: str, requests: int, rounds: int) -> dict[str, Any]:
    """Run every simulator in turn, `rounds` times."""
    runs = SYSTEMS[system]
    rates: dict[str, list[float]] = {name: [] for name in runs}
    answers: dict[str, list[Answer]] = {name: [] for name in runs}
    for seed in range(1, rounds + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            answer = run(requests, seed)
            rates[name].append(answer.requests / (time.perf_counter() - begun))
            answers[name].append(answer)
    median = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "requests": requests,
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


def main() -> None:
    """Measure all and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    queues_kernel.mmc(1, 100, 0)  # loads the compiled kernel
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": options.rounds,
        "systems": {system: measure(system, options.requests, options.rounds) for system in SYSTEMS},
        "not_measured": {
            name: "installed, but no model of it here" if find_spec(name) else "not installed"
            for name in ("cimba", "happysimulator")
        },
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
