"""The steps of a release in waves, over zones or over cohorts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rollout.canary import replicas_for
from rollout.gates import Admit, Analyse, Approve
from rollout.steps import Bake, Deploy, Route, Step
from scenarios.models import Change, Waves

__all__ = ["wave_steps"]


def wave_steps(
    waves: Waves,
    change: Change,
    replicas: int,
    cohorts: Mapping[str, float],
    zones: Sequence[str],
    calendar: bool,
) -> Iterator[Step]:
    """Every wave with the gates after it; the last one leaves nothing to the old version."""
    done: list[str] = []
    for place, wave in enumerate(waves.waves):
        if place and waves.approve is not None:
            yield Approve(waves.approve)
        if place and calendar:
            yield Admit()
        before = list(done)
        done += wave
        last = place == len(waves.waves) - 1
        if waves.by == "zones":
            yield from _zones(change, replicas, zones, before, done)
        else:
            yield from _cohorts(change, replicas, 1.0 if last else sum(cohorts.get(name, 0.0) for name in done), done)
        if waves.bake_s:
            yield Bake(waves.bake_s)
        if waves.analysis is not None:
            yield Analyse(waves.analysis)
    if waves.by == "cohorts":
        yield Deploy(change.old, 0)


def _zones(
    change: Change, replicas: int, zones: Sequence[str], before: Sequence[str], done: Sequence[str]
) -> Iterator[Step]:
    """Replicas stand in the zones in turn: those of the wave are replaced, and traffic follows them."""
    at = [zones[number % len(zones)] for number in range(replicas)]
    new = sum(zone in done for zone in at)
    if new == sum(zone in before for zone in at):
        return  # fewer replicas than zones: none stands in these
    yield Deploy(change.new, new, tuple(done))
    yield Route(new / replicas)
    left = tuple(zone for zone in zones if zone not in done)
    yield Deploy(change.old, replicas - new, left if new < replicas else ())


def _cohorts(change: Change, replicas: int, share: float, done: Sequence[str]) -> Iterator[Step]:
    """The old version stays whole meanwhile, as in a canary."""
    yield Deploy(change.new, replicas_for(share, replicas))
    yield Route(1.0) if share >= 1.0 else Route(0.0, tuple(done))
