"""What must not be read in a record is replaced in everything that is kept of a command."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chaos.staging.files.commands import Secrets

__all__ = ["MASK", "Redactor"]

MASK = "***"


class Redactor:
    """Replaces the values of the named variables, as they are in `environment`, and what the patterns match."""

    def __init__(self, secrets: Secrets, environment: Mapping[str, str]) -> None:
        values = {environment.get(name, "") for name in secrets.env} - {""}
        # The longest first: a secret may hold another one.
        self._values = sorted(values, key=len, reverse=True)
        self._patterns = [re.compile(pattern) for pattern in secrets.patterns]

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for value in self._values:
            text = text.replace(value, MASK)
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return text
