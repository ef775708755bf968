"""The table of checks: what `windtunnel verify` runs, in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.verification.agreement import Agreement
from simulator.verification.conservation import requests_conserved
from simulator.verification.coverage import intervals
from simulator.verification.judges import detection
from simulator.verification.kills import published_experiment, random_kills
from simulator.verification.latency import longer_calls
from simulator.verification.little import littles_law
from simulator.verification.queues import general, markovian, refusals
from simulator.verification.quota import refused_by_quota
from simulator.verification.ranks import quantile_ranks
from simulator.verification.rare_overflow import overflow
from simulator.verification.retries import independent_retries
from simulator.verification.settings import Settings
from simulator.verification.thinning import shares

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is what `--only` takes; `play` gives one or more lines."""

    name: str
    play: Callable[[Settings], list[Agreement]]


CHECKS = (
    Check("mmc", markovian),
    Check("mg1", general),
    Check("mm1k", refusals),
    Check("little", littles_law),
    Check("retries", independent_retries),
    Check("conservation", requests_conserved),
    Check("thinning", shares),
    Check("quota", refused_by_quota),
    Check("latency", longer_calls),
    Check("kills", random_kills),
    Check("krasnovsky", published_experiment),
    Check("judges", detection),
    Check("rare", overflow),
    Check("ranks", quantile_ranks),
    Check("coverage", intervals),
)
