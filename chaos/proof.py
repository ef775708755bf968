"""The proof that a drill left application and data as they were: facts by name, taken before, compared after.

Facts are text: replicas, routes, defects and error shares of each service, every proxy's state, the schema, the
database's settings, and the rows that were there before the drill. What differs is named with both values. Declared
facts are those that the staging was told; where the actual ones differ before anybody did anything, there is drift, and
no baseline.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chaos.safety.errors import BaselineDrifted
from chaos.staging.adapter import StagingAdapter

__all__ = ["FACTS_FILE", "Facts", "Proof", "differences"]

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


@dataclass
class Proof:
    """The facts of one drill. `folder` is the record's: every set of facts is kept there, as JSON."""

    staging: StagingAdapter
    folder: Path
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _taken: dict[str, Facts] = field(default_factory=dict)

    def take_baseline(self) -> None:
        """The facts before anything is done. Raises BaselineDrifted when they are not those declared."""
        before = self._take("before")
        declared = self.staging.declared()
        drift = differences({name: value for name, value in before.items() if name != _ROWS}, declared)
        if declared and drift:
            raise BaselineDrifted(f"the staging is not as declared: {'; '.join(drift)}")

    def compare(self, moment: str, without: Collection[str] = ()) -> list[str]:
        """What differs now from before; facts whose name begins with one of `without` are not looked at."""
        prefixes = tuple(without)
        before = {name: value for name, value in self._taken["before"].items() if not name.startswith(prefixes)}
        now = {name: value for name, value in self._take(moment).items() if not name.startswith(prefixes)}
        return differences(now, before)

    def _take(self, moment: str) -> Facts:
        facts = dict(self.staging.facts())
        if self.staging.books is not None:
            facts[_ROWS] = self.staging.books.rows_until(self.began)
        self._taken[moment] = facts
        (self.folder / FACTS_FILE).write_text(json.dumps(self._taken, indent=1), encoding="utf-8")
        return facts
