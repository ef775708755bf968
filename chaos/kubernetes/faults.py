"""The faults that a cluster can have, by the scenario language's kind."""

from __future__ import annotations

from chaos.faults.base import FaultKind
from chaos.kubernetes.pod_kill import POD_KILL
from chaos.kubernetes.pod_pause import POD_PAUSE

__all__ = ["POD_FAULTS"]

POD_FAULTS: dict[str, FaultKind] = {"kill": POD_KILL, "pause": POD_PAUSE}
