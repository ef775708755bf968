"""A kubeconfig, as kubectl reads it: how to reach a cluster, and what the way there is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubernetes import client
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
from yaml import YAMLError  # type: ignore[import-untyped]

from chaos.kubernetes.errors import KubernetesError
from chaos.safety.bounded import StepTimeout, run_bounded

# It may run a login program, which asks a server of its own.
_TIMEOUT_S = 30.0

__all__ = ["Access", "read_kubeconfig"]


@dataclass(frozen=True)
class Access:
    """The settings of a client, and the names of the context and of its cluster."""

    settings: client.Configuration
    context: str
    cluster: str


def read_kubeconfig(path: Path, context: str | None) -> Access:
    """By the named context, else the current one. Raises KubernetesError when it cannot be used."""
    try:
        return run_bounded(lambda: _read(path, context), _TIMEOUT_S, f"reading kubeconfig {path}")
    except (TypeError, AttributeError) as error:  # the client looks into whatever YAML it finds
        raise KubernetesError(f"kubeconfig {path}: is YAML of another shape: {error}") from error
    except (ConfigException, StepTimeout, OSError, YAMLError, ValueError) as error:
        raise KubernetesError(f"kubeconfig {path}: {error}") from error


def _read(path: Path, name: str | None) -> Access:
    found = KubeConfigMerger(str(path)).config  # type: ignore[no-untyped-call]
    if found is None:
        raise ConfigException("there is no such file")
    loader = KubeConfigLoader(found, active_context=name, config_base_path=None)  # type: ignore[no-untyped-call]
    settings = client.Configuration()
    loader.load_and_set(settings)  # type: ignore[no-untyped-call]
    settings.retries = 0  # else the time limit of a call is none
    chosen = loader.current_context
    return Access(settings, str(chosen["name"]), str(chosen["context"]["cluster"]))
