"""Every kind of fault in one table, from where each is defined: the language, the harness and the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from chaos.faults.registry import FAULTS
from chaos.kubernetes.faults import POD_FAULTS
from scenarios.faults import Fault, FaultKind, target_kind
from simulator.unmodelled import PARTLY_MODELLED, UNMODELLED

__all__ = ["KindOfFault", "Parameter", "kinds_of_faults"]

_TARGETS = ("on", "of", "file")
# Without root a disk that is full is a limit on files.
_ROOT = {"packets": "needed", "disk": "optional"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A key of a fault besides its target. `default` is in the language's SI units; None: none, or it is required."""

    name: str
    required: bool
    default: Any

    def __str__(self) -> str:
        """For people: what may be left out is in brackets."""
        return self.name if self.required else f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class KindOfFault:
    """One kind. `confirmed`: by what a drill knows that it is in force.

    `root`: needed, optional or no, on the embedded staging. `simulated`: yes, or no and why, or in part and which;
    `stagings`: the adapters that have it.
    """

    kind: str
    what: str
    target: str
    parameters: tuple[Parameter, ...]
    confirmed: str
    root: str
    simulated: str
    stagings: tuple[str, ...]


def kinds_of_faults() -> list[KindOfFault]:
    """All of them, in the language's order."""
    return [_kind_of_fault(kind) for kind in get_args(FaultKind)]


def _kind_of_fault(kind: FaultKind) -> KindOfFault:
    (effect,) = (each for each in get_args(Fault.model_fields[kind].annotation) if each is not type(None))
    # A staging file has commands for whatever kind its author can bring about.
    has = {"embedded": kind in FAULTS, "kubernetes": kind in POD_FAULTS, "commands": True}
    return KindOfFault(
        kind=kind,
        what=" ".join((effect.__doc__ or "").split()),
        target=target_kind(kind),
        parameters=tuple(_parameters(effect)),
        confirmed=FAULTS[kind].confirmed,
        root=_ROOT.get(kind, "no"),
        simulated=_simulated(kind),
        stagings=tuple(name for name, there in has.items() if there),
    )


def _simulated(kind: FaultKind) -> str:
    if kind in UNMODELLED:
        return f"no: {UNMODELLED[kind]}"
    return f"in part: {PARTLY_MODELLED[kind]}" if kind in PARTLY_MODELLED else "yes"


def _parameters(effect: type[BaseModel]) -> list[Parameter]:
    return [
        Parameter(field.alias or name, field.is_required(), None if field.is_required() else field.default)
        for name, field in effect.model_fields.items()
        if name not in _TARGETS
    ]
