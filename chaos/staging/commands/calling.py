"""A verb becomes a call of the user's command: told what to do, recorded without secrets, judged by its code.

What the verb is told stands in the command's environment (`WINDTUNNEL_SERVICE` ...), in its placeholders, and as
JSON on its standard input, for whichever suits the script.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos.errors import StagingUnclean
from chaos.staging.adapter import Hear
from chaos.staging.commands.errors import CommandFailed
from chaos.staging.commands.running import Ended, end_under_way, run
from chaos.staging.commands.secrets import Redactor
from chaos.staging.files.commands import PLACEHOLDERS, Command, Commands

__all__ = ["Caller"]

_TAIL_LINES = 12
_END_S, _POLL_S = 20.0, 0.02


class Caller:
    """Calls the commands of one staging. Its methods may be called from several threads."""

    def __init__(self, commands: Commands, folder: Path, state_dir: Path) -> None:
        self._commands = commands
        self._folder = folder
        self._state_dir = state_dir
        own = (command.env for command in commands.every())
        self.redact = Redactor(commands.secrets, os.environ, commands.env, *own)
        self._mutex = threading.Lock()
        self._numbers = 0
        self._at_work: Counter[str] = Counter()
        self._record: Path | None = None
        self._hear: Hear = lambda _verb, _detail: None

    def record_to(self, folder: Path, hear: Hear) -> None:
        """Keep the output of every call from now on in `folder`, and tell `hear` of it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._record, self._hear = folder, hear

    def call(self, verb: str, command: Command, told: Mapping[str, Any]) -> str:
        """What the command printed. Raises CommandFailed unless it ended with exit code 0."""
        ended = self.ask(verb, command, told)
        if ended.code != 0:
            raise CommandFailed(self.failure(verb, command, ended))
        return ended.out

    def ask(self, verb: str, command: Command, told: Mapping[str, Any], *, quiet: bool = False) -> Ended:
        """The command's end, whatever its exit code; `quiet`: kept only when the code is not 0.

        Raises CommandFailed when it could not be started or had to be killed: then it answered nothing.
        """
        words = {name: _word(value) for name, value in told.items()}
        # Longer ones, such as the ids of all writes, are on standard input alone: an environment has its limits.
        variables = {f"WINDTUNNEL_{name.upper()}": word for name, word in words.items() if len(word) <= _WORD_MAX}
        timeout_s = self.timeout_s(command)
        with self._working(verb):
            ended = run(
                command.arguments(words),
                verb=verb,
                state_dir=self._state_dir,
                folder=self._folder,
                env={
                    **os.environ,
                    **self._commands.env,
                    **command.env,
                    **variables,
                    "WINDTUNNEL_VERB": verb,
                    "WINDTUNNEL_TIMEOUT_S": f"{timeout_s:g}",
                },
                stdin=json.dumps({"verb": verb, **told}).encode() + b"\n",
                timeout_s=timeout_s,
            )
        if not quiet or ended.code != 0:
            self._keep(verb, words, ended)
        if ended.code is None:
            raise CommandFailed(self.failure(verb, command, ended))
        return ended

    def end(self, verb: str) -> None:
        """End the verb's commands that are under way; each fails for whoever waits for it. Raises StagingUnclean."""
        deadline_s = time.monotonic() + _END_S
        while self._at_work[verb]:  # also one that is only being started
            end_under_way(self._state_dir, verb)
            if time.monotonic() > deadline_s:
                raise StagingUnclean(f"command of {verb} is still at work {_END_S:g} s after it was to end")
            time.sleep(_POLL_S)

    def timeout_s(self, command: Command) -> float:
        """The longest that the command may take, in seconds."""
        return command.timeout_s or self._commands.timeout_s

    def failure(self, verb: str, command: Command, ended: Ended) -> str:
        """For people: how the command ended, and the last lines of what it printed, without secrets."""
        code = f"exit code(={ended.code}) must be 0"
        if ended.code is None:
            code = f"was killed: took longer than timeout(={self.timeout_s(command):g} s)"
        tail = self.redact(ended.err if ended.err.strip() else ended.out).splitlines()[-_TAIL_LINES:]
        printed = "".join(f"\n    {line}" for line in tail)
        return f"command of {verb} ({self.redact(command.run[0])}): {code}{printed}"

    @contextmanager
    def _working(self, verb: str) -> Iterator[None]:
        with self._mutex:
            self._at_work[verb] += 1
        try:
            yield
        finally:
            with self._mutex:
                self._at_work[verb] -= 1

    def _keep(self, verb: str, words: Mapping[str, str], ended: Ended) -> None:
        with self._mutex:
            self._numbers += 1
            name = f"{self._numbers:04}-{verb}"
        detail: dict[str, Any] = {
            **{name: self.redact(words[name]) for name in PLACEHOLDERS[verb] if name in words},
            "exit_code": ended.code,
            "duration_s": round(ended.duration_s, 3),
        }
        if self._record is not None:
            for end, text in (("out", ended.out), ("err", ended.err)):
                if text:
                    detail[end] = self._kept(self._record / f"{name}.{end}", text)
        self._hear(verb, detail)

    def _kept(self, path: Path, text: str) -> str:
        """Where the text is in the record, or why it is not: a full disk must not keep a verb from its work."""
        try:
            path.write_text(self.redact(text), encoding="utf-8")
        except OSError as error:
            return f"not kept: {error.strerror}"
        return f"{path.parent.name}/{path.name}"


_WORD_MAX = 4096


def _word(value: Any) -> str:
    """As scripts take it: `2.3=0.8 2.4=0.2` for shares, `a b` for lists, and JSON for the rest."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    if isinstance(value, dict) and value and all(isinstance(each, int | float) for each in value.values()):
        return " ".join(f"{name}={each:g}" for name, each in value.items())
    return json.dumps(value)
