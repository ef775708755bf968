"""Flows beside requests: how well the fluid data plane agrees on the library, and how much faster it is under load.

Run: python -m benchmarks.fluid [--replications 80] [--cap 2000] [--scenario NAME ...] [--hours 1] [--whole 6]
[--bad] [--out FILE]

Each scenario of the library is played at both fidelities over the same replications, which share people, tools, defects
and faults. Agreement in RTO and failed share, lost writes and reconciled rows is judged as benchmarks/agreement.py
tells, which also names the floor of each; then those with an unresolved row play twice as many replications, up to
`--cap`. Measures that are 0 at both fidelities are left out; of a release that hurts nobody it is compared how long it
lasts. What flows do not model is listed with its reason. Where few releases have a defect nearly all
replications have nothing to compare: `--bad` plays those alone that have one. `--out` has all that is known after each
scenario, for runs that are cut short.
Times are of whole replications (control plane, measures) and, under load, of the data plane alone too; as processor
time of one core, so that others on the machine count little. Under load both fidelities play the same `--whole`
replications, some with a defect and some without. `--table` prints rows for docs/fluid-agreement.md, not JSON.
"""

import argparse
import json
import math
import os
import platform
import sys
import time
from collections import Counter
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path
from typing import Any, get_args

from benchmarks.agreement import (
    CELL,
    POINTS,
    REFUTED,
    ROW,
    ROWS,
    SHARE,
    UNRESOLVED,
    WITHIN,
    Agreement,
    Floor,
    cell_of,
    judge,
    looks,
)
from evidence.measures import FunctionMeasure
from scenarios.catalogue import library_names
from scenarios.fidelity import Fidelity
from scenarios.loading import load
from scenarios.models import Scenario
from simulator.compile import compile_scenario
from simulator.errors import RequestError
from simulator.fidelity import plane_of
from simulator.replication import Player
from simulator.strategies import strategy_named
from simulator.streams import defects_drawn

LASTS = "release_duration_s"
OF_FUNCTIONS = {"rto_s": "RTO", "failed_share": "failed share", "lost_writes": "lost writes"}
OF_RELEASES = {"reconciled_rows": "reconciled", LASTS: "lasts"}
NAMES = OF_FUNCTIONS | OF_RELEASES
HEAVY = "heavy-release"


class Series:
    """One fidelity's replications, played as they are asked for, and their processor time."""

    def __init__(self, scenario: Scenario, fidelity: Fidelity, *, bad: bool = False) -> None:
        defects = [each for each in scenario.release.defects if bad and each.probability > 0.0]
        self._numbers = (number for number in count() if not defects or defects_drawn(defects, 1, number))
        self._player = Player(scenario.at_fidelity(fidelity), strategy_named(scenario, None), 1)
        self._player.measures(0)  # whatever compiles has compiled after this
        self._seconds = 0.0
        self.rows: list[list[FunctionMeasure]] = []

    def play_to(self, replications: int) -> None:
        """Play until there are so many."""
        begun = time.process_time()
        numbers = islice(self._numbers, replications - len(self.rows))
        self.rows += [self._player.measures(number) for number in numbers]
        self._seconds += time.process_time() - begun

    def of(self, place: int, measure: str) -> list[float]:
        """A measure of the function at `place`, by replication; 0 where there is none."""
        return [getattr(row[place], measure) or 0.0 for row in self.rows]

    @property
    def seconds(self) -> float:
        """Processor time of one replication."""
        return self._seconds / len(self.rows)


class Pair:
    """One scenario at both fidelities, over as many replications as it takes."""

    def __init__(self, scenario: Scenario, looks_n: int, *, bad: bool) -> None:
        self._scenario, self._looks_n = scenario, looks_n
        self._fluid, self._requests = (Series(scenario, fidelity, bad=bad) for fidelity in ("fluid", "requests"))
        self._found: dict[str, Agreement] = {}

    def look_at(self, replications: int) -> None:
        """Play so many, and judge function by function."""
        for series in (self._requests, self._fluid):
            series.play_to(replications)
        self._found = judged(self._scenario, self._requests, self._fluid, self._looks_n)

    @property
    def open(self) -> bool:
        """Whether a row is unresolved."""
        return any(each.verdict == UNRESOLVED for each in self._found.values())

    def to_json(self) -> dict[str, Any]:
        """Processor time of one replication by requests and as flows, and the rows."""
        return {
            "seconds": [round(series.seconds, 4) for series in (self._requests, self._fluid)],
            "rows": {name: _rounded(asdict(each)) for name, each in self._found.items()},
        }


def judged(scenario: Scenario, requests: Series, fluid: Series, looks_n: int) -> dict[str, Agreement]:
    """Measures of each function and of the release, but those that are 0 at both fidelities."""
    found: dict[str, Agreement] = {}
    places = [(place, name, measure) for place, name in enumerate(scenario.functions) for measure in OF_FUNCTIONS]
    for place, name, measure in [*places, *((0, "release", measure) for measure in OF_RELEASES)]:
        pairs = requests.of(place, measure), fluid.of(place, measure)
        if any(map(any, pairs)) and not (found and measure == LASTS):
            found[f"{name} {measure}"] = judge(*pairs, *bounds(scenario, measure), looks_n)
    return found


