"""What can go wrong in the simulator.

SimulatorError
 +- NetworkError   a network, or a control change to one, that makes no sense
"""


class SimulatorError(Exception):
    """Base of all the simulator's errors."""


class NetworkError(SimulatorError):
    """A network, or a control change to one, that makes no sense."""
