"""What a scenario may ask for that the simulator does not model: refused by path, never left out in silence."""

from __future__ import annotations

from scenarios.models import Scenario
from simulator.errors import RequestError

__all__ = ["require_modelled"]

# Kinds of faults that only real staging has, and why.
_FAULTS = {"experiment": "nothing but the Chaos Toolkit knows what its actions do"}


def require_modelled(scenario: Scenario) -> None:
    """Raise RequestError with all that is not modelled."""
    problems = [
        f"  faults[{place}].{fault.kind}: {_FAULTS[fault.kind]}"
        for place, fault in enumerate(scenario.faults)
        if fault.kind in _FAULTS
    ]
    if problems:
        raise RequestError("\n".join([f"scenario {scenario.name} cannot be simulated, only drilled:", *problems]))
