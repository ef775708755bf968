"""Whether a new version is worse than the old one under the same load, or whether it is noise.

Requests within a block of load share its queue, so they are no independent samples; blocks are. Old and new are
compared pair by pair of blocks with the same requests, and the interval is over pairs (t, 95 %). Worse by more than
the tolerance beyond doubt fails; within it beyond doubt passes; anything else is inconclusive: more or longer blocks
would tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evidence.statistics import Estimate, paired_mean_difference
from evidence.verdicts import Check, Status

__all__ = ["BlockFigures", "Tolerance", "judge_old", "judge_regression"]


@dataclass(frozen=True, slots=True)
class BlockFigures:
    """One function in one block; `p95_s` is of its good answers, None without one."""

    requests: int
    failed: int
    p95_s: float | None

    @property
    def failed_share(self) -> float:
        """Of the requests; all of them when there were none."""
        return self.failed / self.requests if self.requests else 1.0


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse the new version may be: its 95th percentile by `slower`, its failed share by `failures`."""

    slower: float
    failures: float


def judge_regression(
    function: str, old: Sequence[BlockFigures], new: Sequence[BlockFigures], tolerance: Tolerance
) -> list[Check]:
    """Two checks, of failures and of latency; `old[i]` and `new[i]` are a pair."""
    return [_failures(function, old, new, tolerance.failures), _latency(function, old, new, tolerance.slower)]


def judge_old(function: str, old: Sequence[BlockFigures], success: float) -> list[Check]:
    """A check only where the old version is not good itself: what both fail at hides what the new one does worse."""
    failed = _share(old)
    if failed <= 1.0 - success + 1e-9:
        return []
    reason = (
        f"{failed:.2%} of the old version's requests failed under this load, good allows {1.0 - success:.2%}: what "
        "both fail at is no regression, and hides one; take a load that the old version carries"
    )
    return [Check("old version", function, Status.INCONCLUSIVE, reason)]


def _failures(function: str, old: Sequence[BlockFigures], new: Sequence[BlockFigures], allowed: float) -> Check:
    found = paired_mean_difference([each.failed_share for each in new], [each.failed_share for each in old])
    reason = (
        f"{_share(new):.2%} against {_share(old):.2%}: {found.value:+.2%} ({found.low:+.2%} .. {found.high:+.2%}), "
        f"may be {allowed:+.2%}"
    )
    return _checked("failed share", function, _status(found, allowed), reason)


def _latency(function: str, old: Sequence[BlockFigures], new: Sequence[BlockFigures], allowed: float) -> Check:
    pairs = [(a.p95_s, b.p95_s) for a, b in zip(old, new, strict=True) if a.p95_s is not None and b.p95_s is not None]
    if len(pairs) < len(old):
        reason = f"only {len(pairs)} of {len(old)} pairs have good answers of both versions"
        return Check("p95", function, Status.INCONCLUSIVE, reason)
    # Latencies differ by factors: of their logarithms the mean difference is a ratio.
    logs_old, logs_new = ([math.log(max(each, 1e-9)) for each in column] for column in zip(*pairs, strict=True))
    found = paired_mean_difference(logs_new, logs_old)
    value, low, high = (math.expm1(each) for each in (found.value, found.low, found.high))
    before, after = (1e3 * math.exp(sum(logs) / len(logs)) for logs in (logs_old, logs_new))
    reason = f"{after:.1f} ms against {before:.1f} ms: {value:+.1%} ({low:+.1%} .. {high:+.1%}), may be {allowed:+.1%}"
    return _checked("p95", function, _status(found, math.log1p(allowed)), reason)


def _checked(name: str, function: str, status: Status, reason: str) -> Check:
    told = "; more pairs or longer blocks would tell" if status is Status.INCONCLUSIVE else ""
    return Check(name, function, status, reason + told)


def _share(blocks: Sequence[BlockFigures]) -> float:
    return sum(each.failed_share for each in blocks) / len(blocks)


def _status(found: Estimate, allowed: float) -> Status:
    if found.low > allowed:
        return Status.FAIL
    return Status.PASS if found.high <= allowed else Status.INCONCLUSIVE
