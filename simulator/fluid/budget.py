"""Retry budgets: the balance of each, and which share of the retries it pays when it is spent."""

import math

from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined
from simulator.kernel.mechanics import BUDGET_MEMORY_S

SPENT = 1.0 + 1e-6
"""A balance up to which retries are paid by income alone. What is paid so keeps it at 1."""

_LEAST = 1e-3
"""Share of the retries that a spent budget pays at least: so that it is seen when it could pay more."""


@inlined
def _income(s: State, call: int) -> float:
    """What a balance grows by in a second, but for what it forgets."""
    return s.calls[call]["budget_share"] * s.calls[call]["firsts"] + s.calls[call]["budget_per_s"]


@outlined
def afford(s: State) -> float:
    """Let spent budgets pay as many retries as they have income for; returns by how much any share changed."""
    change = 0.0
    for index in range(len(s.calls)):
        call = s.calls[index]
        if call["budget"] == 0 or call["tokens"] > SPENT or call["retried"] <= 0.0:
            continue
        paid = max(0.0, _income(s, index) - 1.0 / BUDGET_MEMORY_S)
        allow = min(1.0, max(_LEAST, call["allow"] * paid / call["retried"]))
        change = max(change, abs(allow - call["allow"]))
        call["allow"] = allow
    return change


@outlined
def spend(s: State, step_s: float) -> bool:
    """Let balances go on for a while; whether one is spent, or is no more."""
    changed = False
    for index in range(len(s.calls)):
        call = s.calls[index]
        if call["budget"] == 0:
            continue
        before = call["tokens"]
        if before <= SPENT and call["allow"] < 1.0 and call["retried"] > 0.0:
            continue  # it pays what it has income for: what that is solved to within is neither saved nor owed
        goal = BUDGET_MEMORY_S * (_income(s, index) - call["retried"])
        call["tokens"] = max(1.0, goal + (before - goal) * math.exp(-step_s / BUDGET_MEMORY_S))
        if (before > SPENT) != (call["tokens"] > SPENT):
            changed = True
            if call["tokens"] > SPENT:
                call["allow"] = 1.0
    return changed


@outlined
def spends(s: State, step_s: float) -> bool:
    """Whether a balance falls much within a step."""
    for index in range(len(s.calls)):
        call = s.calls[index]
        if call["budget"] != 0 and call["tokens"] > SPENT and call["retried"] * step_s > 0.02 * call["tokens"]:
            return True
    return False
