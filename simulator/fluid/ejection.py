"""Ejection: replicas that have failed so many times in a row get nothing for a while.

Failures of one replica are taken to come by themselves, as those of a defect or of a full queue do. Then a run of k
comes after (1 - f^k) / (f^k (1 - f)) answers on the mean, of which a share f fails. Which replica has one, and when,
is drawn; the rules for the rest are those of `simulator.kernel.balance`.
"""

import math

from simulator.draws import Stream
from simulator.fluid.calls import erring
from simulator.fluid.counts import begin_draws, draw_unit, failing
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined

_BALANCE = int(Stream.BALANCE)
_STEP_S = 0.1
"""Step while replicas are ejected."""


@outlined
def tell_failing(s: State) -> None:
    """Answers, and failures among them, per second and version, as far as they count for or against its replicas."""
    for row in range(len(s.versions)):
        s.versions[row]["heard"] = s.versions[row]["failing"] = 0.0
    for node in range(len(s.nodes)):
        station = s.stations[s.nodes[node]["station"]]
        if station["eject_after"] == 0:
            continue
        for cohort in range(s.shares.shape[1]):
            calls, alike = s.flows[node, cohort]["calls"], s.alike[node, cohort]
            for version in range(station["versions"]):
                row = station["first_version"] + version
                enter, errs = calls * s.weights[row, cohort], erring(s, node, version)
                if enter <= 0.0:
                    continue
                home = s.versions[s.versions[row]["home"]]
                home["heard"] += enter * (1.0 - errs)
                home["failing"] += enter * max(0.0, failing(s.answers[node, alike, version]) - errs)


@inlined
def _ejected_per_s(s: State, row: int) -> float:
    """How often one of a version's replicas that are in is ejected."""
    version = s.versions[row]
    after = s.stations[version["station"]]["eject_after"]
    if after == 0 or version["ready"] == 0 or version["failing"] <= 0.0:
        return 0.0
    fails = min(1.0 - 1e-9, version["failing"] / version["heard"])
    run = fails**after
    return version["heard"] / version["ready"] * run * (1.0 - fails) / (1.0 - run)


@outlined
def eject_until(s: State, now: float, target: float) -> float:
    """How far a step may go: until a replica is back, and not far while others are ejected."""
    for row in range(len(s.versions)):
        version = s.versions[row]
        if s.stations[version["station"]]["eject_after"] == 0:
            continue
        if _ejected_per_s(s, row) * (target - now) * version["ready"] > 0.02:
            target = min(target, now + _STEP_S)
        for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
            if s.replicas[index]["out_until_s"] > now:
                target = min(target, s.replicas[index]["out_until_s"])
    return target


@outlined
def eject(s: State, now: float, step_s: float) -> bool:
    """Draw who was ejected in the step that ends now, and take back whose time is over; whether any was either."""
    changed = False
    for row in range(len(s.versions)):
        version = s.versions[row]
        station = s.stations[version["station"]]
        if station["eject_after"] == 0:
            continue
        first, last = version["first_replica"], version["first_replica"] + version["replicas"]
        per_s, listed, out = _ejected_per_s(s, row), 0, 0
        for index in range(first, last):
            replica = s.replicas[index]
            if 0.0 < replica["out_until_s"] <= now + 1e-9:
                replica["out_until_s"] = 0.0
                changed = True
            listed += replica["listed"]
            out += 1 if replica["listed"] != 0 and replica["out_until_s"] > 0.0 else 0
        if per_s > 0.0:
            begin_draws(s.draw, s.keys, _BALANCE, row, int(now * 1024))
            for index in range(first, last):
                replica, u = s.replicas[index], draw_unit(s.draw)
                if replica["ready"] == 0 or replica["out_until_s"] > 0.0 or out + 1 > station["eject_most"] * listed:
                    continue
                if u < 1.0 - math.exp(-per_s * step_s):
                    replica["out_until_s"] = now + station["eject_s"]
                    out += 1
                    changed = True
    if changed:
        let_in(s)
    return changed


@outlined
def let_in(s: State) -> None:
    """Ready are those listed that are not out; all of them when all are."""
    for row in range(len(s.versions)):
        version = s.versions[row]
        if s.stations[version["station"]]["eject_after"] == 0:
            continue
        first, last = version["first_replica"], version["first_replica"] + version["replicas"]
        inside = 0
        for index in range(first, last):
            replica = s.replicas[index]
            inside += 1 if replica["listed"] != 0 and replica["out_until_s"] <= 0.0 else 0
        ready = 0
        for index in range(first, last):
            replica = s.replicas[index]
            stays = replica["listed"] != 0 and (inside == 0 or replica["out_until_s"] <= 0.0)
            replica["ready"] = 1 if stays else 0
            ready += replica["ready"]
        version["ready"] = ready
