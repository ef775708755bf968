"""What can be wrong with a staging file.

ChaosError
  StagingFileError
    StagingFileUnreadable  no such file, not readable, or no YAML
    InvalidStagingFile     YAML that is no staging: every problem, each with file, line, path, value and rule
"""

from __future__ import annotations

from chaos.errors import ChaosError
from scenarios.errors import Problem

__all__ = ["InvalidStagingFile", "StagingFileError", "StagingFileUnreadable"]


class StagingFileError(ChaosError):
    """A staging file that cannot be used, by fault of its text."""


class StagingFileUnreadable(StagingFileError):
    """The file cannot be read, or is not YAML."""


class InvalidStagingFile(StagingFileError):
    """The text is YAML, but not a staging; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))
