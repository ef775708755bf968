"""What can go wrong with a staging's commands.

StagingError
  CommandFailed       a command could not be started, ended with another exit code than 0, or had to be killed
  AnswerNotUnderstood what a command printed is not what its verb promises
  VerbMissing         the staging file has no command for the verb
"""

from __future__ import annotations

from chaos.errors import StagingError

__all__ = ["AnswerNotUnderstood", "CommandFailed", "VerbMissing"]


class CommandFailed(StagingError):
    """A command did not do its work; the message ends with the tail of what it printed."""


class AnswerNotUnderstood(StagingError):
    """A command printed something else than its verb promises."""


class VerbMissing(StagingError):
    """The staging file has no command for this verb."""
