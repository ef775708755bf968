"""What faults of a store need of a staging beyond its surface: the store's own servers, where it has them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from chaos.errors import StagingError
from chaos.faults.errors import FaultRefused
from chaos.faults.surface import Surface

__all__ = ["HasServers", "HasStore", "StoreServers", "servers_of"]


class StoreServers(Protocol):
    """The servers of a store: one serves, one may stand by. They are named by where they live."""

    @property
    def serving(self) -> str:
        """The one that takes the writes."""
        ...

    def other(self) -> str:
        """The one that stands by, or would."""
        ...

    def alive(self, name: str) -> bool:
        """Whether it should run, and does."""
        ...

    def streaming(self) -> bool:
        """Whether a standby receives what the serving one writes."""
        ...

    def kill(self, name: str, *, destroy: bool = False) -> None:
        """It is gone at once; with `destroy` its data too."""
        ...

    def cut_off(self) -> None:
        """The serving one runs on, and neither callers nor the standby reach it."""
        ...

    def let_back(self) -> None:
        """Whoever serves is reached again; nothing while it is."""
        ...

    def connected(self) -> bool:
        """Whether callers and the standby have a way to the serving one."""
        ...

    def bring_back(self, name: str) -> None:
        """On its own data when nobody took over, else as a standby of who did."""
        ...

    def reset(self) -> None:
        """As the staging was brought up, with the data of now."""
        ...

    def lag_s(self, limit_s: float) -> float:
        """How long a write takes to reach the standby; at most `limit_s`."""
        ...


@runtime_checkable
class HasServers(Protocol):
    """A surface of a staging with servers of its own."""

    @property
    def servers(self) -> StoreServers:
        """The servers."""
        ...


@runtime_checkable
class HasStore(Protocol):
    """A surface of a staging that can put a store's servers and schema back."""

    def store_differences(self, store: str) -> list[str]:
        """Servers and schema that are not as before the drill, one line each."""
        ...

    def reset_store(self, store: str) -> None:
        """Put servers and schema back, with the rows of now."""
        ...


def servers_of(surface: Surface) -> StoreServers:
    """The store's servers; FaultRefused when the staging has none that a fault could reach."""
    if not isinstance(surface, HasServers):
        raise FaultRefused("this staging has no servers of a store that a fault could reach")
    try:
        return surface.servers
    except StagingError as error:
        raise FaultRefused(str(error)) from error
