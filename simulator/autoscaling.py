"""Autoscaling as Kubernetes' HorizontalPodAutoscaler does it, on the utilisation of workers.

The formula, its tolerance of 10 %, the damping by replicas that are not ready, the limit on scaling up (twice as many
or four more within 15 s) and the stabilisation of scaling down are those of its documentation (Horizontal Pod
Autoscaling: Algorithm details; Configurable scaling behavior) with their defaults.

Not modelled: several metrics, other policies, and the cost of the nodes that new replicas would need.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Sequence
from itertools import count
from typing import Any

import simpy

from scenarios.models import Autoscaling
from simulator.environment import SimulationEnvironment

__all__ = ["Autoscaler", "recommended"]

_TOLERANCE = 0.1
_POLICY_S = 15.0
_POLICY_REPLICAS = 4
_SAMPLES_PER_PERIOD = 15
# Two times this close are one: sums of periods round.
_SAME_S = 1e-9


def recommended(utilisations: Sequence[float], not_ready: int, target: float) -> int:
    """Replicas that bring the utilisation to `target`, from that of each ready replica.

    Replicas that are not ready yet count as idle when it is about more of them, and not at all when about less; they
    never turn the direction round. Without a ready replica there is nothing to go by: the number stays.
    """
    ready = len(utilisations)
    current = ready + not_ready
    if ready == 0:
        return current
    total = math.fsum(utilisations)
    ratio = total / ready / target
    if abs(ratio - 1) <= _TOLERANCE + 1e-12:
        return current
    if not_ready == 0 or ratio < 1:
        return math.ceil(ratio * ready - 1e-9)
    damped = total / current / target
    if damped <= 1 + _TOLERANCE + 1e-12:
        return current
    return math.ceil(damped * current - 1e-9)


class Autoscaler:
    """Looks once a period at the average utilisation over the period that ended `lag` ago, and orders replicas.

    Replicas that were not there then have no metrics yet: they count as idle when it is about more of them, and as at
    the target when about less. Else each look within the lag would order anew what had been ordered for the same load.

    `utilisations` reads how busy each ready replica was since it was read last: a mean, as Kubernetes' metrics are.
    Single moments would vary twice as much, and the highest of five minutes, to which it goes down, be too high.
    `not_ready` counts the others, `order` takes the wanted number when it changes.
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        scaling: Autoscaling,
        replicas: int,
        utilisations: Callable[[], list[float]],
        not_ready: Callable[[], int],
        order: Callable[[int], None],
    ) -> None:
        self._env = env
        self._scaling = scaling
        self._utilisations = utilisations
        self._not_ready = not_ready
        self._order = order
        self.wanted = replicas
        # Utilisations at each sample, the newest last: the lag and one period.
        self._sample_s = scaling.period_s / _SAMPLES_PER_PERIOD
        self._lagging = math.ceil(scaling.lag_s / self._sample_s - 1e-9)
        self._samples: deque[list[float]] = deque(maxlen=self._lagging + _SAMPLES_PER_PERIOD)
        # As Kubernetes does: what is there when it starts counts as recommended then, so that nothing shrinks at once.
        self._recommendations: list[tuple[float, int]] = [(0.0, replicas)]
        self._past: list[tuple[float, int]] = [(0.0, replicas)]
        env.process(self._watch())

    def _watch(self) -> Generator[simpy.Event, Any, None]:
        for sample in count(1):
            yield self._env.timeout(sample * self._sample_s - self._env.now)
            self._samples.append(self._utilisations())
            if sample % _SAMPLES_PER_PERIOD == 0:
                self._look()

    def _look(self) -> None:
        seen = [sample for sample in list(self._samples)[:_SAMPLES_PER_PERIOD] if sample]
        ready, not_ready = len(self._samples[-1]), self._not_ready()
        if not seen or len(self._samples) < self._lagging + _SAMPLES_PER_PERIOD:
            return
        known = round(sum(map(len, seen)) / len(seen))
        mean = math.fsum(map(math.fsum, seen)) / len(seen) / known
        there = self._recommended(mean, min(ready, known), ready, not_ready)
        # During a release there may be more or fewer than wanted: two versions, or one that is being replaced.
        share = there / (ready + not_ready) if ready + not_ready else 1.0
        wanted = self._stabilised(math.ceil(self.wanted * share - 1e-9))
        if wanted != self.wanted:
            self.wanted = wanted
            self._past.append((self._env.now, wanted))
            self._order(wanted)

    def _recommended(self, mean: float, known: int, ready: int, not_ready: int) -> int:
        """From the mean utilisation of the replicas with metrics, `known` of those that are ready."""
        target, unknown = self._scaling.target, ready - known
        if mean < target:
            return recommended([mean] * known + [target] * unknown, not_ready, target)
        return recommended([mean] * known, not_ready + unknown, target)

    def _stabilised(self, recommendation: int) -> int:
        """Within the bounds; up no faster than the policy, down only to the highest of the last while."""
        now_s, scaling = self._env.now, self._scaling
        bounded = min(max(recommendation, scaling.minimum), scaling.maximum)
        since_s = now_s - scaling.scale_down_after_s - _SAME_S
        self._recommendations = [each for each in self._recommendations if each[0] >= since_s]
        self._recommendations.append((now_s, bounded))
        if bounded > self.wanted:
            before = [number for time_s, number in self._past if time_s <= now_s - _POLICY_S + _SAME_S] or [
                self._past[0][1]
            ]
            return max(self.wanted, min(bounded, max(2 * before[-1], before[-1] + _POLICY_REPLICAS)))
        return min(self.wanted, max(number for _, number in self._recommendations))
