"""The one table of faults, by the scenario language's kind."""

from __future__ import annotations

from chaos.faults.bandwidth import BANDWIDTH
from chaos.faults.base import FaultKind
from chaos.faults.cut import CUT
from chaos.faults.error import ERROR
from chaos.faults.experiment import EXPERIMENT
from chaos.faults.kill import KILL
from chaos.faults.latency import LATENCY
from chaos.faults.limit_data import LIMIT_DATA
from chaos.faults.reset import RESET
from chaos.faults.slicer import SLICER
from chaos.faults.slow_close import SLOW_CLOSE
from chaos.faults.timeout import TIMEOUT

_NETWORK: tuple[FaultKind, ...] = (LATENCY, BANDWIDTH, TIMEOUT, RESET, SLICER, LIMIT_DATA, SLOW_CLOSE, CUT)
_OTHERS: tuple[FaultKind, ...] = (ERROR, KILL, EXPERIMENT)

FAULTS: dict[str, FaultKind] = {kind.kind: kind for kind in (*_NETWORK, *_OTHERS)}

__all__ = ["FAULTS"]
