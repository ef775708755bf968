"""The rules of an HTTPRoute (Gateway API) as a drill writes and reads them: weights, cohorts' own rules, copies.

A cohort's rule is a copy of the rule that it is taken from, which asks for the header besides: of two rules that match
otherwise alike, gateways follow the one that asks for more headers. Nothing here calls the cluster.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.kubernetes.errors import KubernetesError

# As clients of a drill send it, and services pass it on.
COHORT_HEADER = "x-cohort"
# Weights are whole numbers; shares are told apart in ten-thousandths everywhere in the harness.
_WHOLE = 10_000
_TOLERANCE = 0.5 / _WHOLE
# Of an HTTPRoute, by its definition.
_RULES_MOST = 16
_MATCHES_MOST = 128
# What a rule matches that says nothing of it.
_ANY_PATH = {"path": {"type": "PathPrefix", "value": "/"}}
_MIRROR = "RequestMirror"

Rule = dict[str, Any]

__all__ = [
    "COHORT_HEADER",
    "Rule",
    "Traffic",
    "Versions",
    "beyond_limits",
    "copied",
    "read",
    "without_backend",
    "written",
]


@dataclass(frozen=True)
class Traffic:
    """Who answers a service's requests. Shares of 0 are left out everywhere.

    weights: by version (sum 1); cohorts: of those that have shares of their own; copies: the share of all requests that
    is copied, by version.
    """

    weights: Mapping[str, float]
    cohorts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    copies: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("weights", "copies"):
            object.__setattr__(self, name, _without_none(getattr(self, name)))
        object.__setattr__(self, "cohorts", {name: _without_none(each) for name, each in self.cohorts.items()})

    def __str__(self) -> str:
        """What there is of it."""
        more = {"cohorts": self.cohorts, "copies": self.copies}
        return ", ".join([f"weights {self.weights}", *(f"{what} {each}" for what, each in more.items() if each)])

    @property
    def plain(self) -> bool:
        """Whether weights alone decide."""
        return not self.cohorts and not self.copies

    def same(self, other: Traffic) -> bool:
        """As near as weights can be."""
        return (
            self.cohorts.keys() == other.cohorts.keys()
            and _near(self.weights, other.weights)
            and _near(self.copies, other.copies)
            and all(_near(shares, other.cohorts[cohort]) for cohort, shares in self.cohorts.items())
        )


@dataclass(frozen=True)
class Versions:
    """The Services of an HTTPRoute's versions: those that answer, and those that take copies."""

    route: str
    backends: Mapping[str, str]
    copies: Mapping[str, str] = field(default_factory=dict)


def written(own: list[Rule], versions: Versions, wanted: Traffic) -> list[Rule]:
    """The route's `own` rules with what is wanted in force; those that know none of the versions stay as they are.

    Raises KubernetesError when a rule sends elsewhere as well, matches on cohorts or has such copies by itself.
    """
    first, rest = list[Rule](), list[Rule]()
    for rule in own:
        if not _knows(rule, versions):
            rest.append(rule)
            continue
        _refuse_own(rule, versions, wanted)
        first += [
            _rule(_for_cohort(rule, cohort), versions, shares, wanted.copies)
            for cohort, shares in wanted.cohorts.items()
        ]
        rest.append(_rule(rule, versions, wanted.weights, wanted.copies))
    return [*first, *rest]


def read(rules: list[Rule], versions: Versions, steered: bool) -> Traffic:
    """What is in force. `steered`: cohorts' rules and copies are a drill's, else the route's own, and not looked at.

    Raises KubernetesError when rules disagree or send elsewhere: then nothing can be said about the service.
    """
    shares, copies = list[dict[str, float]](), list[dict[str, float]]()
    own: dict[str, list[dict[str, float]]] = {}
    for rule in rules:
        if _knows(rule, versions):
            cohort = _cohort(rule) if steered else None
            (shares if cohort is None else own.setdefault(cohort, [])).append(_shares(rule, versions))
            copies.append(_copies(rule, versions) if steered else {})
    where = f"HTTPRoute {versions.route}: different {{}} for {', '.join(sorted(versions.backends.values()))}"
    weights = _one(shares, where.format("weights"))
    cohorts = {cohort: _one(each, where.format(f"weights of cohort {cohort}")) for cohort, each in own.items()}
    return Traffic(weights, cohorts, _one(copies, where.format("copies")))


def copied(rules: list[Rule], versions: Versions) -> dict[str, float]:
    """The copies that a drill's rules make, also where they disagree."""
    return {version: share for rule in rules for version, share in _copies(rule, versions).items()}


def without_backend(rules: list[Rule], versions: Versions) -> Iterator[str]:
    """A line for each rule that sends to one of the versions' Services and does not name another one."""
    for index, rule in enumerate(rules):
        named = {ref["name"] for ref in rule.get("backendRefs", [])}
        missing = sorted(set(versions.backends.values()) - named)
        if missing and _knows(rule, versions):
            yield (
                f"HTTPRoute {versions.route}: spec.rules[{index}].backendRefs: must also name "
                f"{', '.join(missing)} (weight: 0)"
            )


