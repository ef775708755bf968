"""What can go wrong in the harness, one tree.

    ChaosError
    +-- StagingError            a staging environment did not do what it was told
        +-- StagingNotUp        there is no staging in this state directory
        +-- StagingAlreadyUp    there is one already
        +-- ComponentFailed     a process did not start, or died while it was starting
        +-- NotSettled          replicas or routes were not as ordered by the deadline
        +-- ToxiproxyError      the Toxiproxy server refused, or its state is not what was set
        +-- EnvoyError          Envoy's admin interface refused, or its state is not what was set
        +-- BuildFailed         a program could not be found or built
        +-- StagingUnclean      something that was to be stopped is still there
    +-- FolderUnusable          a folder of the state cannot be made or written to

Other rooms of `chaos` hang their own classes under ChaosError.
"""


class ChaosError(Exception):
    """Base of everything that the harness raises on purpose."""


class StagingError(ChaosError):
    """A staging environment did not do what it was told."""


class StagingNotUp(StagingError):
    """There is no running staging in the state directory."""


class StagingAlreadyUp(StagingError):
    """A staging runs in the state directory already."""


class ComponentFailed(StagingError):
    """A component did not start; the message ends with the tail of its log."""


class NotSettled(StagingError):
    """The environment did not reach the ordered state by the deadline."""


class ToxiproxyError(StagingError):
    """A call to Toxiproxy failed, or the state read back is not the one set."""


class EnvoyError(StagingError):
    """A call to Envoy failed, or the state read back is not the one set."""


class BuildFailed(StagingError):
    """A program is neither there nor could it be built."""


class StagingUnclean(StagingError):
    """A process that was to be stopped still runs."""


class FolderUnusable(ChaosError):
    """A folder for what the harness keeps cannot be made or written to."""
