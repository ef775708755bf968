"""What is to be sent: the plan of a load, its bounds, and its JSON form for the child.

A plan is refused before anything starts when it breaks a bound. The bounds are far above what a
staging on one machine can serve; they stop a slip of the keyboard, not an honest test.
"""

import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal

from chaos.load.errors import PlanRefused
from chaos.load.target import LOOPBACK

__all__ = ["MAX_REQUESTS", "FunctionLoad", "LoadPlan", "Profile"]

MAX_REQUESTS = 500_000
MAX_RATE_PER_S = 5_000.0
MAX_DURATION_S = 3_600.0
MAX_DRAIN_S = 120.0
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
PLACEHOLDERS = ("id", "cohort", "function")
DEFAULT_COHORT = "default"

Profile = tuple[tuple[float, float], ...]
"""Piecewise-constant rate: (from_s, rate_per_s), the first from 0, times rising."""


@dataclass(frozen=True)
class FunctionLoad:
    """The load of one business function.

    body: template of the request's body; `$id`, `$cohort` and `$function` are filled in.
    cohorts: share of each named cohort; what is left over goes to cohort "default".
    timeout_s: the client's whole patience with one request, None for as long as the run lasts.
    store: the store that a request writes to; None when it writes nothing.
    headers: besides those that tell the request, its function and its cohort.
    """

    name: str
    profile: Profile
    method: str = "GET"
    path: str = "/"
    body: str | None = None
    cohorts: Mapping[str, float] = field(default_factory=dict)
    timeout_s: float | None = None
    store: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def expected_requests(self, duration_s: float) -> float:
        """Integral of the rate over the first `duration_s` seconds."""
        ends = [start for start, _ in self.profile[1:]] + [math.inf]
        return sum(
            rate * max(0.0, min(end, duration_s) - start) for (start, rate), end in zip(self.profile, ends, strict=True)
        )

    def peak_per_s(self) -> float:
        """The highest rate of the profile."""
        return max(rate for _, rate in self.profile)

    def cohort_shares(self) -> dict[str, float]:
        """Share of every cohort, "default" with the rest first; they sum to 1."""
        named = {name: share for name, share in self.cohorts.items() if name != DEFAULT_COHORT}
        return {DEFAULT_COHORT: max(0.0, 1.0 - sum(named.values())), **named}


@dataclass(frozen=True)
class LoadPlan:
    """A whole load: checked when it is made, so a plan in hand is a plan within its bounds.

    networks: in which every address of the target must lie.
    token: makes the ids of this run's requests its own; two runs of one seed send the same
        schedule and never the same ids, or the second would find the first one's writes.
    drain_s: how long to wait for answers after the last send; what is unfinished then is censored.
    """

    base_url: str
    functions: tuple[FunctionLoad, ...]
    duration_s: float
    seed: int = 0
    arrivals: Literal["poisson", "uniform"] = "poisson"
    drain_s: float = 5.0
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    networks: tuple[str, ...] = LOOPBACK

    def __post_init__(self) -> None:
        _check_plan(self)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "LoadPlan":
        """The plan of `to_json`; raises PlanRefused when it is none."""
        try:
            document: dict[str, Any] = json.loads(text)
            functions = tuple(_function(entry) for entry in document.pop("functions"))
            networks = tuple(document.pop("networks"))
            return cls(functions=functions, networks=networks, **document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PlanRefused(f"plan: not a load plan: {error}") from error


def _function(entry: Mapping[str, Any]) -> FunctionLoad:
    profile = tuple((float(start), float(rate)) for start, rate in entry["profile"])
    return FunctionLoad(**{**entry, "profile": profile})


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        raise PlanRefused(f"{name}(={value}) {rule}")


def _check_plan(plan: LoadPlan) -> None:
    names = [function.name for function in plan.functions]
    _require(bool(names), "functions", names, "must name at least one function")
    _require(len(set(names)) == len(names), "functions", names, "must be named differently")
    _require(0 < plan.duration_s <= MAX_DURATION_S, "duration_s", plan.duration_s,
             f"must be > 0 and <= {MAX_DURATION_S:g}")  # fmt: skip
    _require(0 <= plan.drain_s <= MAX_DRAIN_S, "drain_s", plan.drain_s,
             f"must be >= 0 and <= {MAX_DRAIN_S:g}")  # fmt: skip
    _require(plan.seed >= 0, "seed", plan.seed, "must be >= 0")
    _require(plan.arrivals in ("poisson", "uniform"), "arrivals", plan.arrivals,
             "must be poisson or uniform")  # fmt: skip
    _require(re.fullmatch(r"[0-9a-zA-Z-]{8,64}", plan.token) is not None, "token", plan.token,
             "must be 8 to 64 letters, digits or dashes")  # fmt: skip
    for function in plan.functions:
        _check_function(function)
    peak_per_s = sum(function.peak_per_s() for function in plan.functions)
    _require(peak_per_s <= MAX_RATE_PER_S, "rate", f"{peak_per_s:g}/s",
             f"of all functions together must be <= {MAX_RATE_PER_S:g}/s")  # fmt: skip
    expected = sum(function.expected_requests(plan.duration_s) for function in plan.functions)
    _require(expected <= MAX_REQUESTS, "requests", f"{expected:.0f}", f"must be <= {MAX_REQUESTS}")


def _check_function(function: FunctionLoad) -> None:
    where = f"functions.{function.name}"
    _require(bool(function.name), "functions.name", repr(function.name), "must not be empty")
    _check_profile(where, function.profile)
    _require(function.method in METHODS, f"{where}.method", function.method,
             f"must be one of {', '.join(METHODS)}")  # fmt: skip
    _require(re.fullmatch(r"/[!-~]*", function.path) is not None
             and not function.path.startswith("//"), f"{where}.path", repr(function.path),
             "must start with one / and hold printable ASCII only")  # fmt: skip
    for cohort, share in function.cohorts.items():
        _require(re.fullmatch(r"[\w.-]+", cohort, re.ASCII) is not None, f"{where}.cohorts",
                 repr(cohort), "must be letters, digits, dots, dashes or underscores")  # fmt: skip
        _require(0 <= share <= 1, f"{where}.cohorts.{cohort}", share, "must be within 0..1")
    total = sum(share for name, share in function.cohorts.items() if name != DEFAULT_COHORT)
    _require(total <= 1 + 1e-9, f"{where}.cohorts", f"{total:g}", "must sum to at most 1")
    _require(function.timeout_s is None or 0 < function.timeout_s <= MAX_DURATION_S,
             f"{where}.timeout_s", function.timeout_s,
             f"must be > 0 and <= {MAX_DURATION_S:g}")  # fmt: skip
    for name in re.findall(r"\$(\w*)", function.body or ""):
        _require(name in PLACEHOLDERS, f"{where}.body", f"${name}",
                 f"may use {', '.join('$' + known for known in PLACEHOLDERS)} only")  # fmt: skip


def _check_profile(where: str, profile: Sequence[tuple[float, float]]) -> None:
    _require(bool(profile) and profile[0][0] == 0, f"{where}.profile", list(profile),
             "must start at 0 s")  # fmt: skip
    starts = [start for start, _ in profile]
    _require(all(a < b for a, b in pairwise(starts)), f"{where}.profile",
             starts, "must have rising times")  # fmt: skip
    for _, rate in profile:
        _require(math.isfinite(rate) and rate >= 0, f"{where}.profile", rate,
                 "must hold rates >= 0 per second")  # fmt: skip
