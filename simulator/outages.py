"""What an outage of each service and store does in the simulator: down (errors at once), slow (answers never come)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scenarios.models import CLIENT, Fault, Scenario
from simulator.pool import cores, measures_of
from simulator.work import Work

__all__ = ["Outage", "outages"]

_RUN_S_MAX = 180.0
_BEGINS, _ENDS = 0.3, 0.7
"""Of the run: calm before the outage, and time to recover after it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What happened to functions while `name` was down or slow, over all replications.

    `breached` are those that were not good at some time in at least half of the replications, `unrecovered` those of
    them that had not recovered by the end of the run, long after the outage. `failed_share` is the worst function's.
    """

    name: str
    mode: str
    breached: tuple[str, ...]
    unrecovered: tuple[str, ...]
    failed_share: float


def outages(
    scenario: Scenario,
    names: Sequence[str],
    *,
    replications: int = 5,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Outage]:
    """Play an outage of each service or store, down and then slow, without release, defects and other faults."""
    found: list[Outage] = []
    for name in names:
        for mode in ("down", "slow"):
            found.append(_outage(_with_outage(scenario, name, mode), name, mode, replications, seed))
            if progress is not None:
                progress(len(found), 2 * len(names))
    return found


def _outage(scenario: Scenario, name: str, mode: str, replications: int, seed: int) -> Outage:
    work = Work(scenario, scenario.release.strategy, seed, ())
    first = work.player().measures(0)  # loads the compiled kernel
    rest = [row for chunk in measures_of(work, range(1, replications), cores()) for each in chunk for row in each]
    rows = [*first, *rest]
    functions = list(scenario.functions)
    hit = {each: [row.rto_s > 0 or row.rto_censored for row in rows if row.function == each] for each in functions}
    lost = {each: [row.rto_censored for row in rows if row.function == each] for each in functions}
    shares = {each: [row.failed_share or 0.0 for row in rows if row.function == each] for each in functions}
    return Outage(
        name=name,
        mode=mode,
        breached=tuple(each for each in functions if _mostly(hit[each])),
        unrecovered=tuple(each for each in functions if _mostly(lost[each])),
        failed_share=max(sum(values) / len(values) for values in shares.values()),
    )


def _mostly(happened: Sequence[bool]) -> bool:
    return 2 * sum(happened) >= len(happened)


def _with_outage(scenario: Scenario, name: str, mode: str) -> Scenario:
    """A short run of the system as it is, with the outage in its middle; the release would begin when it is over."""
    run_s = min(scenario.duration_s, _RUN_S_MAX)
    at_s, for_s = _BEGINS * run_s, (_ENDS - _BEGINS) * run_s
    links = [f"{call.caller} -> {call.callee}" for call in scenario.system.calls if call.callee == name]
    if any(function.path[0] == name for function in scenario.functions.values()):
        links.append(f"{CLIENT} -> {name}")
    if mode == "slow":
        effects = [{"latency": {"on": link, "add": f"{2 * for_s:g}s"}} for link in links]
    elif name in scenario.system.stores:
        effects = [{"cut": {"on": link}} for link in links]
    else:
        effects = [{"error": {"on": name, "share": "100%"}}]
    faults = [Fault.model_validate({"at": f"{at_s:g}s", "for": f"{for_s:g}s", **effect}) for effect in effects]
    release = scenario.release.model_copy(update={"at_s": run_s, "guardrails": [], "migration": None})
    return scenario.model_copy(update={"duration_s": run_s, "faults": faults, "release": release})
