"""Nothing is done to a system that is not well: a sick baseline would be blamed on the release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaos.safety.errors import BaselineUnhealthy

__all__ = ["require_healthy"]


def require_healthy(windows: Mapping[str, Sequence[bool]], consecutive: int) -> None:
    """Refuse unless the last `consecutive` windows of every business function were good.

    `windows` maps a function's name to its windows before the release, oldest first; a window
    without data counts as not good, and so do windows that are missing. Raises BaselineUnhealthy
    naming every function at fault.
    """
    if not windows:
        raise BaselineUnhealthy("baseline: no business function was observed; no data is not good")
    faults = []
    for function, good in windows.items():
        last = good[-consecutive:]
        if len(last) < consecutive:
            faults.append(
                f"{function} had {len(last)} windows whose requests had all ended, of the {consecutive} needed"
            )
        elif not all(last):
            faults.append(f"{function} had {sum(last)} good of its last {consecutive} windows")
    if faults:
        raise BaselineUnhealthy(
            f"baseline: {'; '.join(faults)}; all {consecutive} must be good before a release starts (release.at)"
        )
