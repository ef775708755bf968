"""The one table of faults, by the scenario language's kind."""

from __future__ import annotations

from chaos.faults.base import FaultKind
from chaos.faults.cut import CUT
from chaos.faults.error import ERROR
from chaos.faults.experiment import EXPERIMENT
from chaos.faults.kill import KILL
from chaos.faults.latency import LATENCY

FAULTS: dict[str, FaultKind] = {kind.kind: kind for kind in (LATENCY, CUT, ERROR, KILL, EXPERIMENT)}

__all__ = ["FAULTS"]
