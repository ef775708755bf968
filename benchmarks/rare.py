"""A rare collapse by splitting and by brute force, in one run: whether they agree, and what each costs.

Brute force sees a handful of collapses in `--plain` replications. Its time for the precision that splitting reached is
the time of one replication times the number that would have been needed. Another load makes another case: the collapse
is less rare the closer it is to the capacity of 200/s.

    python -m benchmarks.rare [--rate 152/s] [--plain 100000] [--effort 100]

With --repeat, splitting is repeated instead on three scenarios, small enough for brute force to say how likely a
collapse is, and a table tells how many intervals hold that.

    python -m benchmarks.rare --repeat 40 [--case bursts] [--plain 100000] [--effort 100]
"""

import argparse
import json
import time

from benchmarks.rare_repeated import CASES, table
from evidence.statistics import Estimate, share_with_interval
from scenarios.editing import edited
from scenarios.loading import load_text, read
from simulator.rare.collapse import collapse_probability, collapsed
from simulator.replications import simulate

SCENARIO = "metastable"


def main() -> None:
    """Print both as one JSON document, or the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", default="152/s", help="at which requests come; the library's is 152/s")
    parser.add_argument("--plain", type=int, default=100_000)
    parser.add_argument("--effort", type=int, default=100)
    parser.add_argument("--repeat", type=int, help="seeds of splitting, at least 2, of small scenarios instead")
    parser.add_argument("--case", choices=CASES, action="append", help="one of those (repeatable); all without")
    arguments = parser.parse_args()
    if arguments.repeat is not None:
        try:
            for line in table(arguments.case or [*CASES], arguments.plain, arguments.repeat, arguments.effort):
                print(line, flush=True)
        except ValueError as error:
            parser.error(str(error))
        return
    text = edited(read(SCENARIO).text, "functions.find.rate", arguments.rate)
    scenario = load_text(text, SCENARIO)
    simulate(scenario, text, replications=2, keep=[])  # loads the kernel

    began_s = time.perf_counter()
    split = collapse_probability(scenario, text, effort=arguments.effort)
    split_s = time.perf_counter() - began_s

    began_s = time.perf_counter()
    measures = simulate(scenario, text, replications=arguments.plain, seed=2, keep=[]).measures
    plain_s = time.perf_counter() - began_s
    plain = share_with_interval(sum(collapsed([row]) for row in measures), arguments.plain)

    assert split.plain_replications is not None
    as_precise_s = plain_s / arguments.plain * split.plain_replications
    document = {
        "scenario": SCENARIO,
        "rate": arguments.rate,
        "splitting": {**_interval(split.probability), "trajectories": split.trajectories, "time_s": split_s},
        "brute_force": {**_interval(plain), "time_s": plain_s},
        "intervals_meet": split.probability.low <= plain.high and plain.low <= split.probability.high,
        "brute_force_as_precise": {"replications": split.plain_replications, "time_s": as_precise_s},
        "time_ratio": as_precise_s / split_s,
    }
    print(json.dumps(document, indent=2))


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"estimate": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


if __name__ == "__main__":
    main()
