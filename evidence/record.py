"""A run record on disk: a folder written early and judged later.

Header first, then tables, then the verdict; each file appears whole or not at all (written beside,
fsynced, renamed). While a run lasts, its events go to a journal line by line, so that a run that
dies leaves its timeline up to then. Nothing is ever overwritten by another run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from evidence import schema
from evidence.errors import (
    RecordError,
    RecordExistsError,
    RecordForeignError,
    RecordMissingError,
    RecordNotWrittenError,
    RecordTooNewError,
    RecordTruncatedError,
    TableError,
)
from evidence.events import Event, ordered
from evidence.header import SCHEMA, Header, LoadFacts, Phase, World
from evidence.measures import FunctionMeasure
from evidence.requests import requests_to_arrow
from evidence.spans import SPANS, Span, spans_from_arrow, spans_to_arrow
from evidence.tables import Ledger, Samples

__all__ = ["RunRecord"]

_HEADER = "run.json"
_TABLES = ("events", "samples", "ledger", "measures", "spans", "requests")
_JOURNAL = "events.jsonl"
_FAMILY, _, _VERSION = SCHEMA.partition("/v")


class RunRecord:
    """One run's folder. `header` is what run.json says now."""

    def __init__(self, folder: Path, header: Header) -> None:
        self.folder = folder
        self.header = header

    @classmethod
    def create(cls, folder: Path, header: Header) -> RunRecord:
        """Make the folder and write run.json; RecordExistsError when the folder is there."""
        try:
            folder.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            raise RecordExistsError(f"{folder}: is there already; a run record is never overwritten") from None
        except OSError as error:
            raise RecordError(f"{folder}: cannot be made: {error.strerror}") from error
        record = cls(folder, header)
        record._write_header(header)
        return record

    @classmethod
    def create_in(cls, runs: Path, header: Header) -> RunRecord:
        """Create in `runs` under the run's id; -2, -3, ... is added while that is taken."""
        for attempt in range(1, 1000):
            run_id = header.run_id if attempt == 1 else f"{header.run_id}-{attempt}"
            try:
                return cls.create(runs / run_id, header.model_copy(update={"run_id": run_id}))
            except RecordExistsError:
                continue
        raise RecordExistsError(f"{runs / header.run_id}: taken 999 times over")

    @classmethod
    def open(cls, folder: Path) -> RunRecord:
        """Open a record; a RecordError says what is missing, cut, foreign or too new."""
        path = folder / _HEADER
        if not folder.is_dir():
            raise RecordMissingError(f"{folder}: no such run record")
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise RecordForeignError(f"{folder}: not a run record, it has no {_HEADER}") from None
        except (UnicodeDecodeError, OSError) as error:
            raise RecordForeignError(f"{path}: not a run record: {error}") from error
        return cls(folder, _parse_header(path, text))

    @property
    def complete(self) -> bool:
        """Whether the run came to its end and all of its tables are there."""
        return self.header.phase is not Phase.STARTED

    # -- writing

    def append(self, event: Event) -> None:
        """Add one event to the journal of a run in progress; on disk when this returns."""
        path = self.folder / _JOURNAL
        try:
            with path.open("a", encoding="utf-8") as journal:
                journal.write(event.to_json() + "\n")
                journal.flush()
                os.fsync(journal.fileno())
        except OSError as error:
            raise RecordNotWrittenError(f"{path}: cannot be written: {error.strerror or error}") from error

    def write_events(self, events: Sequence[Event]) -> None:
        """Write events.parquet, ordered; the journal is no longer needed."""
        self._write_table("events", schema.events_to_arrow(ordered(events)))
        (self.folder / _JOURNAL).unlink(missing_ok=True)

    def write_samples(self, samples: Samples) -> None:
        """Write samples.parquet."""
        bins = len(self.header.edges_s) + 1
        if samples.latency.shape[1:] != (bins,):
            raise TableError(f"samples column latency is {samples.latency.shape}, must be (rows, {bins})")
        self._write_table("samples", schema.samples_to_arrow(samples))

    def write_ledger(self, ledger: Ledger) -> None:
        """Write ledger.parquet."""
        self._write_table("ledger", schema.ledger_to_arrow(ledger))

    def write_measures(self, measures: Sequence[FunctionMeasure]) -> None:
        """Write measures.parquet."""
        self._write_table("measures", schema.measures_to_arrow(measures))

    def write_spans(self, spans: Sequence[Span]) -> None:
        """Write spans.parquet."""
        self._write_table("spans", spans_to_arrow(spans))

    def write_requests(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Write requests.parquet: the raw samples of a drill's load, for whoever wants to look closer."""
        self._write_table("requests", requests_to_arrow(columns))

    def recorded(
        self,
        *,
        timelines: Sequence[int] = (0,),
        load: LoadFacts | None = None,
        replications: int | None = None,
        precise: bool | None = None,
        reached: str | None = None,
    ) -> None:
        """Move to phase recorded.

        `timelines` are the replications whose events, samples and ledger are kept; `replications` how many there are,
        where that was not known before, and `precise` whether they are as precise as was asked for, `reached` how
        precise. Raises RecordMissingError when events, samples or ledger have not been written.
        """
        for name in ("events", "samples", "ledger"):
            if not (self.folder / f"{name}.parquet").exists():
                raise RecordMissingError(f"{self.folder}: {name}.parquet must be written before phase recorded")
        update: dict[str, Any] = {"phase": Phase.RECORDED, "timelines": tuple(timelines), "load": load}
        update |= {"precise": precise, "reached": reached, "replications": replications or self.header.replications}
        header = self.header.model_copy(update=update)
        self._write_header(header.model_copy(update={"digests": self._digests(header)}))

    def judged(self, verdict: Mapping[str, Any]) -> None:
        """Write verdict.json; only a complete record moves to phase judged."""
        _write_whole(self.folder / "verdict.json", json.dumps(verdict, indent=2) + "\n")
        if self.complete:
            self._write_header(self.header.model_copy(update={"phase": Phase.JUDGED}))

    # -- reading

    def events(self) -> list[Event]:
        """The timeline, in order; of an unfinished run, what its journal holds."""
        if (self.folder / "events.parquet").exists():
            return schema.events_from_arrow(self._read_table("events"))
        return self._read_journal()

    def samples(self) -> Samples:
        """samples.parquet."""
        return schema.samples_from_arrow(self._read_table("samples"), len(self.header.edges_s) + 1)

    def ledger(self) -> Ledger:
        """ledger.parquet."""
        return schema.ledger_from_arrow(self._read_table("ledger"))

    def measures(self) -> list[FunctionMeasure]:
        """measures.parquet."""
        return schema.measures_from_arrow(self._read_table("measures"))

    def spans(self) -> list[Span]:
        """spans.parquet; none where a staging leaves none, and of a simulation."""
        if not self.has("spans"):
            return []
        return spans_from_arrow(schema.check(self._read_table("spans"), SPANS, "spans"))

    def measure_columns(self) -> tuple[str, ...]:
        """Names of the columns of measures.parquet: a record of before has fewer."""
        return tuple(self._read_table("measures").schema.names)

    def has(self, table: str) -> bool:
        """Whether the table (events, samples, ledger, measures, spans, requests) has been written."""
        return (self.folder / f"{table}.parquet").exists()

    def verdict(self) -> dict[str, Any] | None:
        """verdict.json, None while the record has not been judged."""
        path = self.folder / "verdict.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
            raise RecordTruncatedError(f"{path}: cut short or unreadable: {error}") from error
        if not isinstance(found, dict):
            raise RecordForeignError(f"{path}: must be a JSON object, is {type(found).__name__}")
        return found

    def altered(self) -> list[str]:
        """Which of `header` and the tables are not what they were when the run was recorded."""
        now = self._digests(self.header)
        return [name for name, digest in self.header.digests.items() if now.get(name) != digest]

    # -- files

    def _digests(self, header: Header) -> dict[str, str]:
        """Of what is written once: a drill's measures are written anew whenever it is judged."""
        names = [name for name in _TABLES if name != "measures" or header.world is World.SIMULATION]
        paths = {name: self.folder / f"{name}.parquet" for name in names}
        try:
            tables = {
                name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
                for name, path in paths.items()
                if path.exists()
            }
        except OSError as error:
            raise RecordTruncatedError(f"{error.filename}: unreadable: {error.strerror}") from error
        return {"header": header.digest(), **tables}

    def _write_header(self, header: Header) -> None:
        _write_whole(self.folder / _HEADER, header.to_json())
        self.header = header

    def _write_table(self, name: str, table: pa.Table) -> None:
        with _whole(self.folder / f"{name}.parquet") as file:
            pq.write_table(table, file, compression="zstd")

    def _read_table(self, name: str) -> pa.Table:
        path = self.folder / f"{name}.parquet"
        if not path.exists():
            raise RecordMissingError(f"{path}: missing (the record is in phase {self.header.phase.value})")
        try:
            with pq.ParquetFile(path) as file:  # pq.read_table would import datasets and pandas
                return file.read()
        except (pa.ArrowInvalid, OSError) as error:
            raise RecordTruncatedError(f"{path}: cut short or unreadable: {error}") from error

    def _read_journal(self) -> list[Event]:
        path = self.folder / _JOURNAL
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        # A run that died in the middle of a line leaves it without its end: that event never
        # happened.
        whole = [line for line in lines if line.endswith("\n")]
        try:
            return ordered(Event.from_json(line) for line in whole)
        except (ValueError, KeyError, TypeError) as error:
            raise RecordTruncatedError(f"{path}: a line is broken: {error}") from error


def _parse_header(path: Path, text: str) -> Header:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordTruncatedError(f"{path}: cut short or unreadable: {error}") from error
    name = found.get("schema") if isinstance(found, dict) else None
    family, _, version = str(name).partition("/v")
    if family != _FAMILY or not version.isdecimal():
        raise RecordForeignError(f"{path}: schema is {name!r}, must be {SCHEMA!r}")
    if int(version) > int(_VERSION):
        raise RecordTooNewError(f"{path}: schema is {name!r}, readable up to {SCHEMA!r}")
    try:
        return Header.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordForeignError(f"{path}: {where}: {first['msg']}") from error


def _write_whole(path: Path, text: str) -> None:
    with _whole(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at `path` when all of it is on disk, and not at all when it cannot be written."""
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _rename(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise RecordNotWrittenError(f"{path}: cannot be written: {error.strerror or error}") from error


def _rename(beside: Path, path: Path) -> None:
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
