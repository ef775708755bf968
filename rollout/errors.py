"""What can go wrong in the control plane.

RolloutError
├── WorldError      an action could not be carried out or confirmed in its world
│   └── Foreseen    the scenario said that it may go wrong so
│       └── NoWayBack   and there is nothing that people could mend
└── Rejected        a step of the release found that it must not go on
"""

from __future__ import annotations

__all__ = ["Foreseen", "NoWayBack", "Rejected", "RolloutError", "WorldError"]


class RolloutError(Exception):
    """Something of the control plane went wrong."""


class WorldError(RolloutError):
    """The world could not carry out or confirm an action; the controller records it and takes the release back."""


class Foreseen(WorldError):
    """A failure that the scenario asks for: part of what is played, and no error of the world."""


class NoWayBack(Foreseen):
    """What the step needs is gone for good: people could try it again, and it would fail again."""


class Rejected(RolloutError):
    """The step was carried out, and speaks against the release: it is taken back, with this message as the cause."""
