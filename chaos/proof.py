"""The proof that a drill left application and data as they were: facts by name, taken before, compared after.

Facts are text: replicas, routes, defects and error shares of each service, every proxy's state, the schema, the
database's settings, and the rows that were there before the drill. What differs is named with both values. Declared
facts are those that the staging was told; where the actual ones differ before anybody did anything, there is drift, and
no baseline.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chaos.safety.errors import BaselineDrifted
from chaos.staging.adapter import StagingAdapter
from chaos.staging.facts import service_facts
from scenarios.models import Scenario, Strategy

__all__ = ["FACTS_FILE", "Facts", "Proof", "differences", "not_the_releases"]

FACTS_FILE = "facts.json"
_ROWS = "rows from before the drill"

Facts = Mapping[str, str]


def differences(found: Facts, wanted: Facts) -> list[str]:
    """A line for each fact that is not as wanted, both values in it."""
    return [
        f"{name}: {found.get(name, 'not there')}, was {wanted.get(name, 'not there')}"
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    ]


def not_the_releases(scenario: Scenario, strategy: Strategy) -> list[str]:
    """How the names of facts begin that a rollback does not answer for: what standing faults did, what it left."""
    release = scenario.release
    service = release.change.service
    names = [
        "proxy ",
        "store ",
        "errors ",
        *(f"replicas {name}" for name in scenario.system.services if name != service),
    ]
    if "redeploy" not in release.rollback and strategy.toggle is not None:
        names += [f"replicas {service}", f"routes {service}"]  # the new version stays, its flag off
    if release.migration is not None and "revert-migration" not in release.rollback:
        names += ["schema", "column ", "index "]  # expanded, it takes the old version; verify looks for that
    return names


@dataclass
class Proof:
    """The facts of one drill. `folder` is the record's: every set of facts is kept there, as JSON.

    Of the `services`, which are those released, it looks itself what runs and who answers: a staging may tell no fact.
    """

    staging: StagingAdapter
    folder: Path
    services: Sequence[str] = ()
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _taken: dict[str, Facts] = field(default_factory=dict)
    _own: set[str] = field(default_factory=set)

    def take_baseline(self) -> None:
        """The facts before anything is done. Raises BaselineDrifted when they are not those declared."""
        before = self._take("before")
        declared = self.staging.declared()
        drift = differences({name: value for name, value in before.items() if name not in self._own}, declared)
        if declared and drift:
            raise BaselineDrifted(f"the staging is not as declared: {self.staging.redact('; '.join(drift))}")

    def compare(self, moment: str, without: Collection[str] = ()) -> list[str]:
        """What differs now from before; facts whose name begins with one of `without` are not looked at."""
        prefixes = tuple(without)
        before = {name: value for name, value in self._taken["before"].items() if not name.startswith(prefixes)}
        now = {name: value for name, value in self._take(moment).items() if not name.startswith(prefixes)}
        # Compared as they are: what was one secret and is another one now has changed.
        return [self.staging.redact(line) for line in differences(now, before)]

    def _take(self, moment: str) -> Facts:
        told = self.staging.facts()
        own: dict[str, str] = {}
        for service in self.services:
            own |= service_facts(self.staging.surface, service)
        if self.staging.books is not None:
            own[_ROWS] = self.staging.books.rows_until(self.began)
        facts = {**own, **told}
        self._own = set(own) - set(told)
        self._taken[moment] = facts
        kept = {
            at: {name: self.staging.redact(fact) for name, fact in taken.items()} for at, taken in self._taken.items()
        }
        (self.folder / FACTS_FILE).write_text(json.dumps(kept, indent=1), encoding="utf-8")
        return facts
