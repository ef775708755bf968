"""A bad line: takes the packets of a port off loopback, and sends them on late, damaged, doubled, or not at all."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from chaos.faults.agents.impairment import Impairment, Line
from chaos.staging.diversion import Direction, divert, open_device, time_to_live, undivert
from chaos.staging.ports import LOOPBACK

__all__ = ["play"]

_PACKET_BYTES_MAX = 65_535 + 14
_TTL_AT = 8
_DPORT_AT = 2  # in the header after that of IP, of TCP as of UDP


def play(state_dir: Path, number: int, port: int, direction: Direction, impairment: dict[str, Any]) -> None:
    """Never returns. Ended by its time or a SIGTERM, it takes the diversion back; by SIGKILL, somebody else has to."""
    del state_dir  # all that it needs is told: it is to begin at once
    for each in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(each, _end)
    name = f"windtunnel{number}"
    device = open_device(name)
    chance = random.Random()
    lines = {way: Line(Impairment(**impairment), chance) for way in ("answers", "requests")}
    divert(number, port, direction, name)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
            _carry(device, out, port, lines)
    finally:
        undivert(number)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.exit(0)


def _carry(device: int, out: socket.socket, port: int, lines: dict[str, Line]) -> None:
    let_through = time_to_live() - 1
    while True:
        due_s = min((each for line in lines.values() if (each := line.next_s()) is not None), default=None)
        wait_s = None if due_s is None else max(0.0, due_s - time.monotonic())
        if select.select([device], [], [], wait_s)[0]:
            _take(bytearray(os.read(device, _PACKET_BYTES_MAX)), let_through, port, lines)
        now_s = time.monotonic()
        for line in lines.values():
            for packet in line.due(now_s):
                _send(out, packet)


def _take(packet: bytearray, time_to_live: int, port: int, lines: dict[str, Line]) -> None:
    if packet[0] >> 4 != 4:
        return  # the kernel's own, of IPv6
    header_bytes = (packet[0] & 0x0F) * 4
    packet[_TTL_AT] = time_to_live
    to = int.from_bytes(packet[header_bytes + _DPORT_AT : header_bytes + _DPORT_AT + 2], "big")
    lines["requests" if to == port else "answers"].take(bytes(packet), header_bytes, time.monotonic())


def _send(out: socket.socket, packet: bytes) -> None:
    try:
        out.sendto(packet, (LOOPBACK, 0))
    except OSError as error:  # no room in the kernel: it is lost, as on any line
        print(f"a packet of {len(packet)} bytes is lost: {error}", flush=True)
