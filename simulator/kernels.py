"""All kernels, compiled ahead of their first use: python -m simulator.kernels. What is on disk already stays."""

import logging

from simulator import compiling
from simulator.fluid import stages
from simulator.kernel import loop

__all__ = ["main"]

_ALL = [*loop.PARTS.values(), *stages.PARTS.values()]


def main() -> None:
    """Compile; it is told on stderr, if there is anything to do."""
    logging.basicConfig(format="set-up: %(message)s", level=logging.INFO)
    compiling.load(_ALL)


if __name__ == "__main__":
    main()
