"""What commands print, as JSON: the status of a service, counters, and which writes are in a store."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from chaos.ledger import FinalRead
from chaos.staging.commands.errors import AnswerNotUnderstood
from chaos.staging.envoy_stats import EnvoyStats

__all__ = [
    "BackupRead",
    "Counters",
    "FactsRead",
    "FailOverRead",
    "LedgerRead",
    "MigrationState",
    "ReconcileRead",
    "RestoreRead",
    "ServiceStatus",
    "WrongRead",
    "understood",
    "understood_list",
]

Counts = dict[str, Annotated[int, Field(ge=0)]]
Shares = dict[str, Annotated[float, Field(ge=0, le=1)]]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ServiceStatus(_Answer):
    """A service as it is now, by version; versions with none may be left out.

    cohorts: shares of those that are routed otherwise than the rest. mirrors: which share is copied to a version.
    steering: what else decides who answers, a line each.
    """

    ordered: Counts
    ready: Counts
    routes: Shares
    cohorts: dict[str, Shares] = {}
    mirrors: Shares = {}
    defects: dict[str, list[str]] = {}
    steering: list[str] = []


class Counters(_Answer):
    """Counters of one version of one service, which only grow.

    bounds_s: upper bounds of the histogram's buckets, in seconds, rising; the histogram has one bucket more.
    """

    service: str
    version: str
    requests: Annotated[int, Field(ge=0)]
    errors: Annotated[int, Field(ge=0)] = 0
    cancelled: Annotated[int, Field(ge=0)] = 0
    bounds_s: list[float] = []
    histogram: list[Annotated[int, Field(ge=0)]] = []

    @model_validator(mode="after")
    def _histogram_fits(self) -> Self:
        if any(low >= high for low, high in pairwise(self.bounds_s)):
            raise ValueError(f"bounds_s(={self.bounds_s}) must rise")
        if self.histogram and len(self.histogram) != len(self.bounds_s) + 1:
            raise ValueError(f"histogram(of {len(self.histogram)}) must have one bucket more than bounds_s")
        return self

    def stats(self) -> EnvoyStats:
        """As the observer takes them."""
        return EnvoyStats(
            self.service,
            self.version,
            self.requests,
            self.errors,
            self.cancelled,
            tuple(1000 * bound for bound in self.bounds_s),
            tuple(self.histogram),
        )


class LedgerRead(_Answer):
    """Which of the writes asked about are there, which more than once, and what else was written since."""

    found: list[str]
    duplicates: dict[str, Annotated[int, Field(ge=2)]] = {}
    strangers: list[str] = []

    def read(self) -> FinalRead:
        """As the ledger takes it."""
        return FinalRead(frozenset(self.found), self.duplicates, tuple(self.strangers))


class MigrationState(_Answer):
    """The last phase that the schema has seen, or `baseline`."""

    state: Literal["baseline", "expand", "backfill", "switch", "contract"]


class ReconcileRead(_Answer):
    """How many rows were put right."""

    rows: Annotated[int, Field(ge=0)]


class WrongRow(_Answer):
    """A row that is not what was acknowledged, and when it was written."""

    id: str
    written: AwareDatetime


class WrongRead(_Answer):
    """The rows that are wrong."""

    rows: list[WrongRow]


class BackupRead(_Answer):
    """As of when the backup is, and how large."""

    taken: AwareDatetime
    size_bytes: Annotated[int, Field(ge=0)]


class RestoreRead(_Answer):
    """Of when the backup was, until when writes are there now, and how many rows were read in what was restored."""

    taken: AwareDatetime
    kept: AwareDatetime
    rows: Annotated[int, Field(ge=0)]


class FailOverRead(_Answer):
    """When the last write was made that the new primary has; null when it has all."""

    kept: AwareDatetime | None


class FactsRead(RootModel[dict[str, str]]):
    """All that must be after a drill as it was before, by name."""


A = TypeVar("A", bound=BaseModel)
Redact = Callable[[str], str]


def understood(verb: str, kind: type[A], text: str, redact: Redact) -> A:
    """What the command of `verb` printed. Raises AnswerNotUnderstood, whose message is without secrets."""
    return _checked(verb, kind, _json(verb, text, redact), redact)


def understood_list(verb: str, kind: type[A], text: str, redact: Redact) -> list[A]:
    """The same for a list of answers."""
    data = _json(verb, text, redact)
    if not isinstance(data, list):
        raise AnswerNotUnderstood(f"command of {verb} printed {_shown(text, redact)}: must be a JSON list")
    return [_checked(verb, kind, each, redact) for each in data]


def _json(verb: str, text: str, redact: Redact) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise AnswerNotUnderstood(f"command of {verb} printed {_shown(text, redact)}: must be JSON: {error}") from error


def _checked(verb: str, kind: type[A], data: object, redact: Redact) -> A:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "(the whole)"
        raise AnswerNotUnderstood(
            f"command of {verb} printed {where}(={_shown(first['input'], redact)}): {first['msg']}"
        ) from None


def _shown(value: object, redact: Redact) -> str:
    text = redact(value.strip() if isinstance(value, str) else repr(value))
    return text if len(text) <= 200 else f"{text[:197]}..."
