"""Versions side by side that do not understand each other: which calls between which versions fail, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from scenarios.models import Defect, Scenario
from simulator.compile import Compiled

__all__ = ["Pair", "contracts_of", "links_apart"]

Pair = tuple[int, int, int, int]
"""Caller's station and version, callee's station and version."""


def links_apart(scenario: Scenario, compiled: Compiled) -> set[tuple[int, int]]:
    """Stations of callers and callees of which some versions may misunderstand each other."""
    found = set()
    for defect in scenario.release.defects:
        if defect.incompatible_with is not None:
            pair = scenario.release.defective(defect), defect.incompatible_with.service
            names = [link for link in (pair, pair[::-1]) if link in compiled.links]
            found |= {(compiled.station(caller), compiled.station(callee)) for caller, callee in names}
    return found


def contracts_of(compiled: Compiled, service: str, defects: Iterable[tuple[Defect, float]]) -> dict[Pair, float]:
    """Share of the calls that fail, for each pair that a defect of the service's new version names, at its strength.

    The service may be the caller or the callee of its peer, or both; defects on one pair are independent.
    """
    failing: dict[Pair, float] = {}
    for defect, strength in defects:
        if defect.incompatible_with is None:
            continue
        for pair in _pairs(compiled, service, defect.incompatible_with.service, defect.incompatible_with.version):
            failing[pair] = 1.0 - (1.0 - failing.get(pair, 0.0)) * (1.0 - defect.errors * strength)
    return failing


def _pairs(compiled: Compiled, service: str, peer: str, version: str) -> Iterable[Pair]:
    own, other = compiled.station(service), compiled.station(peer)
    everything = range(len(compiled.routed(peer)))
    places = {"old": range(1), "new": compiled.new_versions(peer)}.get(version, everything)
    for new, place in product(compiled.new_versions(service), places):
        if (peer, service) in compiled.links:
            yield other, place, own, new
        if (service, peer) in compiled.links:
            yield own, new, other, place
