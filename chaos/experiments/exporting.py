"""A scenario as an experiment of the Chaos Toolkit: its drill is the method, its verdict the steady state.

`chaos run` then plays the drill among a team's other experiments, with the toolkit's schedule, controls and reports.
Windtunnel's own order of safety stays inside the drill; the experiment's rollback is `windtunnel undo`, which has
nothing to do unless the drill was killed.
"""

from __future__ import annotations

from typing import Any

from chaos.drill import deadline_of
from chaos.experiments import activities
from chaos.experiments.activities import NONE
from scenarios.models import Scenario

__all__ = ["exported"]

# Bringing a staging up and taking it down, around the drill.
_AROUND_S = 180.0
_UNDO_TIMEOUT_S = 300


def exported(scenario: Scenario, reference: str, strategy: str | None = None) -> dict[str, Any]:
    """The experiment; `reference` is how the scenario is found where it will run: a path, or a name in the library."""
    drill = [reference, "--out", "${windtunnel_out}", "--state", "${windtunnel_state}"]
    if strategy is not None:
        drill += ["--strategy", strategy]
    asked = {"arguments": drill, "timeout_s": deadline_of(scenario) + _AROUND_S}
    undo = ["undo", "--state", "${windtunnel_state}"]
    verdict = {
        "type": "probe",
        "name": "the drill's verdict is pass, or it was not played yet",
        "tolerance": {"type": "regex", "pattern": f"^({NONE}|pass)$"},
        "provider": _python("verdict", {}),
    }
    return {
        "title": f"{scenario.name}: can the release be taken back?",
        "description": scenario.description.strip() or scenario.name,
        "tags": ["windtunnel", "rollback"],
        "configuration": {
            "windtunnel_out": _setting("WINDTUNNEL_OUT", f"runs/chaostoolkit/{scenario.name}"),
            "windtunnel_state": _setting("WINDTUNNEL_STATE", ".windtunnel-chaostoolkit"),
        },
        "steady-state-hypothesis": {"title": "Rollback restores application and data", "probes": [verdict]},
        "method": [{"type": "action", "name": "drill the release", "provider": _python("drill", asked)}],
        "rollbacks": [
            {
                "type": "action",
                "name": "undo what is left",
                "provider": {"type": "process", "path": "windtunnel", "arguments": undo, "timeout": _UNDO_TIMEOUT_S},
            }
        ],
    }


def _setting(variable: str, default: str) -> dict[str, str]:
    return {"type": "env", "key": variable, "default": default}


def _python(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "python", "module": activities.__name__, "func": function, "arguments": arguments}
