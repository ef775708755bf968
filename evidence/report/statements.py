"""What a comparison allows to say, in words."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.comparison import Comparison
from evidence.pairs import Difference
from evidence.report.table import decimals_shown
from evidence.statements import Statement

__all__ = ["statement_lines"]

_NAMES = {
    "rto_attainment": "RTO met",
    "rpo_attainment": "RPO met",
    "rto_s": "mean RTO",
    "rto_p50_s": "RTO p50",
    "rto_p95_s": "RTO p95",
    "rto_missed": "RTO missed",
    "failed_share": "failed share",
    "revenue_lost": "revenue lost",
    "lost_writes": "writes lost",
    "change_failed": "change failed",
    "rolled_back": "rolled back",
    "collapse": "collapse",
    "release_duration_s": "release takes",
    "promoted_s": "promoted takes",
    "extra_replica_s": "capacity",
}
_SHARES = ("rto_attainment", "rpo_attainment", "rto_missed", "failed_share", "change_failed", "rolled_back", "collapse")


def statement_lines(comparison: Comparison) -> list[str]:
    """A sentence for each measure on which somebody is told apart; then what nobody can tell, and what is equal."""
    currency = next((row.currency for row in comparison.rows if row.currency is not None), None)
    told = [each for each in comparison.statements if each.worse]
    lines = [_sentence(each, currency) for each in told]
    unclear = [_of(each) for each in comparison.statements if not each.worse and each.unclear]
    equal = [_of(each) for each in comparison.statements if not each.worse and not each.unclear]
    if unclear:
        lines.append(f"The data cannot tell them apart on {_listed(unclear, '; ')}.")
    if equal:
        lines.append(f"No replication differs on {_listed(equal, '; ')}.")
    if comparison.pareto and any(row.dominated_by for row in comparison.pareto):
        front = [row.name for row in comparison.pareto if not row.dominated_by]
        lines.append(f"Not dominated in risk, time and capacity: {_listed(front)}.")
    return lines


def _sentence(statement: Statement, currency: str | None) -> str:
    best = _listed([statement.best, *statement.alike])
    verb = "are alike, and better" if statement.alike else "is better"
    worse = _listed([f"{name} (by {_difference_text(by, currency)})" for name, by in statement.worse])
    line = f"{_of(statement)}: {best} {verb} than {worse}"
    if statement.unclear:
        line += f"; the data cannot tell {statement.best} from {_listed(statement.unclear)}"
    return line + "."


def _of(statement: Statement) -> str:
    return f"{statement.function or 'release'}, {_NAMES[statement.measure]}"


def _listed(names: Sequence[str], separator: str = ", ") -> str:
    """`separator`: another one where names have commas of their own."""
    if not names:
        return "nothing"
    return f"{separator.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _difference_text(difference: Difference, currency: str | None) -> str:
    """How much, without its direction: `12.5 points [4.1, 20.9]`."""
    estimate = difference.estimate
    sign = -1.0 if estimate.value < 0 else 1.0
    value, low, high = _upright(sign, estimate.value, estimate.low, estimate.high)
    if difference.measure in _SHARES:
        value, low, high = value * 100, low * 100, high * 100
        unit, decimals = "points", 2 if value < 1.0 else 1
    elif difference.measure == "revenue_lost":
        unit, decimals = currency or "", 0
    elif difference.measure == "lost_writes":
        unit, decimals = "writes", 0
    elif difference.measure == "extra_replica_s":
        unit, decimals = "replica-seconds", 0
    else:
        unit, decimals = "s", 2
    decimals = decimals_shown(value, decimals)
    return f"{value:,.{decimals}f} {unit}".rstrip() + f" [{low:,.{decimals}f}, {high:,.{decimals}f}]"


def _upright(sign: float, value: float, low: float, high: float) -> tuple[float, float, float]:
    """The same turned so that the value is not negative."""
    return (value, low, high) if sign > 0 else (-value, -high, -low)
