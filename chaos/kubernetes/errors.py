"""What can go wrong with a cluster, one tree.

StagingError (chaos.errors)
+-- KubernetesError         the API refused a call or did not answer, or an object is not as it must be
    +-- NotAnswered         the API server did not answer, or cannot for the moment
    +-- ObjectMissing       there is no such object
    +-- ObjectChanged       somebody else was quicker
    +-- NotThisStaging      the namespace does not say that it is this staging, or looks like production
"""

from chaos.errors import StagingError

__all__ = ["KubernetesError", "NotAnswered", "NotThisStaging", "ObjectChanged", "ObjectMissing"]


class KubernetesError(StagingError):
    """The API server refused a call, did not answer in time, or an object is not as it must be."""


class NotAnswered(KubernetesError):
    """The API server did not answer in time, or said that it cannot for the moment."""


class ObjectMissing(KubernetesError):
    """There is no object of this name."""


class ObjectChanged(KubernetesError):
    """Somebody else changed the object between its reading and its writing."""


class NotThisStaging(KubernetesError):
    """The cluster or namespace does not say that it is this staging, or looks like production."""
