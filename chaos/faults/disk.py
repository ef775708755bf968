"""Disk: it is full for a service, but for so much.

Where the service has a disk of its own (chaos.staging.room: payments, as root), that is made so small: a write beyond
it fails as on any full disk (ENOSPC), for all that is written there. Elsewhere each process of the service has a limit
on its files (RLIMIT_FSIZE), counted from the largest that it has open, so that others may grow up to that; a write
beyond it fails as one too large (EFBIG). The host's disk is filled by neither, and nobody else notices.

Confirmed twice: the kernel tells the size or the limits, and each process tries to write more, in vain. Not modelled: a
disk that is slow, or lies; inodes that run out; the database's, which refuses writes (the fault `read_only`), and
without room for its log, or on its standby, ends (`primary`, `standby`). Of limits: limits.py.
"""

from __future__ import annotations

from chaos.errors import StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.limits import LimitFault
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.room import PAGE_BYTES, Room
from scenarios.models import Disk, Fault

__all__ = ["DISK"]


class _FilesFault(LimitFault):
    kind = "disk"
    resource = "disk"

    def left(self, effect: Disk) -> int:
        """In whole bytes."""
        return round(effect.left_bytes)


class _RoomFault:
    """An entry has the sizes `before` and `wanted`, in bytes."""

    def plan(self, surface: Surface, service: str, effect: Disk, room: Room, context: PlanContext) -> JournalEntry:
        wanted = -(-(room.used_bytes + round(effect.left_bytes)) // PAGE_BYTES) * PAGE_BYTES
        if wanted >= room.total_bytes:
            raise FaultRefused(f"disk of {service}: {wanted} must be below the size of its disk, {room.total_bytes}")
        undo = {"service": service, "room": {"before": room.total_bytes, "wanted": wanted}}
        return new_entry(surface.token(), context.drill_id, "disk", service, undo)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        wanted, service = entry.undo["room"]["wanted"], entry.undo["service"]
        room = surface.room(service)
        if room is None or room.total_bytes != wanted:
            raise FaultNotConfirmed(f"disk of {service}: its disk is {room}, must have {wanted} bytes")
        for version in surface.running(service).values():
            for process in version:
                if surface.attempt(process, "room", wanted) is None:
                    raise FaultNotConfirmed(f"disk of {service}: process {process.pid} wrote {wanted} more, must not")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        before, service = entry.undo["room"]["before"], entry.undo["service"]
        room = surface.room(service)
        if room is None or room.total_bytes == before:
            return None
        return f"the disk of {service} has {room.total_bytes} bytes, must have {before}"


_FILES = _FilesFault()
_ROOM = _RoomFault()


class DiskFault:
    """The kind `disk`: of the service's own disk where it has one, else of its processes' files."""

    kind = "disk"
    confirmed = "the kernel says it back, and each process tries to write more in vain"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Give the room or the limits back; again, since a process may have been busy."""
        return (Rung("give room", _give, 10.0), Rung("give room again", _give, 10.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a service with no replica, more room than there is, and limits that stand already."""
        effect = fault.disk
        assert effect is not None
        try:
            room = surface.room(effect.of)
        except StagingError as error:
            raise FaultRefused(f"disk of {effect.of}: {error}") from error
        if room is None:
            return _FILES.plan(surface, fault, context)
        return _ROOM.plan(surface, effect.of, effect, room, context)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Make it small."""
        if "room" in entry.undo:
            surface.set_room(entry.undo["service"], entry.undo["room"]["wanted"])
        else:
            _FILES.apply(surface, entry)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """As the kernel has it, and as each process meets it."""
        (_ROOM if "room" in entry.undo else _FILES).confirm(surface, entry)

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """A disk that is still small, or processes that are limited."""
        return (_ROOM if "room" in entry.undo else _FILES).residue(surface, entry)


def _give(surface: Surface, entry: JournalEntry) -> None:
    if "room" in entry.undo:
        surface.set_room(entry.undo["service"], entry.undo["room"]["before"])
    else:
        _FILES.lift(surface, entry)


DISK = DiskFault()
