"""A scenario as an experiment of the Chaos Toolkit: its drill is the method, its verdict the steady state.

`chaos run` then plays the drill among a team's other experiments, with the toolkit's schedule, controls and reports.
Windtunnel's own order of safety stays inside the drill; the experiment's rollback is `windtunnel undo`, which has
nothing to do unless the drill was killed.
"""

from __future__ import annotations

import math
from typing import Any

from chaos.drill import deadline_of
from scenarios.models import Scenario

__all__ = ["exported"]

# Bringing a staging up and taking it down, around the drill.
_AROUND_S = 180.0
_UNDO_TIMEOUT_S = 300.0


def exported(scenario: Scenario, reference: str, strategy: str | None = None) -> dict[str, Any]:
    """The experiment; `reference` is how the scenario is found where it will run: a path, or a name in the library."""
    drill = ["drill", reference, "--out", "${windtunnel_out}", "--state", "${windtunnel_state}"]
    if strategy is not None:
        drill += ["--strategy", strategy]
    verdict = {
        "type": "probe",
        "name": "the newest drill's verdict is pass, or none was played yet",
        "tolerance": {"type": "regex", "pattern": "^(none|pass)$"},
        "provider": {
            "type": "python",
            "module": "chaos.experiments.activities",
            "func": "verdict",
            "arguments": {"out": "${windtunnel_out}"},
        },
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
        "method": [_command("action", "drill the release", drill, deadline_of(scenario) + _AROUND_S)],
        "rollbacks": [
            _command("action", "undo what is left", ["undo", "--state", "${windtunnel_state}"], _UNDO_TIMEOUT_S)
        ],
    }


def _setting(variable: str, default: str) -> dict[str, str]:
    return {"type": "env", "key": variable, "default": default}


def _command(kind: str, name: str, arguments: list[str], timeout_s: float) -> dict[str, Any]:
    provider = {"type": "process", "path": "windtunnel", "arguments": arguments, "timeout": math.ceil(timeout_s)}
    return {"type": kind, "name": name, "provider": provider}
