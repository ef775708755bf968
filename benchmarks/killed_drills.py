"""The drills that are killed, made short."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenarios.loading import read

__all__ = ["DRILLS", "Shortened"]


@dataclass(frozen=True)
class Shortened:
    """A drill of a library's scenario, made short by texts that replace others."""

    name: str
    scenario: str
    shorter: dict[str, str]

    def write(self, folder: Path) -> Path:
        """The scenario as a file in `folder`."""
        text = read(self.scenario).text
        for old, new in self.shorter.items():
            if old not in text:
                raise SystemExit(f"{self.scenario} no longer says {old!r}")
            text = text.replace(old, new)
        path = folder / f"killed-{self.name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path


_RELEASE = {
    "duration: 36s": "duration: 10s",
    "window: 3s, consecutive: 12": "window: 1s, consecutive: 3",
    "at: 10s\n": "at: 4s\n",
    "{weight: 20%}, {bake: 8s}, {weight: 60%}, {bake: 8s}": "{weight: 50%}, {bake: 6s}",
}
_LATENCY = "  - {at: 12s, for: 6s, latency: {on: checkout -> payments, add: 100ms, jitter: 20ms}}"

DRILLS = {
    each.name: each
    for each in (
        Shortened(  # a canary rolled back, with a fault of each kind at once
            "release",
            "shop-release",
            {
                **_RELEASE,
                _LATENCY: (
                    "  - {at: 4500ms, for: 4s, latency: {on: checkout -> payments, add: 50ms}}\n"
                    "  - {at: 5s, for: 4s, error: {on: catalogue, share: 10%}}\n"
                    "  - {at: 5500ms, for: 3s, kill: {of: checkout, version: any}}\n"
                    "  - {at: 6s, for: 2s, cut: {on: edge -> catalogue}}"
                ),
            },
        ),
        Shortened(  # the same under faults that are on the host itself, as root: two bad lines at once, and a full disk
            "host",
            "shop-release",
            {
                **_RELEASE,
                _LATENCY: (
                    "  - {at: 4500ms, for: 4s, packets: {on: checkout -> payments, delay: 20ms}}\n"
                    "  - {at: 5s, for: 4s, packets: {on: client -> edge, direction: both, loss: 5%}}\n"
                    "  - {at: 5500ms, for: 3s, disk: {of: payments, left: 16kB}}"
                ),
            },
        ),
        Shortened(  # the first wave of zones is rolled back, while another zone is lost
            "zones",
            "shop-zones",
            {
                "duration: 36s": "duration: 11s",
                "at: 6s\n": "at: 4s\n",
                "bake: 10s": "bake: 4s",
                "window: 4s, minimum: 30": "window: 2s, minimum: 10",
                "{at: 12s, for: 4s,": "{at: 5s, for: 4s,",
            },
        ),
        Shortened(  # the primary dies while the standby is behind; the standby takes over
            "failover",
            "shop-failover",
            {
                "duration: 30s": "duration: 11s",
                "window: 2s, consecutive: 4": "window: 1s, consecutive: 3",
                "detect: 2s": "detect: 1s",
                "at: 6s\n": "at: 4s\n",
                "{bake: 16s}": "{bake: 5s}",
                "{at: 8s, for: 12s, lag:": "{at: 4500ms, for: 4s, lag:",
                "{at: 12s, for: 8s, primary:": "{at: 6s, for: 3s, primary:",
            },
        ),
        Shortened(  # the primary is destroyed; a fresh one is made from base backup and archive
            "restore",
            "shop-restore",
            {
                "duration: 36s": "duration: 14s",
                "window: 2s, consecutive: 4": "window: 1s, consecutive: 3",
                "archive_every: 2s": "archive_every: 1s",
                "at: 6s\n": "at: 4s\n",
                "{bake: 22s}": "{bake: 8s}",
                "{at: 14s, for: 14s,": "{at: 6s, for: 6s,",
            },
        ),
        Shortened(  # expanded and filled, then rolled back, reconciled, and reverted
            "migration",
            "shop-migration",
            {
                "duration: 36s": "duration: 15s",
                "window: 2s, consecutive: 4": "window: 1s, consecutive: 3",
                "at: 6s\n": "at: 4s\n",
                "window: 4s, minimum: 20": "window: 2s, minimum: 10",
            },
        ),
        Shortened(  # deployed dark, turned on for a cohort, turned off by the kill switch
            "toggle",
            "shop-toggle",
            {
                "duration: 36s": "duration: 11s",
                "window: 3s, consecutive: 12": "window: 1s, consecutive: 3",
                "at: 10s\n": "at: 4s\n",
                "{bake: 6s}, {on: 100%}, {bake: 6s}": "{bake: 2s}, {on: 100%}, {bake: 2s}",
                "window: 5s, minimum: 30": "window: 2s, minimum: 10",
            },
        ),
    )
}