def beyond_limits(rules: list[Rule]) -> str | None:
    """What there is more of than an HTTPRoute may have."""
    found = {"rules": (len(rules), _RULES_MOST), "matches": (sum(len(_matches(rule)) for rule in rules), _MATCHES_MOST)}
    return next((f"{have} {what}, must be at most {most}" for what, (have, most) in found.items() if have > most), None)


# -- write ------------------------------------------------------------------------------------------------------------


def _rule(rule: Rule, versions: Versions, shares: Mapping[str, float], copies: Mapping[str, float]) -> Rule:
    new = copy.deepcopy(rule)
    ports: dict[str, Any] = {}
    for version, service in versions.backends.items():
        weight = round(shares.get(version, 0.0) * _WHOLE)
        ref = next((each for each in new["backendRefs"] if each["name"] == service), None)
        if ref is not None:
            ref["weight"] = weight
            ports[version] = ref.get("port")
        elif weight:
            raise KubernetesError(f"HTTPRoute {versions.route}: a rule has no backendRef of Service {service}")
    mirrors = [_mirror(version, share, versions, ports) for version, share in copies.items()]
    if mirrors:
        new["filters"] = [*new.get("filters", []), *mirrors]
    return new


def _for_cohort(rule: Rule, cohort: str) -> Rule:
    header = {"type": "Exact", "name": COHORT_HEADER, "value": cohort}
    new = copy.deepcopy(rule)
    new.pop("name", None)  # which another rule has
    new["matches"] = [{**match, "headers": [*match.get("headers", []), header]} for match in _matches(rule)]
    return new


def _mirror(version: str, share: float, versions: Versions, ports: Mapping[str, Any]) -> Rule:
    """All of the requests without a fraction: that much every gateway can that copies at all."""
    if version not in versions.copies or version not in ports:
        raise KubernetesError(f"HTTPRoute {versions.route}: no Service takes copies for version {version}")
    to = {"group": "", "kind": "Service", "name": versions.copies[version], "port": ports[version]}
    part = {} if share >= 1.0 else {"fraction": {"numerator": round(share * _WHOLE), "denominator": _WHOLE}}
    return {"type": _MIRROR, "requestMirror": {"backendRef": to, **part}}


def _refuse_own(rule: Rule, versions: Versions, wanted: Traffic) -> None:
    """What could not be told from a drill's afterwards."""
    _shares(rule, versions)
    headers = {header["name"].lower() for match in _matches(rule) for header in match.get("headers", [])}
    if wanted.cohorts and COHORT_HEADER in headers:
        raise KubernetesError(f"HTTPRoute {versions.route}: a rule matches on the header {COHORT_HEADER} by itself")
    if wanted.copies and _copies(rule, versions):
        services = ", ".join(sorted(versions.copies.values()))
        raise KubernetesError(f"HTTPRoute {versions.route}: a rule copies to {services} by itself")


# -- read -------------------------------------------------------------------------------------------------------------


def _matches(rule: Rule) -> list[Rule]:
    return list(rule.get("matches") or [_ANY_PATH])


def _knows(rule: Rule, versions: Versions) -> bool:
    return any(ref["name"] in versions.backends.values() for ref in rule.get("backendRefs", []))


def _shares(rule: Rule, versions: Versions) -> dict[str, float]:
    ours = {service: version for version, service in versions.backends.items()}
    weights = {ref["name"]: ref.get("weight", 1) for ref in rule["backendRefs"]}
    strangers = sorted(weights.keys() - ours.keys())
    if strangers:
        raise KubernetesError(
            f"HTTPRoute {versions.route}: a rule also sends to {', '.join(strangers)}: shares cannot be told"
        )
    total = sum(weights.values())
    if not total:
        raise KubernetesError(f"HTTPRoute {versions.route}: the weights of a rule are all 0")
    return {ours[service]: weight / total for service, weight in sorted(weights.items()) if weight}


def _cohort(rule: Rule) -> str | None:
    """The cohort that a rule is for; None for one that is for all."""
    found = {
        next((header["value"] for header in match.get("headers", []) if header["name"] == COHORT_HEADER), None)
        for match in _matches(rule)
    }
    return found.pop() if len(found) == 1 else None


def _copies(rule: Rule, versions: Versions) -> dict[str, float]:
    ours = {service: version for version, service in versions.copies.items()}
    mirrors = [each["requestMirror"] for each in rule.get("filters", []) if each["type"] == _MIRROR]
    return {ours[each["backendRef"]["name"]]: _part(each) for each in mirrors if each["backendRef"]["name"] in ours}


def _part(mirror: Rule) -> float:
    if "fraction" in mirror:
        return float(mirror["fraction"]["numerator"] / mirror["fraction"].get("denominator", 100))
    return float(mirror.get("percent", 100) / 100)


def _one(found: Collection[dict[str, float]], what: str) -> dict[str, float]:
    distinct = {tuple(sorted(each.items())) for each in found}
    if len(distinct) != 1:
        raise KubernetesError(f"{what}: rules have {len(distinct)}, must have 1")
    return dict(distinct.pop())


def _without_none(shares: Mapping[str, float]) -> dict[str, float]:
    return {version: share for version, share in shares.items() if share}


def _near(found: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    return all(abs(found.get(each, 0.0) - wanted.get(each, 0.0)) <= _TOLERANCE for each in {*found, *wanted})
