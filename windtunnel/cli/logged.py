"""What the simulator logs, such as that it compiles, is told as everything else is."""

import logging

from windtunnel.cli.output import say

__all__ = ["say_what_is_logged"]


class _Saying(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


_SAYING = _Saying(logging.INFO)


def say_what_is_logged() -> None:
    """From now on."""
    logger = logging.getLogger("simulator")
    logger.setLevel(logging.INFO)
    logger.addHandler(_SAYING)  # the same one is added once
