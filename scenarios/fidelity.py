"""How closely the simulator's data plane looks at requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from scenarios.scenario import Scenario

__all__ = ["Fidelity", "at_fidelity"]

Fidelity = Literal["requests", "fluid"]
"""Request by request, or as flows of many with drawn counts."""


def at_fidelity(scenario: Scenario, fidelity: Fidelity | None) -> Scenario:
    """The scenario to be played at a fidelity; None: at its own."""
    return scenario if fidelity is None else scenario.model_copy(update={"fidelity": fidelity})
