"""Scenarios that the flows were not built on, at both fidelities: each once was far off."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from scenarios.fidelity import Fidelity
from scenarios.loading import load
from simulator.replication import Player
from simulator.strategies import strategy_named

SCENARIOS = Path(__file__).parent / "unseen"
RELEASES = 16


def failed_shares(name: str, fidelity: Fidelity, defect: str) -> np.ndarray:
    scenario = load(str(SCENARIOS / f"{name}.yaml"))[0].at_fidelity(fidelity)
    player = Player(scenario, strategy_named(scenario, None), 1, [defect])
    return np.array([player.measures(release)[0].failed_share for release in range(RELEASES)])


@pytest.mark.parametrize(
    ("name", "defect", "before"),
    [
        ("liveness-cascade", "serialiser", 0.69),
        ("dependency-partition", "bad-join", 1.14),
        ("vendor-quota", "twice", 11.8),
    ],
)
def test_failed_shares_agree(name: str, defect: str, before: float) -> None:
    """To 5 %, or what chance makes of the difference; by less than it was off `before`."""
    requests, flows = (failed_shares(name, fidelity, defect) for fidelity in get_args(Fidelity))
    chance = 2.6 * float((flows - requests).std(ddof=1)) / math.sqrt(RELEASES)
    assert flows.mean() == pytest.approx(requests.mean(), rel=0.05, abs=chance)
    assert chance < abs(1.0 - before) * requests.mean()
