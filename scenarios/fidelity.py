"""How closely the simulator's data plane looks at requests."""

from typing import Literal

__all__ = ["Fidelity"]

Fidelity = Literal["requests", "fluid"]
"""Request by request, or as flows of many with drawn counts."""