def bounds(scenario: Scenario, measure: str) -> tuple[Floor, float]:
    """The floor of a measure, and the most that it can be in one replication."""
    if measure == "failed_share":
        return SHARE, 1.0
    if measure.endswith("_s"):
        return cell_of(scenario.measure.resolution_s), scenario.duration_s
    return ROW, math.inf


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: float(f"{value:.5g}") if isinstance(value, float) else value for name, value in row.items()}


def under_load(hours: float, replications: int) -> dict[str, Any]:
    """The heavy scenario for so long: seconds of the data plane alone and of a whole replication."""
    scenario, _ = load(HEAVY)
    scenario = scenario.model_copy(update={"duration_s": hours * 3600.0})
    network = compile_scenario(scenario).network
    found: dict[str, Any] = {"scenario": HEAVY, "hours": hours, "replications": replications}
    for fidelity in get_args(Fidelity):
        plane = plane_of(fidelity, network, 1, 0)
        for station, each in enumerate(network.stations):
            plane.set_ready(station, 0, range(each.replicas[0]))
        plane.run(1.0)
        begun = time.process_time()
        plane.run(scenario.duration_s)
        found[f"{fidelity} plane_s"] = round(time.process_time() - begun, 4)
        series = Series(scenario, fidelity)
        series.play_to(replications)
        found[f"{fidelity} replication_s"] = round(series.seconds, 4)
    for what in ("plane_s", "replication_s"):
        found[f"times as fast, {what}"] = round(found[f"requests {what}"] / found[f"fluid {what}"], 1)
    return found


def table(library: dict[str, Any]) -> str:
    """The rows as Markdown."""
    heads = "scenario, function, measure, requests, flows, ratio, its 99 % interval, bound, releases, hit, agrees"
    lines = ["| " + heads.replace(", ", " | ") + " |", "|---" * len(heads.split(", ")) + "|"]
    for name, found in library.items():
        for place, row in found["rows"].items():
            function, measure = place.split()
            lines.append(f"| `{name}` | {function} | {_cells(measure, row)} |")
    return "\n".join(lines)


def _cells(measure: str, row: dict[str, Any]) -> str:
    means = [_told(measure, row[key]) for key in ("requests", "fluid")]
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3g}"
    interval = "-" if row["low"] is None else f"{row['low']:.3g} to {row['high']:.3g}"
    if row["low"] is None and row["apart_max"] is not None:
        interval = f"at most {_told(measure, row['apart_max'])} apart"
    counts = [f"{row[key]:,}" for key in ("replications", "counted")]
    return " | ".join((NAMES[measure], *means, ratio, interval, row["bound"], *counts, row["verdict"]))


def _told(measure: str, value: float) -> str:
    if measure == "failed_share":
        return f"{100 * value:.3g} %"
    return f"{value:.4g} s" if measure.endswith("_s") else f"{value:.3g}"


def main() -> None:
    """Measure all and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=80)
    parser.add_argument("--cap", type=int, default=0, help="replications at most while a row is unresolved")
    parser.add_argument("--scenario", action="append", help="only these (repeatable); else the library")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--whole", type=int, default=6, help="replications under load")
    parser.add_argument("--bad", action="store_true", help="only releases with a defect, where there are any")
    parser.add_argument("--out", type=Path, help="a file for what is known so far")
    parser.add_argument("--table", action="store_true", help="print the rows as Markdown, and no JSON")
    options = parser.parse_args()
    pairs: dict[str, Pair] = {}
    refused: dict[str, str] = {}
    library: dict[str, Any] = {}
    sizes = looks(options.replications, options.cap)

    def told(heavy: dict[str, Any] | None = None) -> str:
        return table(library) if options.table else json.dumps(document(options, library, refused, heavy), indent=2)

    for name in options.scenario or [each for each in library_names() if each != HEAVY]:
        try:
            pairs[name] = Pair(load(name)[0], len(sizes), bad=options.bad)
        except RequestError as error:
            refused[name] = str(error)
    for size in sizes:
        for name, pair in pairs.items():
            if size > sizes[0] and not pair.open:
                continue
            pair.look_at(size)
            library[name] = pair.to_json()
            verdicts = {place: row["verdict"] for place, row in library[name]["rows"].items()}
            print(f"{name}, {size}: {verdicts}", file=sys.stderr)
            if options.out is not None:
                options.out.write_text(told())
    text = told(None if options.scenario else under_load(options.hours, options.whole))
    if options.out is not None:
        options.out.write_text(text)
    print(text)


def document(
    options: argparse.Namespace, library: dict[str, Any], refused: dict[str, str], heavy: dict[str, Any] | None
) -> dict[str, Any]:
    """All that is known so far."""
    verdicts = Counter(row["verdict"] for found in library.values() for row in found["rows"].values())
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load_average": os.getloadavg()[0],
        "replications": [options.replications, max(options.replications, options.cap)],
        "releases": "with a defect" if options.bad else "all",
        "rows": {verdict: verdicts[verdict] for verdict in (WITHIN, CELL, POINTS, ROWS, REFUTED, UNRESOLVED)},
        "under load": heavy,
        "library": library,
        "refused": refused,
    }


if __name__ == "__main__":
    main()
