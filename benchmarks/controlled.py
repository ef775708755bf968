"""Five strategies told apart under load: flows, corrected by a few replications request by request.

Run: python -m benchmarks.controlled [--replications 100] [--paired 4]

Seconds are of the wall and of all processes' processors (halved on two cores that have nothing else to do). Told apart
is a pair of strategies whose difference has an interval without 0, by itself and for all pairs at once.
"""

import argparse
import json
import os
import platform
import resource
import time
from collections import Counter

from evidence.control_variate import statement_of
from scenarios.loading import load
from simulator.cores import cores
from windtunnel.controlled import compare_controlled

SCENARIO = "heavy-release"


def known(statement: str) -> bool:
    """Whether a statement says something."""
    return statement in ("better", "worse")


def main() -> None:
    """Compare, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--paired", type=int, default=4)
    options = parser.parse_args()
    scenario, source = load(SCENARIO)
    begun = time.perf_counter()
    found = compare_controlled(scenario, source, replications=options.replications, paired=options.paired)
    took_s = time.perf_counter() - begun
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    first = next(iter(scenario.functions))
    differences = [each for each in found.differences if each.function == first]
    told = {
        "each pair by itself": Counter(each.measure for each in differences if known(statement_of(each.estimate))),
        "all pairs together": Counter(each.measure for each in differences if known(each.statement)),
    }
    document = {
        "python": platform.python_version(),
        "cores": cores(),
        "load_average": os.getloadavg()[0],
        "scenario": SCENARIO,
        "replications": {"fluid": found.replications, "requests": found.paired},
        "wall_s": round(took_s, 1),
        "processor_s": round(sum(each.ru_utime + each.ru_stime for each in used), 1),
        "pairs of strategies": Counter(each.measure for each in differences),
        "told apart": told,
        "means": {
            f"{row.measure}, {row.strategy}": [row.estimate.value, row.estimate.low, row.estimate.high]
            for row in found.rows
            if row.function == first
        },
        "all together, cannot tell": [
            f"{each.measure}: {each.strategy}, {each.other}" for each in differences if not known(each.statement)
        ],
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
