"""Packets of one port on loopback, diverted to a process of ours: filters of `tc` on the interface lo, a TUN device.

    sender -> lo, on its way out -> filter -> TUN device -> our process -> raw socket -> lo -> receiver

What our process sends on has a shorter time to live, by which the filters let it through. Open connections are hit as
they are, both ends keep their addresses, and no server listens anywhere else: the device has no address.

The filters are on the host's own loopback: they outlive the staging, and even the process whose device they lead to
(then they swallow the packets), so whoever diverts must journal the number before. They go with the host's next start
at the latest. Needs root, `ip` and `tc`, and a kernel with TUN, clsact, u32 and mirred.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import struct
import time
from pathlib import Path
from typing import Literal

from chaos.errors import StagingError
from chaos.staging.host import run_on_host
from chaos.staging.locks import FileLock

__all__ = ["Direction", "divert", "diverted", "left", "open_device", "time_to_live", "undivert", "why_not"]

Direction = Literal["answers", "requests", "both"]

_LOOPBACK = "lo"
_TUN = Path("/dev/net/tun")
# Of one host there is one loopback, whatever stagings there are.
_LOCK = FileLock(Path("/run/windtunnel-loopback.lock"))
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
# A packet of loopback may be as large as one of IP, and as many may wait as in a socket's queue.
_DEVICE = ("mtu", "65521", "txqueuelen", "10000", "addrgenmode", "none")
# Another program's filter is added or taken away within this.
_BUSY_S = 5.0
_POLL_S = 0.02


def why_not() -> str | None:
    """Why packets cannot be diverted here; None when they can. Tried in a network namespace that ends with it."""
    if os.geteuid() != 0:
        return "it needs root"
    missing = [program for program in ("ip", "tc", "unshare") if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} must be on PATH (packages iproute2 and util-linux)"
    if not _TUN.exists():
        return f"{_TUN} must be there"
    device = "trial"
    steps = [
        ["ip", "tuntap", "add", "dev", device, "mode", "tun"],
        ["ip", "link", "set", "dev", device, *_DEVICE, "up"],
        ["tc", "qdisc", "add", "dev", _LOOPBACK, "clsact"],
        _filter(1, "sport", 1, 64, device),
    ]
    try:
        run_on_host("unshare", "--net", "sh", "-ec", "\n".join(" ".join(step) for step in steps))
    except StagingError as error:
        return f"the kernel refuses it: {error}"
    return None


def time_to_live() -> int:
    """What packets of this host leave with."""
    return int(Path("/proc/sys/net/ipv4/ip_default_ttl").read_text(encoding="ascii"))


def open_device(name: str) -> int:
    """A TUN device that is up, as a file descriptor; it is gone when that is closed. Raises StagingError, OSError."""
    descriptor = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode("ascii"), _IFF_TUN | _IFF_NO_PI))
        run_on_host("ip", "link", "set", "dev", name, *_DEVICE, "up")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def divert(number: int, port: int, direction: Direction, device: str) -> None:
    """Divert what comes from (answers) or goes to (requests) the port. Raises StagingError for a number in use."""
    with _LOCK:
        if diverted(number):
            raise StagingError(f"diversion {number}: there is one already")
        if not _has_clsact():
            run_on_host("tc", "qdisc", "add", "dev", _LOOPBACK, "clsact")
        for way, sides in (("answers", "sport"), ("requests", "dport")):
            if direction in (way, "both"):
                run_on_host(*_filter(number, sides, port, time_to_live(), device))


def diverted(number: int) -> bool:
    """Whether the filters of this number are there."""
    return number in _filters()


def left(number: int) -> str | None:
    """What is left of a diversion: its filters, or what held them and holds nothing any more."""
    with _LOCK:  # who diverts just now has what holds filters before it has filters
        if diverted(number):
            return f"filters of number {number} are on {_LOOPBACK} (tc filter show dev {_LOOPBACK} egress)"
        return f"an empty clsact is on {_LOOPBACK} (tc qdisc show dev {_LOOPBACK})" if _holds_nothing() else None


def undivert(number: int) -> None:
    """Take the filters away, and what held them when nothing else is there; none is fine. Raises StagingError."""
    with _LOCK:
        if diverted(number):
            run_on_host("tc", "filter", "del", "dev", _LOOPBACK, "egress", "pref", str(number))
        deadline_s = time.monotonic() + _BUSY_S
        while _holds_nothing():
            try:
                run_on_host("tc", "qdisc", "del", "dev", _LOOPBACK, "clsact")
            except StagingError:  # the kernel refuses it while another program is at a filter there
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_POLL_S)


def _holds_nothing() -> bool:
    return _has_clsact() and not _filters() and not _filters("ingress")


def _filter(number: int, side: str, port: int, ttl: int, device: str) -> list[str]:
    here = "127.0.0.1/32"
    return [
        "tc", "filter", "add", "dev", _LOOPBACK, "egress", "protocol", "ip", "pref", str(number), "u32",
        "match", "ip", "src", here, "match", "ip", "dst", here, "match", "ip", side, str(port), "0xffff",
        "match", "u8", str(ttl), "0xff", "at", "8",
        "action", "mirred", "egress", "redirect", "dev", device,
    ]  # fmt: skip


def _filters(side: str = "egress") -> set[int]:
    """Numbers of all filters on loopback, also of others."""
    if not _has_clsact():
        return set()
    return {
        int(entry["pref"]) for entry in json.loads(run_on_host("tc", "-json", "filter", "show", "dev", _LOOPBACK, side))
    }


def _has_clsact() -> bool:
    found = json.loads(run_on_host("tc", "-json", "qdisc", "show", "dev", _LOOPBACK))
    return any(entry["kind"] == "clsact" for entry in found)
