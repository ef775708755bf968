"""A peak drill on the real staging: each block goes to one version, and the staging is as it was afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chaos.peak import PeakDrill, PeakPlan, figures
from chaos.safety.journal import JOURNAL_NAME, read_journal
from chaos.staging.config import Defect
from chaos.staging.embedded import Staging
from chaos.staging.embedded_adapter import EmbeddedAdapter
from scenarios.loading import load
from scenarios.models import Scenario
from scenarios.peak_window import peak_window
from scenarios.profiles import Profile

pytestmark = pytest.mark.e2e


def peaked() -> Scenario:
    """The shop's release, in which checkout gets 20/s, and twice that for half a second."""
    scenario, _ = load("shop-release")
    profile = Profile.model_validate(
        {"steps": [{"at": "0s", "factor": 0.4}], "peaks": [{"at": "20s", "for": "500ms", "factor": 2}]}
    )
    checkout = scenario.functions["checkout"].model_copy(update={"profile": profile})
    return scenario.model_copy(update={"functions": {**scenario.functions, "checkout": checkout}})


def test_each_block_is_one_versions_and_all_is_undone(staging: Staging, tmp_path: Path) -> None:
    scenario = peaked()
    before = (staging.replicas("checkout"), staging.routes("checkout"))
    slow = Defect(name="slow-query", latency_add_s=0.8)
    said: list[str] = []
    drill = PeakDrill(scenario, [slow], 1, EmbeddedAdapter(staging), tmp_path, said.append)
    old, new = drill.run(PeakPlan(1, peak_window(scenario, 1.0)))
    assert (old.version, new.version) == ("2.3", "2.4")
    assert old.raw.intended_s.max() == pytest.approx(new.raw.intended_s.max())  # the same requests
    found = [figures(block, "checkout") for block in (old, new)]
    assert found[0].requests == found[1].requests > 20
    # A second of warm-up and half a second at 20/s, then half a second of the peak at 40/s.
    of_checkout = old.raw.where(old.raw.function == "checkout").intended_s
    assert old.raw.intended_s.max() <= 2.0
    assert np.histogram(of_checkout, [0.5, 1.5, 2.0])[0].tolist() == pytest.approx([20, 20], abs=12)
    assert found[0].p95_s is not None
    assert found[1].p95_s is not None
    assert found[1].p95_s > found[0].p95_s + 0.3
    assert len(said) == 2
    assert (staging.replicas("checkout"), staging.routes("checkout")) == before
    assert read_journal(staging.state_dir / JOURNAL_NAME).open_entries == ()
