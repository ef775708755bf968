"""run.json: what a run was, written before anything runs.

A reader needs nothing but this file to know which scenario, seed, versions and machine produced the
tables.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenarios.fidelity import Fidelity

__all__ = ["SCHEMA", "Header", "LoadFacts", "Phase", "ScenarioText", "Variant", "World"]

SCHEMA = "windtunnel-record/v1"


class World(StrEnum):
    """Where a scenario was played."""

    SIMULATION = "simulation"
    STAGING = "staging"


class Phase(StrEnum):
    """How far a record got."""

    STARTED = "started"
    RECORDED = "recorded"
    JUDGED = "judged"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenarioText(_Part):
    """The scenario as its author wrote it; `source` names the file that the text came from."""

    name: str
    text: str
    digest: str
    source: str = ""

    @classmethod
    def of(cls, name: str, text: str, source: str = "") -> ScenarioText:
        """With the SHA-256 digest of the text."""
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        return cls(name=name, text=text, digest=digest, source=source)


class LoadFacts(_Part):
    """Whether the load generator kept its schedule; a run with invalid load proves nothing.

    `lateness_p99_s` is None when nothing was sent; `problems` say why the load is not valid;
    `workers` shared it.
    """

    valid: bool
    lateness_p99_s: float | None
    lateness_bound_s: float
    problems: tuple[str, ...] = ()
    workers: int = 1


class Variant(_Part):
    """One of several scenarios compared: its label, its values by path, and the digest of the text that was varied."""

    label: str
    changes: dict[str, str]
    base: str


class Header(_Part):
    """The facts of one run. Times of the tables count from the start of its load.

    `defects` are those that the release has in every replication; None when they are drawn. `digests` are those of
    the tables and of this header, as they were when the run was recorded: what was changed since proves nothing.
    `until` is the precision that was asked for, `precise` whether it was reached with `replications`,
    `reached` how far each of them was, in words. `fidelity` is that of a simulation's data plane; a staging is real.
    """

    schema_: Literal["windtunnel-record/v1"] = Field(default="windtunnel-record/v1", alias="schema")
    run_id: str
    world: World
    scenario: ScenarioText
    strategy: str
    seed: int | None
    replications: int = Field(ge=1)
    started_at: str
    duration_s: float
    resolution_s: float = Field(gt=0)
    window_s: float = Field(gt=0)
    consecutive: int = Field(ge=1)
    edges_s: tuple[float, ...]
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None
    host: dict[str, Any]
    argv: tuple[str, ...]
    phase: Phase = Phase.STARTED
    timelines: tuple[int, ...] = ()
    defects: tuple[str, ...] | None = None
    load: LoadFacts | None = None
    digests: dict[str, str] = {}
    variant: Variant | None = None
    until: str | None = None
    precise: bool | None = None
    reached: str | None = None
    fidelity: Fidelity | None = None

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    def to_json(self) -> str:
        """The text of run.json."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @property
    def label(self) -> str:
        """What a comparison calls this run: the variant's label, else the strategy."""
        return self.strategy if self.variant is None else self.variant.label

    def digest(self) -> str:
        """SHA-256 of all facts that stay as they are once the run is recorded."""
        # Facts that came later do not count where they are absent: records of before keep their digest.
        absent = {
            name for name in ("variant", "until", "precise", "reached", "fidelity") if getattr(self, name) is None
        }
        text = self.model_dump_json(by_alias=True, exclude={"phase", "digests", *absent})
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
