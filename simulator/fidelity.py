"""Which data plane plays a scenario: one that follows every request, or one of flows (docs/fluid.md)."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from scenarios.models import Defect, Fidelity, Scenario
from simulator.compile import Compiled
from simulator.kernel.plane import DataPlane
from simulator.network import Network

__all__ = ["plane_of", "played_singly", "require_modelled"]


def plane_of(
    fidelity: Fidelity,
    network: Network,
    seed: int,
    replication: int,
    detailed: Collection[int] | None = None,
    *,
    rows_followed: bool = False,
    apart: Collection[tuple[int, int]] = (),
    singly: Collection[int] | None = None,
) -> DataPlane:
    """A data plane at time zero; `detailed` are the stations whose latencies will be looked at, None: any.

    `rows_followed`: what becomes of single rows of the write log will be asked (`simulator.rows.are_followed`).
    `apart`: stations of callers and callees whose versions may misunderstand each other (`simulator.contracts`).
    `singly`: stations that flows are to play request by request (`played_singly`); None: whatever happens.

    A fluid one has the verbs of DataPlane, and of its state what is read under a scenario that `require_modelled` lets
    pass.
    """
    if fidelity == "fluid":
        from simulator.fluid.plane import FluidPlane  # it compiles what others do not need

        return cast(
            "DataPlane",
            FluidPlane(network, seed, replication, detailed, rows_followed=rows_followed, apart=apart, singly=singly),
        )
    return DataPlane(network, seed, replication)


def played_singly(
    scenario: Scenario, compiled: Compiled, judged: Collection[str], defects: Collection[Defect]
) -> frozenset[int]:
    """Stations that flows play request by request when the new version has these defects, none under other fidelities.

    `judged` services have guardrails or analyses.
    """
    if scenario.fidelity != "fluid":
        return frozenset()
    from simulator.fluid.luck import of_scenario

    return of_scenario(scenario, compiled, judged, defects)


def require_modelled(scenario: Scenario) -> None:
    """Raise RequestError, naming the key, for what the scenario's fidelity does not model."""
    if scenario.fidelity == "fluid":
        from simulator.fluid.support import require_fluid

        require_fluid(scenario)
