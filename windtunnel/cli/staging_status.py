"""``windtunnel staging status`` of a staging that a file describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from windtunnel.cli.output import emit_json, emit_table, emit_text

__all__ = ["show_status"]


def show_status(staging: str, services: list[str], state_dir: Path | None, *, as_json: bool) -> None:
    """The gate that a drill would have to pass, and the services named. Raises TargetRefused, StagingError."""
    from chaos.safety.targets import preflight
    from windtunnel.stagings import opened

    adapter = opened(staging, state_dir)
    target = preflight(adapter.target_url(), adapter.token(), adapter.allow)
    surface = adapter.surface
    document: list[dict[str, Any]] = [
        {
            "service": service,
            "ordered": dict(surface.ordered(service)),
            "ready": dict(surface.ready(service)),
            "routes": dict(surface.routes(service)),
            "defects": list(surface.defects(service)),
            "steering": list(surface.steering(service)),
        }
        for service in services
    ]
    if as_json:
        emit_json({"target": target.url, "addresses": target.addresses, "state_dir": str(adapter.state_dir),
                   "services": document})  # fmt: skip
        return
    emit_text(f"{target.url} ({', '.join(target.addresses)}) is this staging; state is in {adapter.state_dir}.")
    rows = [
        (each["service"], version, *(f"{each[key].get(version, 0):g}" for key in ("ordered", "ready", "routes")))
        for each in document
        for version in sorted({*each["ordered"], *each["ready"], *each["routes"]})
    ]
    if rows:
        emit_table(("SERVICE", "VERSION", "ORDERED", "READY", "SHARE"), rows)
