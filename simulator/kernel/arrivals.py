"""Rates of arrival, changed on the way."""

from collections.abc import Iterable

from simulator.layout import State


def set_rates(state: State, index: int, rates: Iterable[tuple[float, float]], factor: float) -> None:
    """Make `factor` times `rates` (network.Function) the rates of a function from now on.

    The kernel finds the next arrival when it goes on. The unit gap that is then left is what the old rates would have
    spent from now to the arrival that they would have brought, or had left over when they brought none.
    """
    function, clock = state.functions[index], state.clock[0]
    now, begun = float(clock["now"]), clock["seq"] > 1
    if begun:
        function["unspent"] += _spent(state, index, now, float(function["next_arrival"]))
        function["next_arrival"] = now
        function["segment"] = sum(1 for until in state.rate_until[index] if until <= now)
        clock["stale"] = 1
    for segment, (_, rate) in enumerate(rates):
        state.rate[index, segment] = rate * factor


def _spent(state: State, index: int, begin_s: float, end_s: float) -> float:
    """The integral of the rates in force over a span; without an end none of them lasts."""
    spent, start_s = 0.0, 0.0
    for until_s, rate in zip(state.rate_until[index].tolist(), state.rate[index].tolist(), strict=True):
        if rate > 0 and start_s < end_s and until_s > begin_s:
            spent += (min(until_s, end_s) - max(start_s, begin_s)) * rate
        start_s = until_s
    return spent
