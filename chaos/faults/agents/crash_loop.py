"""Replicas that die again and again: killed, restarted to as many as are ordered, let live for a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from chaos.errors import StagingError
from chaos.staging.embedded import Staging

__all__ = ["play"]


def play(state_dir: Path, service: str, victims: Mapping[str, int], every_s: float) -> None:
    """Never returns."""
    staging = Staging.attach(state_dir)
    while True:
        for version, replicas in victims.items():
            try:
                live = len(staging.running(service, version))
                staging.kill(service, version, min(replicas, live))
                staging.restore(service, version)
            except StagingError as error:
                # The release may be at the same replicas; a restart that fails is a crash loop as well.
                print(f"{service} {version}: {error}", flush=True)
        time.sleep(every_s)
