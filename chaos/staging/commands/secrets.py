"""What must not be read in a record is replaced in everything that is kept of a command."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from chaos.staging.files.commands import Secrets

__all__ = ["MASK", "Redactor"]

MASK = "***"


class Redactor:
    """Replaces the values of the named variables in all of the environments, and what the patterns match."""

    def __init__(self, secrets: Secrets, *environments: Mapping[str, str]) -> None:
        found = {environment[name] for environment in environments for name in secrets.env if name in environment}
        values = {written for value in found for written in _written(value)} - {""}
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


def _written(value: str) -> Iterator[str]:
    """As it stands, and as JSON, addresses and Kubernetes write it; of several lines, such as a key, each one."""
    yield value
    yield from value.splitlines()
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    yield base64.b64encode(value.encode()).decode()
