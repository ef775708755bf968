"""The one table of faults, by the scenario language's kind."""

from __future__ import annotations

from chaos.faults.bandwidth import BANDWIDTH
from chaos.faults.base import FaultKind
from chaos.faults.configuration import CONFIGURATION
from chaos.faults.corrupted_migration import CORRUPTED_MIGRATION
from chaos.faults.cpu import CPU
from chaos.faults.crash_loop import CRASH_LOOP
from chaos.faults.cut import CUT
from chaos.faults.delay import DELAY
from chaos.faults.descriptors import DESCRIPTORS
from chaos.faults.disk import DISK
from chaos.faults.error import ERROR
from chaos.faults.exhaustion import EXHAUSTION
from chaos.faults.experiment import EXPERIMENT
from chaos.faults.kill import KILL
from chaos.faults.lag import LAG
from chaos.faults.latency import LATENCY
from chaos.faults.limit_data import LIMIT_DATA
from chaos.faults.lock import LOCK
from chaos.faults.memory import MEMORY
from chaos.faults.outage import OUTAGE
from chaos.faults.packets import PACKETS
from chaos.faults.pause import PAUSE
from chaos.faults.primary import PRIMARY
from chaos.faults.quota import QUOTA
from chaos.faults.read_only import READ_ONLY
from chaos.faults.reset import RESET
from chaos.faults.slicer import SLICER
from chaos.faults.slow_close import SLOW_CLOSE
from chaos.faults.slow_start import SLOW_START
from chaos.faults.standby import STANDBY
from chaos.faults.timeout import TIMEOUT
from chaos.faults.zone import ZONE

_NETWORK: tuple[FaultKind, ...] = (LATENCY, BANDWIDTH, TIMEOUT, RESET, SLICER, LIMIT_DATA, SLOW_CLOSE, PACKETS, CUT)
_ROUTER: tuple[FaultKind, ...] = (ERROR, DELAY)
_PROCESSES: tuple[FaultKind, ...] = (KILL, ZONE, PAUSE, CRASH_LOOP, SLOW_START, CONFIGURATION)
_THIRD_PARTIES: tuple[FaultKind, ...] = (OUTAGE, QUOTA)
_RESOURCES: tuple[FaultKind, ...] = (CPU, MEMORY, DESCRIPTORS, DISK)
_DATABASE: tuple[FaultKind, ...] = (EXHAUSTION, LOCK, READ_ONLY, CORRUPTED_MIGRATION, PRIMARY, STANDBY, LAG)
_OTHERS: tuple[FaultKind, ...] = (EXPERIMENT,)

FAULTS: dict[str, FaultKind] = {
    kind.kind: kind for kind in (*_NETWORK, *_ROUTER, *_PROCESSES, *_THIRD_PARTIES, *_RESOURCES, *_DATABASE, *_OTHERS)
}

__all__ = ["FAULTS"]
