"""What can go wrong with a run record.

EvidenceError
├── RecordError            the folder as a whole
│   ├── RecordMissingError      nothing there, or a file of the record is missing
│   ├── RecordExistsError       the folder is there already; records are never overwritten
│   ├── RecordForeignError      the folder holds something that is not a run record
│   ├── RecordTruncatedError    a file is cut short or unreadable
│   ├── RecordTooNewError       written by a later Windtunnel
│   └── RecordNotWrittenError   a file of the record cannot be written: a full disk, no permission
├── TableError             a table breaks the one schema of both worlds
└── JudgeError             the record cannot be measured, judged or compared as asked
"""

from __future__ import annotations

__all__ = [
    "EvidenceError",
    "JudgeError",
    "RecordError",
    "RecordExistsError",
    "RecordForeignError",
    "RecordMissingError",
    "RecordNotWrittenError",
    "RecordTooNewError",
    "RecordTruncatedError",
    "TableError",
]


class EvidenceError(Exception):
    """Base of every error that evidence raises for what a user or system can cause."""


class RecordError(EvidenceError):
    """A run record cannot be created, opened or read."""


class RecordMissingError(RecordError):
    """The folder or one of its files is not there."""


class RecordExistsError(RecordError):
    """The folder is there already."""


class RecordForeignError(RecordError):
    """The folder or file is not a Windtunnel run record."""


class RecordTruncatedError(RecordError):
    """A file of the record is cut short or unreadable."""


class RecordTooNewError(RecordError):
    """The record's schema is later than this Windtunnel reads."""


class RecordNotWrittenError(RecordError):
    """A file of the record cannot be written."""


class TableError(EvidenceError):
    """A table breaks the record's schema: a column, a type, a length or a value."""


class JudgeError(EvidenceError):
    """Records cannot be measured, judged or compared as asked."""
