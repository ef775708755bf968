"""Which processes send a load: the one child, several workers of this machine, or workers that join from others."""

import ipaddress
from dataclasses import dataclass

from chaos.load.errors import PlanRefused

__all__ = ["ALONE", "WORKERS_MAX", "Address", "Workers"]

WORKERS_MAX = 64


@dataclass(frozen=True)
class Address:
    """A numeric address and a port. No name: it might resolve to another interface than the one that was meant."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, what: str) -> "Address":
        """Of `HOST:PORT`; `what` names it in the error. Raises PlanRefused."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            colon = ""
        if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
            raise PlanRefused(f"{what}(={text}) must be a numeric address and a port, such as 127.0.0.1:5557")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Workers:
    """How many workers share the schedule.

    join_at: where a master waits for workers that were started elsewhere; None: they are started here.
    """

    count: int = 1
    join_at: Address | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.count <= WORKERS_MAX:
            raise PlanRefused(f"--load-workers(={self.count}) must be 1..{WORKERS_MAX}")

    @property
    def alone(self) -> bool:
        """Whether one child sends everything by itself, without a master."""
        return self.count == 1 and self.join_at is None


ALONE = Workers()
"""One child sends everything."""
