"""What can be wrong with a scenario, as one tree.

ScenarioError
├── ScenarioNotFound      no such file, not readable, or no such scenario in the library
├── ScenarioUnreadable    not text, not YAML, or YAML that contradicts itself
├── InvalidScenario       YAML that is no scenario: all problems found, each with file, path, value and rule
└── PathError             a path into a text, or a value to be put there, that leads nowhere
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["InvalidScenario", "PathError", "Problem", "ScenarioError", "ScenarioNotFound", "ScenarioUnreadable"]


class ScenarioError(Exception):
    """A scenario that cannot be used, by fault of its text."""


class ScenarioNotFound(ScenarioError):
    """The scenario named is neither a readable file nor in the library."""


class ScenarioUnreadable(ScenarioError):
    """The text is not YAML 1.2, or not text at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, what stands there, and the rule that it breaks."""

    source: str
    line: int | None
    path: str
    value: str
    rule: str

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line is not None else self.source
        return f"{where}: {self.path}: {self.value}: {self.rule}"


class InvalidScenario(ScenarioError):
    """The text is YAML, but not a scenario; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class PathError(ScenarioError):
    """A path that leads nowhere in a scenario's text, or a value that cannot stand there; the message says where."""
