"""What can go wrong in the control plane.

RolloutError
└── WorldError      an action could not be carried out or confirmed in its world
"""

from __future__ import annotations

__all__ = ["RolloutError", "WorldError"]


class RolloutError(Exception):
    """Something of the control plane went wrong."""


class WorldError(RolloutError):
    """The world could not carry out or confirm an action; the controller records it and takes the release back."""
