"""Always-valid tests: evidence that a guardrail may look at as often as it likes.

Each is an e-process: a non-negative weight of evidence whose mean, for a good release, is at most 1 whenever one stops
to look. By Ville's inequality it ever reaches 1/alpha with probability alpha at most (Ramdas, Grünwald, Vovk and
Shafer, Game-theoretic statistics and safe anytime-valid inference, Statistical Science 38, 2023). They assume that
requests fail independently of one another: failures that come in bursts carry less evidence than they seem to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from scipy import special

from rollout.judges.base import EVER_S, Finding, Query
from rollout.judges.outcomes import Outcomes
from rollout.world import Observation

__all__ = ["AgainstLimit", "AgainstOld", "SequentialJudge", "Test"]


_NONE = Outcomes(0, 0)

# exp of more than this is beyond floating point; the evidence is told as this much at most.
_LOG_MAX = 700.0
# Odds of failing, new version over old, that evidence is gathered for: from a little worse to much worse.
_ODDS = (1.5, 2.0, 4.0, 8.0, 16.0, 32.0)


class Test(Protocol):
    """An e-process over intervals; what came before the first of them is no evidence."""

    def learn(self, old: Outcomes) -> None:
        """What the old version did before."""
        ...

    def add(self, new: Outcomes, old: Outcomes) -> None:
        """Outcomes of one interval."""
        ...

    def log_evidence(self) -> float:
        """Natural logarithm of the e-value so far."""
        ...


class AgainstLimit:
    """Whether a share of bad outcomes is above a limit: Robbins' mixture of likelihood ratios.

    The alternatives are mixed by the Beta(1/2, 1/2) distribution above the limit (Robbins, Statistical methods related
    to the law of the iterated logarithm, Annals of Mathematical Statistics 41, 1970). Every share up to the limit gives
    a supermartingale, because the likelihood ratio grows with the share.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._bad = self._count = 0
        self._prior = math.log(special.betaincc(0.5, 0.5, limit)) + float(special.betaln(0.5, 0.5))

    def learn(self, old: Outcomes) -> None:
        """The limit says all that there is to know."""

    def add(self, new: Outcomes, old: Outcomes) -> None:  # noqa: ARG002 - the other test needs both
        """Outcomes of one interval."""
        self._bad += new.bad
        self._count += new.total

    def log_evidence(self) -> float:
        """Natural logarithm of the e-value so far."""
        bad, good = self._bad, self._count - self._bad
        above = float(special.betaincc(bad + 0.5, good + 0.5, self._limit))
        if above <= 0.0:
            return -math.inf
        mixed = math.log(above) + float(special.betaln(bad + 0.5, good + 0.5)) - self._prior
        return mixed - bad * math.log(self._limit) - good * math.log1p(-self._limit)


class AgainstOld:
    """Whether the new version fails more often than the old one beside it: the safe test of two proportions.

    Turner, Ly and Grünwald, Generic e-variables for exact sequential k-sample tests that allow for optional stopping
    (Journal of Statistical Planning and Inference 230, 2024): within an interval, the likelihood of an alternative over
    that of the mean of its two shares, weighted by the answers of each version. The old version's share is learned from
    the intervals before; the new one's follows from it by odds ratios above 1, over which the evidence is averaged. (To
    learn the new one's share as well was tried: it took up to twice as long to tell.) Intervals in which only one
    version answered say nothing, so that nothing is compared with another time of day.
    """

    def __init__(self) -> None:
        self._bad = self._count = 0
        self._logs = [0.0] * len(_ODDS)

    def learn(self, old: Outcomes) -> None:
        """What the old version did before."""
        self._bad += old.bad
        self._count += old.total

    def add(self, new: Outcomes, old: Outcomes) -> None:
        """Outcomes of one interval; what is learned from it counts from the next one on."""
        if new.total and old.total:
            share = (self._bad + 0.5) / (self._count + 1.0)
            for place, odds in enumerate(_ODDS):
                self._logs[place] += _log_factor(new, old, odds * share / (1.0 - share + odds * share), share)
        self.learn(old)

    def log_evidence(self) -> float:
        """Natural logarithm of the e-value so far."""
        highest = max(self._logs)
        return highest + math.log(sum(math.exp(log - highest) for log in self._logs) / len(self._logs))


def _log_factor(new: Outcomes, old: Outcomes, p_new: float, p_old: float) -> float:
    mean = (new.total * p_new + old.total * p_old) / (new.total + old.total)
    return _log_ratio(new, p_new, mean) + _log_ratio(old, p_old, mean)


def _log_ratio(outcomes: Outcomes, share: float, other: float) -> float:
    good = outcomes.total - outcomes.bad
    return outcomes.bad * math.log(share / other) + good * math.log((1.0 - share) / (1.0 - other))


class SequentialJudge:
    """Bad once the evidence has reached 1/alpha; the value is the evidence.

    `count` reads outcomes from an observation; `versions` are the new one and, where it is compared, the old one. The
    first look is where evidence starts. Below `minimum` outcomes of each nothing is bad.
    """

    def __init__(
        self,
        test: Test,
        count: Callable[[Observation], Outcomes],
        versions: Sequence[str | None],
        alpha: float,
        minimum: int,
    ) -> None:
        self.queries = tuple(Query(version, EVER_S) for version in versions)
        self._test = test
        self._count = count
        self._limit = 1.0 / alpha
        self._log_limit = -math.log(alpha)
        self._minimum = minimum
        self._first: list[Outcomes] = []
        self._last: list[Outcomes] = []

    def judge(self, observations: Sequence[Observation]) -> Finding:
        """Take in what came since the last look."""
        now = [self._count(observation) for observation in observations]
        if self._last:
            news = [outcomes.since(before) for outcomes, before in zip(now, self._last, strict=True)]
            self._test.add(news[0], news[1] if len(news) > 1 else _NONE)
        else:
            self._first = now
            self._test.learn(now[1] if len(now) > 1 else _NONE)
        self._last = now
        requests = min(outcomes.since(first).total for outcomes, first in zip(now, self._first, strict=True))
        log_evidence = self._test.log_evidence()
        enough = requests >= self._minimum
        evidence = math.exp(min(log_evidence, _LOG_MAX))
        return Finding(enough and log_evidence >= self._log_limit, enough, evidence, self._limit, requests)
