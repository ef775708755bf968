"""Randomness of the control plane: streams of their own beside those of the traffic (`simulator.draws`).

A stream's key holds its number, the replication and, for a defect, its name: so strategies compared on one seed meet
the same defects and the same people, and a defect added to a scenario leaves the others as they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from scenarios.models import Defect, RollbackRisk
from scenarios.uncertain import STREAM

__all__ = ["ControlStream", "defects_drawn", "people", "replica", "risks_drawn", "third_party", "tools"]


class ControlStream(IntEnum):
    """Fixed numbers, far above those of `simulator.draws.Stream`. Append only."""

    DEFECT_PRESENCE = 1000
    PEOPLE = 1001
    TOOLS = 1002
    REPLICAS = 1010
    THIRD_PARTIES = 1011
    ROLLBACK_RISKS = 1012
    INPUTS = STREAM


def defects_drawn(defects: Sequence[Defect], seed: int, replication: int) -> list[Defect]:
    """Those that the new version has in one replication, each drawn by itself."""
    stream = ControlStream.DEFECT_PRESENCE
    return [defect for defect in defects if _unit(stream, seed, replication, defect.name) < defect.probability]


def risks_drawn(risks: Sequence[RollbackRisk], seed: int, replication: int) -> list[RollbackRisk]:
    """Those that the rollback has in one replication, each drawn by itself."""
    stream = ControlStream.ROLLBACK_RISKS
    return [risk for risk in risks if _unit(stream, seed, replication, risk.name) < risk.probability]


def _unit(stream: ControlStream, seed: int, replication: int, name: str) -> float:
    key = (stream, replication, zlib.crc32(name.encode()))
    return float(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0]) / 2.0**64


def people(seed: int, replication: int) -> np.random.Generator:
    """What the people of one replication draw from, in the order of their doings."""
    return _generator(ControlStream.PEOPLE, seed, replication)


def tools(seed: int, replication: int) -> np.random.Generator:
    """What the tools of one replication (deploys, routes) draw their times from, in the order of their use."""
    return _generator(ControlStream.TOOLS, seed, replication)


def replica(seed: int, replication: int, service: str, version: int, number: int) -> np.random.Generator:
    """What one replica draws its start-ups, crashes and probes from, in the order of its life."""
    return _generator(ControlStream.REPLICAS, seed, replication, zlib.crc32(service.encode()), version, number)


def third_party(seed: int, replication: int, service: str) -> np.random.Generator:
    """What a third party's outages are drawn from: the same for every strategy."""
    return _generator(ControlStream.THIRD_PARTIES, seed, replication, zlib.crc32(service.encode()))


def _generator(stream: ControlStream, seed: int, replication: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, replication, *key)))
