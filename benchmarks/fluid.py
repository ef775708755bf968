"""Flows beside requests: how well the fluid data plane agrees on the library, and how much faster it is under load.

Run: python -m benchmarks.fluid [--replications 60] [--scenario NAME ...] [--hours 1] [--whole 6]

Each scenario of the library is played at both fidelities over the same replications, which share people, tools, defects
and faults. RTO and failed share agree when the ratio of the means is within 5 %, or when their paired difference is
within its own 99 % interval: a rare failure has too few replications to tell more. What flows do not model is listed
with its reason. Times are of whole replications (control plane, measures) and, under load, of the data plane alone too;
as processor time of one core, so that others on the machine count little. Under load both fidelities play the same
`--whole` replications, some with a defect and some without.
"""

import argparse
import json
import math
import os
import platform
import sys
import time
from typing import Any

import numpy as np

from scenarios.catalogue import library_names
from scenarios.fidelity import Fidelity
from scenarios.loading import load
from scenarios.models import Scenario
from simulator.compile import compile_scenario
from simulator.errors import RequestError
from simulator.fidelity import plane_of
from simulator.replication import Player
from simulator.strategies import strategy_named

MEASURES = ("rto_s", "failed_share")
TOLERANCE = 0.05
Z = 2.576  # two-sided 99 %
HEAVY = "heavy-release"


def play(scenario: Scenario, fidelity: Fidelity, replications: int) -> tuple[list[Any], float]:
    """Measures by replication, and seconds of one."""
    player = Player(scenario.at_fidelity(fidelity), strategy_named(scenario, None), 1)
    player.measures(0)  # whatever compiles has compiled after this
    begun = time.process_time()
    rows = [player.measures(replication) for replication in range(replications)]
    return rows, (time.process_time() - begun) / replications


def compare(scenario: Scenario, replications: int) -> dict[str, Any]:
    """Both fidelities, function by function."""
    flows, flows_s = play(scenario, "fluid", replications)
    requests, requests_s = play(scenario, "requests", replications)
    found: dict[str, Any] = {"seconds": [round(requests_s, 4), round(flows_s, 4)], "functions": {}}
    for place, function in enumerate(scenario.functions):
        for measure in MEASURES:
            pairs = [
                (getattr(a[place], measure) or 0.0, getattr(b[place], measure) or 0.0)
                for a, b in zip(requests, flows, strict=True)
            ]
            found["functions"][f"{function} {measure}"] = judge(np.array(pairs))
    found["agrees"] = all(each["agrees"] for each in found["functions"].values())
    return found


def judge(pairs: np.ndarray) -> dict[str, Any]:
    """Two columns, requests and flows: their means, ratio, and whether they agree."""
    one, other = pairs.mean(axis=0)
    difference = pairs[:, 1] - pairs[:, 0]
    chance = Z * float(difference.std(ddof=1)) / math.sqrt(len(pairs))
    close = abs(other - one) <= TOLERANCE * abs(one)
    return {
        "requests": round(float(one), 6),
        "fluid": round(float(other), 6),
        "ratio": round(float(other / one), 4) if one else None,
        "within 5 %": bool(close),
        "chance": round(chance, 6),
        "agrees": bool(close or abs(other - one) <= chance),
    }


def under_load(hours: float, replications: int) -> dict[str, Any]:
    """The heavy scenario for so long: seconds of the data plane alone and of a whole replication."""
    scenario, _ = load(HEAVY)
    scenario = scenario.model_copy(update={"duration_s": hours * 3600.0})
    network = compile_scenario(scenario).network
    found: dict[str, Any] = {"scenario": HEAVY, "hours": hours, "replications": replications}
    for fidelity in ("requests", "fluid"):
        plane = plane_of(fidelity, network, 1, 0)
        for station, each in enumerate(network.stations):
            plane.set_ready(station, 0, range(each.replicas[0]))
        plane.run(1.0)
        begun = time.process_time()
        plane.run(scenario.duration_s)
        found[f"{fidelity} plane_s"] = round(time.process_time() - begun, 4)
        found[f"{fidelity} replication_s"] = round(play(scenario, fidelity, replications)[1], 4)
    for what in ("plane_s", "replication_s"):
        found[f"times as fast, {what}"] = round(found[f"requests {what}"] / found[f"fluid {what}"], 1)
    return found


def main() -> None:
    """Measure all and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=60)
    parser.add_argument("--scenario", action="append", help="only these (repeatable); else the library")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--whole", type=int, default=6, help="replications under load")
    options = parser.parse_args()
    library, refused = {}, {}
    for name in options.scenario or [each for each in library_names() if each != HEAVY]:
        scenario, _ = load(name)
        try:
            library[name] = compare(scenario, options.replications)
        except RequestError as error:
            refused[name] = str(error)
            continue
        print(f"{name}: {'agrees' if library[name]['agrees'] else 'DIFFERS'}", file=sys.stderr)
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load_average": os.getloadavg()[0],
        "replications": options.replications,
        "under load": None if options.scenario else under_load(options.hours, options.whole),
        "library": library,
        "refused": refused,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
