"""Verdicts: pass, inconclusive, error, fail, and reasons that carry numbers.

The order is that of Argo Rollouts: the overall verdict is the worst, and what is known to be broken is worse
than a check that could not be made. A check that crashes is an error, never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from evidence.statistics import Estimate
from scenarios.quantities import Bound

__all__ = ["Check", "Status", "Verdict", "guarded", "judge_estimate", "judge_value", "shown_share"]


class Status(StrEnum):
    """How a check came out, best first."""

    PASS = "pass"  # noqa: S105 (a verdict, not a password)
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        """0 is best."""
        return list(Status).index(self)

    @property
    def exit_code(self) -> int:
        """What a command that ends with this verdict returns; 2 and 5 are the command line's own."""
        return {Status.PASS: 0, Status.FAIL: 1, Status.INCONCLUSIVE: 3, Status.ERROR: 4}[self]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was judged (`name` of `subject`), how it came out, and why in numbers."""

    name: str
    subject: str
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one run; without any check there is nothing to say, which is inconclusive."""

    run_id: str
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """The worst of the checks."""
        return max((c.status for c in self.checks), key=lambda s: s.rank, default=Status.INCONCLUSIVE)

    @property
    def exit_code(self) -> int:
        """The exit code of the overall status."""
        return self.status.exit_code

    def to_json(self) -> dict[str, Any]:
        """The content of verdict.json."""
        checks = [asdict(check) for check in self.checks]
        return {"run_id": self.run_id, "status": self.status.value, "checks": checks}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Verdict:
        """The reverse of to_json; raises KeyError, TypeError or ValueError when it is something else."""
        checks = tuple(Check(**{**each, "status": Status(each["status"])}) for each in found["checks"])
        return cls(run_id=found["run_id"], checks=checks)


def guarded(name: str, subject: str, check: Callable[[], Iterable[Check]]) -> list[Check]:
    """What the check finds, or one error that carries the exception's text."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 (whatever breaks a check must not break the verdict)
        return [Check(name, subject, Status.ERROR, f"{type(error).__name__}: {error}")]


def judge_estimate(name: str, subject: str, estimate: Estimate, bound: Bound) -> Check:
    """Pass when the whole interval holds the bound, fail when none of it does, else inconclusive."""
    low, high = bound.holds(estimate.low), bound.holds(estimate.high)
    value, interval_low, interval_high = (shown_share(each) for each in (estimate.value, estimate.low, estimate.high))
    shown = f"{name} {value} [{interval_low}, {interval_high}]"
    if low and high:
        return Check(name, subject, Status.PASS, f"{shown} {bound} (n = {estimate.n})")
    if low or high:
        reason = f"{shown} spans {bound.value:g}, must be {bound} (n = {estimate.n})"
        return Check(name, subject, Status.INCONCLUSIVE, reason)
    reason = f"{shown} {_OPPOSITE[bound.op]} {bound.value:g} (n = {estimate.n})"
    return Check(name, subject, Status.FAIL, reason)


def shown_share(share: float) -> str:
    """Three decimals, and three digits of what is next to nothing or next to all: bounds lie there."""
    left = min(share, 1.0 - share)
    decimals = 3 if left >= _SMALL or left <= 0.0 else 2 - math.floor(math.log10(left))
    return f"{share:.{decimals}f}"


def judge_value(name: str, subject: str, value: float, bound: Bound, unit: str = "") -> Check:
    """Pass or fail of one measured number."""
    holds = bound.holds(value)
    op = bound.op if holds else _OPPOSITE[bound.op]
    reason = f"{name} {value:g}{unit} {op} {bound.value:g}{unit}"
    return Check(name, subject, Status.PASS if holds else Status.FAIL, reason)


_SMALL = 0.005
_OPPOSITE = {">=": "<", "<=": ">", ">": "<=", "<": ">="}
