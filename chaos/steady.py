"""Whether a short load finds each function well: what a drill asks when all is undone."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.load.raw import RawSamples
from scenarios.models import Good, Scenario

__all__ = ["unsteady"]

# A load of seconds has too few requests for a 99th percentile. What slows a function down slows most of them.
_MOST = 0.5


def unsteady(scenario: Scenario, raw: RawSamples) -> dict[str, str]:
    """What is wrong with each function that is not well: too few succeed, or most take longer than the slowest may."""
    found = {}
    for name, function in scenario.functions.items():
        problems = list(_problems(function.good, raw.where(raw.function == name)))
        if problems:
            found[name] = "; ".join(problems)
    return found


def _problems(good: Good, raw: RawSamples) -> Iterator[str]:
    ok = raw.kind == "ok"
    if not len(raw) or not good.success.holds(int(ok.sum()) / len(raw)):
        yield f"{int(ok.sum())} of {len(raw)} requests succeeded"
    if not ok.any():
        return
    for quantile, (_, limit_s) in good.quantiles.items():
        slow = int((raw.latency_s[ok] > limit_s).sum())
        if slow > _MOST * int(ok.sum()):
            yield f"{slow} of {int(ok.sum())} answers took longer than {limit_s:g} s, the limit of p{quantile * 100:g}"
