"""What can go wrong in the simulator.

SimulatorError
 +- NetworkError   a network, or a control change to one, that makes no sense
 +- RequestError   a simulation was asked for that the scenario does not have
 +- WorkerDied     a worker process ended before its replications were done
 +- ClusterError   the workers of a Dask cluster cannot play what they are asked for
"""


class SimulatorError(Exception):
    """Base of all the simulator's errors."""


class NetworkError(SimulatorError):
    """A network, or a control change to one, that makes no sense."""


class RequestError(SimulatorError):
    """A simulation was asked for that the scenario does not have: bad input of the user."""


class WorkerDied(SimulatorError):
    """A worker process ended before its replications were done."""


class ClusterError(SimulatorError):
    """The workers of a Dask cluster have another Windtunnel than this process, or none."""
