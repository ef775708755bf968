"""Always-valid tests: evidence that a guardrail may look at as often as it likes.

Each is an e-process: a non-negative weight of evidence whose mean, for a good release, is at most 1 whenever one stops
to look. By Ville's inequality it ever reaches 1/alpha with probability alpha at most (Ramdas, Grünwald, Vovk and
Shafer, Game-theoretic statistics and safe anytime-valid inference, Statistical Science 38, 2023). They assume that
requests fail independently of one another: failures that come in bursts carry less evidence than they seem to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy import special

from rollout.judges.base import EVER_S, Finding, Query
from rollout.judges.counting import Increments
from rollout.world import Observation

__all__ = ["AgainstLimit", "AgainstOld", "Count", "SequentialJudge"]

Count = Callable[[Observation], tuple[int, int]]
"""Of an observation: bad outcomes, and all outcomes."""

# exp of more than this is beyond floating point; the evidence is told as this much at most.
_LOG_MAX = 700.0


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

    def add(self, new: tuple[int, int], old: tuple[int, int]) -> None:  # noqa: ARG002 - one protocol for both tests
        """Outcomes of one interval."""
        self._bad += new[0]
        self._count += new[1]

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
    (Journal of Statistical Planning and Inference 230, 2024): within an interval, the likelihood of the shares learned
    before it, over that of their mean weighted by the answers of each version. Shares are learned by posterior means;
    where the new version's is the lower one, the interval is passed over, which makes the test one-sided. Intervals
    in which only one version answered say nothing, so nothing is ever compared with another time of day.
    """

    def __init__(self) -> None:
        self._new, self._old = [0, 0], [0, 0]
        self._log = 0.0

    def add(self, new: tuple[int, int], old: tuple[int, int]) -> None:
        """Outcomes of one interval; what is learned from it counts from the next one on."""
        if new[1] and old[1]:
            self._log += self._increment(new, old)
        for sums, outcomes in ((self._new, new), (self._old, old)):
            sums[0] += outcomes[0]
            sums[1] += outcomes[1]

    def _increment(self, new: tuple[int, int], old: tuple[int, int]) -> float:
        p_new, p_old = (_learned(sums) for sums in (self._new, self._old))
        if p_new <= p_old:
            return 0.0
        mean = (new[1] * p_new + old[1] * p_old) / (new[1] + old[1])
        return _log_ratio(new, p_new, mean) + _log_ratio(old, p_old, mean)

    def log_evidence(self) -> float:
        """Natural logarithm of the e-value so far."""
        return self._log


def _learned(sums: Sequence[int]) -> float:
    """Posterior mean of a share under the Beta(1/2, 1/2) prior; any prior keeps the test valid."""
    return (sums[0] + 0.5) / (sums[1] + 1.0)


def _log_ratio(outcomes: tuple[int, int], share: float, other: float) -> float:
    bad, good = outcomes[0], outcomes[1] - outcomes[0]
    return bad * math.log(share / other) + good * math.log((1.0 - share) / (1.0 - other))


class SequentialJudge:
    """Bad once the evidence has reached 1/alpha; the value is the evidence.

    `versions` are the new one and, where it is compared, the old one. Below `minimum` requests of each nothing is bad.
    """

    def __init__(
        self, test: AgainstLimit | AgainstOld, count: Count, versions: Sequence[str | None], alpha: float, minimum: int
    ) -> None:
        self.queries = tuple(Query(version, EVER_S) for version in versions)
        self._test = test
        self._count = count
        self._limit = 1.0 / alpha
        self._log_limit = -math.log(alpha)
        self._minimum = minimum
        self._increments = tuple(Increments() for _ in versions)
        self._requests = [0] * len(versions)

    def judge(self, observations: Sequence[Observation]) -> Finding:
        """Take in what came since the last look."""
        outcomes = [(0, 0), (0, 0)]
        for place, total in enumerate(observations):
            news = self._increments[place].of(total)
            if news is not None:
                outcomes[place] = self._count(news)
                self._requests[place] += news.requests
        self._test.add(outcomes[0], outcomes[1])
        requests = min(self._requests)
        log_evidence = self._test.log_evidence()
        enough = requests >= self._minimum
        evidence = math.exp(min(log_evidence, _LOG_MAX))
        return Finding(enough and log_evidence >= self._log_limit, enough, evidence, self._limit, requests)
