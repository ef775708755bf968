"""Judges of guardrails on the data plane: when a burn rate detects; what a sequential test finds, and finds in vain."""

from __future__ import annotations

import math

import numpy as np

from rollout.judges.base import Judge, Query
from rollout.judges.making import judge_of
from rollout.world import Observation
from scenarios.models import Change, Guardrail
from simulator.answers import Answers
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ERROR, FIRST_BIN, REFUSED
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification import closed_forms
from simulator.verification.agreement import STANDARD_ERRORS, Agreement, around, of_share
from simulator.verification.playing import EDGES_S, PLENTY, ready
from simulator.verification.settings import Settings

__all__ = ["detection"]

# A tenth of Google's window and ten times the errors of its objective: the same formula, with fewer requests.
OBJECTIVE, BURN, WINDOW_S, ERRORS = 0.99, 14.4, 360.0, 0.5
RATE_PER_S, INCIDENTS = 100.0, 40
ALPHA, SHARE, NEW_WEIGHT, LOOKS, RELEASES = 0.10, 0.05, 0.2, 120, 250
# Of a release that is a little too bad, looked at once: known neither to be found nor to be missed.
LIMIT, TOO_MANY, LOOK_S = 0.05, 0.07, 20

_CHANGE = Change.model_validate({"service": "s", "from": "0", "to": "1"})


def _network(looks: int) -> Network:
    return Network(
        (Station("s", PLENTY, Distribution(Kind.CONSTANT, 0.001), replicas=(1, 1)),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, RATE_PER_S),), Node(0)),),
        1.0,
        looks,
        EDGES_S,
    )


class _Eyes:
    """Observations of a data plane's only station, as the simulator's world makes them."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._answers: dict[str | None, Answers] = {}

    def see(self, query: Query) -> Observation:
        version = None if query.version is None else int(query.version)
        answers = self._answers.setdefault(query.version, Answers(self._plane, 0, version))
        columns = answers.last(self._plane, query.window_s)
        errors, histogram = int(columns[ERROR : REFUSED + 1].sum()), columns[FIRST_BIN:]
        return Observation(errors + int(histogram.sum()), errors, histogram)


def _trips_s(plane: DataPlane, judge: Judge, from_s: float, until_s: float) -> float | None:
    """The first look, once a second, at which the judge finds it bad."""
    eyes = _Eyes(plane)
    for time_s in np.arange(from_s, until_s):
        plane.run(float(time_s))
        if judge.judge([eyes.see(query) for query in judge.queries]).bad:
            return float(time_s)
    return None


def detection(settings: Settings) -> list[Agreement]:
    """Time to detect by a burn rate; false alarms of an always-valid test looked at every second, and what it finds."""
    return [_burn_rate(settings), _always_valid(settings), _finds(settings)]


def _burn_rate(settings: Settings) -> Agreement:
    rule = {"objective": f"{OBJECTIVE:.0%}", "above": BURN, "windows": [f"{WINDOW_S:g}s"]}
    guardrail = Guardrail.model_validate({"metric": "error-ratio", "of": "s", "version": "any", "burn_rate": rule})
    theory_s = BURN * (1 - OBJECTIVE) * WINDOW_S / ERRORS
    network = _network(int(WINDOW_S + 2 * theory_s))
    times_s = []
    for incident in range(INCIDENTS):
        plane = ready(network, settings.seed, incident)
        plane.run(WINDOW_S)
        plane.set_error_share(0, ERRORS)
        found_s = _trips_s(plane, judge_of(guardrail, _CHANGE, EDGES_S), WINDOW_S, network.horizon_s)
        times_s.append(math.inf if found_s is None else found_s - WINDOW_S)
    # On the mean, half a look goes by until the look that sees it, and half an error over the limit.
    theory_s += 0.5 + 0.5 / (ERRORS * RATE_PER_S)
    error_s = float(np.std(times_s, ddof=1)) / math.sqrt(INCIDENTS)
    note = "burn x (1 - objective) x window / error ratio, and half a look"
    observed_s = float(np.mean(times_s))
    return around("time to detect by burn rate", theory_s, observed_s, error_s, f"{INCIDENTS} incidents", "s", note)


def _always_valid(settings: Settings) -> Agreement:
    rule = {"alpha": f"{ALPHA:.0%}", "against": "old"}
    guardrail = Guardrail.model_validate({"metric": "error-ratio", "of": "s", "minimum": 1, "sequential": rule})
    network, alarms = _network(LOOKS), 0
    defects = [Defect(error_ratio=SHARE)]
    for release in range(RELEASES):
        plane = ready(network, settings.seed, INCIDENTS + release)
        plane.set_weights(0, (1 - NEW_WEIGHT, NEW_WEIGHT))
        for version in (0, 1):
            plane.set_defects(0, version, defects)
        alarms += _trips_s(plane, judge_of(guardrail, _CHANGE, EDGES_S), 0.0, network.horizon_s) is not None
    high = ALPHA + STANDARD_ERRORS * math.sqrt(ALPHA * (1 - ALPHA) / RELEASES)
    basis = f"at most alpha, {STANDARD_ERRORS:g} standard errors of a share of {RELEASES}"
    note = f"good releases that trip a sequential test at any of {LOOKS} looks"
    return Agreement("false alarms of a sequential test", ALPHA, alarms / RELEASES, 0.0, high, basis, note=note)


def _finds(settings: Settings) -> Agreement:
    """Never to trip would be no false alarm either: so the test must find what it can, and no more."""
    rule = {"alpha": f"{ALPHA:.0%}", "above": f"{LIMIT:.0%}"}
    made = {"metric": "error-ratio", "of": "s", "version": "any", "minimum": 1, "sequential": rule}
    guardrail, network, found = Guardrail.model_validate(made), _network(LOOK_S + 1), 0
    for release in range(RELEASES):
        plane = ready(network, settings.seed, INCIDENTS + RELEASES + release)
        plane.set_error_share(0, TOO_MANY)
        judge, eyes = judge_of(guardrail, _CHANGE, EDGES_S), _Eyes(plane)
        for time_s in (0.0, float(LOOK_S)):  # evidence starts at the first look
            plane.run(time_s)
            seen = judge.judge([eyes.see(query) for query in judge.queries])
        found += seen.bad
    theory = closed_forms.found_at_one_look(RATE_PER_S * LOOK_S, TOO_MANY, LIMIT, ALPHA)
    note = f"{100 * TOO_MANY:g} % of requests that fail, told from {100 * LIMIT:g} % at one look after {LOOK_S} s"
    return of_share("bad releases that a sequential test finds", theory, found, RELEASES, note)
