"""The contract check of a scenario's release, on the staging that runs or one brought up for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.contract.check import ContractReport, check_contract
from chaos.realise import defects_of, require_realisable, staging_config
from chaos.safety.lever import require_lever_off
from chaos.staging.embedded_adapter import EmbeddedAdapter
from chaos.staging.paths import state_dir_default
from scenarios.models import Scenario
from windtunnel.choices import chosen_defects
from windtunnel.drilling import staging_for

__all__ = ["contract"]

# Bringing a staging up, building what is not there yet, the check, and taking all down.
_DEADLINE_S = 900.0


def contract(
    scenario: Scenario,
    *,
    defects: Sequence[str] | None = None,
    seed: int = 1,
    state_dir: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ContractReport:
    """Compare the versions of the scenario's release; `defects` as for a drill. Raises UsageError and ChaosError."""
    require_realisable(scenario)
    names = chosen_defects(scenario, defects)
    require_lever_off()
    folder = (state_dir or state_dir_default()).absolute()
    with staging_for(staging_config(scenario, seed), folder, _DEADLINE_S, say) as (staging, lease):
        wrong = defects_of(scenario, names, scenario.release.strategy)
        return check_contract(scenario, wrong, EmbeddedAdapter(staging), lease, say)
