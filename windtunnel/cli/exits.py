"""Exit codes, and which error ends in which code: the one place that decides.

The table names classes by module, and looks them up among the modules already loaded: an error can
only be of a class whose module is loaded, and so nothing is imported to ask.
"""

from __future__ import annotations

import sys
from enum import IntEnum

__all__ = ["ERROR_CODES", "ExitCode", "exit_code_of"]


class ExitCode(IntEnum):
    """What the caller learns without reading a word (design.md section 8)."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    ERROR = 4
    UNCLEAN = 5
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143
    BROKEN_PIPE = 141


# The first row that fits decides, so a class stands before its bases.
ERROR_CODES: tuple[tuple[str, str, ExitCode], ...] = (
    ("scenarios.errors", "ScenarioError", ExitCode.USAGE),
    ("evidence.errors", "RecordNotWrittenError", ExitCode.ERROR),
    ("evidence.errors", "TableError", ExitCode.ERROR),
    ("evidence.errors", "EvidenceError", ExitCode.USAGE),
    ("chaos.errors", "StagingUnclean", ExitCode.UNCLEAN),
    ("chaos.staging.data_verbs", "NothingLeft", ExitCode.INCONCLUSIVE),  # as a staging's own commands say it
    ("chaos.contract.check", "ContractBroken", ExitCode.FAIL),
    ("chaos.staging.files.errors", "StagingFileError", ExitCode.USAGE),
    ("chaos.contract.oasdiff", "DocumentInvalid", ExitCode.USAGE),
    ("chaos.realise", "NotRealisable", ExitCode.USAGE),
    ("chaos.safety.errors", "TargetRefused", ExitCode.USAGE),
    ("chaos.kubernetes.errors", "KubernetesError", ExitCode.USAGE),  # before a drill: within one it is in the record
    ("chaos.safety.errors", "LeverOn", ExitCode.USAGE),
    ("chaos.safety.errors", "StagingBusy", ExitCode.USAGE),
    ("chaos.safety.errors", "NoDrill", ExitCode.USAGE),
    ("chaos.load.errors", "PlanRefused", ExitCode.USAGE),
    ("chaos.load.errors", "TargetRefused", ExitCode.USAGE),
    ("chaos.errors", "FolderUnusable", ExitCode.USAGE),
    ("chaos.errors", "StagingNotUp", ExitCode.USAGE),
    ("chaos.errors", "StagingAlreadyUp", ExitCode.USAGE),
    ("chaos.errors", "ChaosError", ExitCode.ERROR),
    ("rollout.errors", "RolloutError", ExitCode.ERROR),
    ("simulator.errors", "RequestError", ExitCode.USAGE),
    ("simulator.errors", "SimulatorError", ExitCode.ERROR),
    ("windtunnel.errors", "WindtunnelError", ExitCode.USAGE),
)


def exit_code_of(error: BaseException) -> ExitCode | None:
    """The code that an expected error ends in; None for one unforeseen (a defect of ours)."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, MemoryError):
        return ExitCode.ERROR
    for module, name, code in ERROR_CODES:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return code
    return None
