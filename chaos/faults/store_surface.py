"""What faults and their undo need of a database, past the links that clients use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["StoreSurface"]


class StoreSurface(Protocol):
    """One store. All calls block, have their own time limits, and raise StagingError."""

    def free_connections(self) -> int:
        """How many connections it still takes, tried by opening one."""
        ...

    def refuses_writes(self) -> bool:
        """Whether a write, tried and rolled back, is refused as one in a read-only transaction."""
        ...

    def read_only(self) -> bool:
        """Whether it is set so."""
        ...

    def set_read_only(self, on: bool) -> None:
        """Set it for all transactions that begin from now on."""
        ...

    def locks(self) -> Mapping[str, str]:
        """Tables by the name of the fault that locks them."""
        ...

    def lock(self, name: str, table: str) -> None:
        """Lock a table against everything, beyond the end of the caller."""
        ...

    def unlock(self, name: str) -> None:
        """Give that lock back; one that is not there is fine."""
        ...

    def is_locked(self, table: str) -> bool:
        """Whether a writer's lock, tried without waiting, is refused."""
        ...

    def columns(self, table: str) -> set[str]:
        """The names of a table's columns; none when there is no such table."""
        ...

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Rename one."""
        ...
