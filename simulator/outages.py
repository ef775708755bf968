"""What an outage of each service and store does in the simulator: down (errors at once), slow (answers never come)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evidence.measures import FunctionMeasure
from scenarios.models import CLIENT, Fault, Scenario
from simulator.cores import cores
from simulator.pool import measures_of
from simulator.work import Work

__all__ = ["Outage", "Outages", "outages"]

_RUN_S_MAX = 180.0
_CALM, _OUT = 0.3, 0.4
"""Of the scenario's length, up to that: calm before the outage (and again after it), and the outage."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What happened to functions while `name` was down or slow, over all replications.

    `breached` are those that were not good for longer than without the outage in at least half of the replications,
    `unrecovered` those of them that had not recovered by the end of the run, long after the outage, though they are
    good without it. `failed_share` is the worst function's.
    """

    name: str
    mode: str
    breached: tuple[str, ...]
    unrecovered: tuple[str, ...]
    failed_share: float


@dataclass(frozen=True, slots=True)
class Outages:
    """The outages that were `played`; `unsteady` are functions not good at some time without any, as often as not."""

    played: tuple[Outage, ...]
    unsteady: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Times:
    """Of one run: the outage's, and its end. A recovery is seen a window and `consecutive` cells after it was."""

    begins_s: float
    lasts_s: float
    end_s: float

    @classmethod
    def of(cls, scenario: Scenario) -> _Times:
        measure, run_s = scenario.measure, min(scenario.duration_s, _RUN_S_MAX)
        assert not isinstance(measure.warmup, str), "the caller has found it"
        begins_s = measure.warmup + max(_CALM * run_s, measure.window_s)
        lasts_s = max(_OUT * run_s, measure.window_s)
        seen_s = measure.window_s + measure.consecutive * measure.resolution_s
        return cls(begins_s, lasts_s, begins_s + lasts_s + _CALM * run_s + seen_s)


Rows = Mapping[str, Sequence[FunctionMeasure]]
"""A function's measures, in the order of the replications."""


def outages(
    scenario: Scenario,
    names: Sequence[str],
    *,
    replications: int = 5,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Outages:
    """Play an outage of each service or store, down and then slow, without release, defects and other faults.

    A run without outage, on the same draws, tells what is not theirs. `measure.warmup` must be a duration.
    """
    times = _Times.of(scenario)
    total, calm = 2 * len(names), _played(_with_faults(scenario, times, []), replications, seed)
    found: list[Outage] = []
    for name in names:
        for mode in ("down", "slow"):
            played = _with_faults(scenario, times, _faults(scenario, times, name, mode))
            found.append(_outage(_played(played, replications, seed), calm, name, mode))
            if progress is not None:
                progress(len(found), total)
    unsteady = [each for each, rows in calm.items() if _mostly([row.rto_s > 0 or row.rto_censored for row in rows])]
    return Outages(tuple(found), tuple(unsteady))


def _played(scenario: Scenario, replications: int, seed: int) -> Rows:
    work = Work(scenario, scenario.release.strategy, seed, ())
    first = work.player().measures(0)  # loads the compiled kernel
    rest = [row for chunk in measures_of(work, range(1, replications), cores()) for each in chunk for row in each]
    rows = [*first, *rest]
    return {each: [row for row in rows if row.function == each] for each in scenario.functions}


def _outage(rows: Rows, calm: Rows, name: str, mode: str) -> Outage:
    pairs = {each: list(zip(rows[each], calm[each], strict=True)) for each in rows}
    lost = {each: [row.rto_censored and not usual.rto_censored for row, usual in pairs[each]] for each in rows}
    longer = {each: [row.rto_s > usual.rto_s for row, usual in pairs[each]] for each in rows}
    return Outage(
        name=name,
        mode=mode,
        breached=tuple(each for each in rows if _mostly(longer[each]) or _mostly(lost[each])),
        unrecovered=tuple(each for each in rows if _mostly(lost[each])),
        failed_share=max(sum(row.failed_share or 0.0 for row in each) / len(each) for each in rows.values()),
    )


def _mostly(happened: Sequence[bool]) -> bool:
    return 2 * sum(happened) >= len(happened)


def _faults(scenario: Scenario, times: _Times, name: str, mode: str) -> list[Fault]:
    links = [f"{call.caller} -> {call.callee}" for call in scenario.system.calls if call.callee == name]
    if any(function.path[0] == name for function in scenario.functions.values()):
        links.append(f"{CLIENT} -> {name}")
    if mode == "slow":
        effects = [{"latency": {"on": link, "add": _duration(times.end_s)}} for link in links]
    elif name in scenario.system.stores:
        effects = [{"cut": {"on": link}} for link in links]
    else:
        effects = [{"error": {"on": name, "share": "100%"}}]
    within = {"at": _duration(times.begins_s), "for": _duration(times.lasts_s)}
    return [Fault.model_validate({**within, **effect}) for effect in effects]


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.0f}ms"


def _with_faults(scenario: Scenario, times: _Times, faults: Sequence[Fault]) -> Scenario:
    """A short run of the system as it is, with an outage in its middle; the release would begin when it is over."""
    update = {"at_s": times.end_s, "guardrails": [], "migration": None}
    release = scenario.release.model_copy(update=update)
    return scenario.model_copy(update={"duration_s": times.end_s, "faults": [*faults], "release": release})
