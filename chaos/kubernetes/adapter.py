"""A staging in a Kubernetes cluster behind the seam (chaos.staging.adapter)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from chaos.faults.base import FaultKind
from chaos.faults.surface import Surface
from chaos.kubernetes.api import Api
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.faults import POD_FAULTS
from chaos.kubernetes.gate import require_staging
from chaos.kubernetes.preflight import lacking
from chaos.kubernetes.surface import KubernetesSurface
from chaos.ledger import FinalRead
from chaos.staging.adapter import Hear
from chaos.staging.config import Defect
from chaos.staging.data_verbs import DataVerbs
from chaos.staging.files.described import Described
from chaos.staging.files.loading import Loaded
from scenarios.models import Scenario, Strategy

__all__ = ["KubernetesAdapter"]


class KubernetesAdapter(Described):
    """Fulfils StagingAdapter. Raises KubernetesError when the cluster is not this staging.

    At once when it does not answer, unless `patient`: an undo waits for it.
    """

    name = "kubernetes"

    def __init__(self, loaded: Loaded, state_dir: Path, patient: bool = False) -> None:
        super().__init__(loaded, state_dir)
        assert loaded.file.kubernetes is not None
        config = loaded.file.kubernetes
        kubeconfig = loaded.path.parent / Path(config.kubeconfig).expanduser()
        api = Api.connect(kubeconfig, config.context, config.namespace, patient)
        require_staging(api, config, self._file.marker.token)
        self._surface = KubernetesSurface(self._file.marker.token, api, config)

    @property
    def surface(self) -> Surface:
        """Its objects. The faults' own part is missing: none but those of pods and the release's undo is given it."""
        return cast("Surface", self._surface)

    @property
    def faults(self) -> Mapping[str, FaultKind]:
        """Those of pods."""
        return POD_FAULTS

    def lacking(self, scenario: Scenario, strategy: Strategy | None) -> Sequence[str]:
        """Rights of the account, a service that would not follow, and cohorts that its route cannot have."""
        return lacking(self._surface, scenario, strategy)

    def record_to(self, folder: Path, hear: Hear) -> None:
        """Nothing besides what the harness records of every verb."""

    def settle(self) -> None:
        """Calls of a harness that was killed died with it."""

    @property
    def data(self) -> DataVerbs | None:
        """Data is out of the adapter's sight."""
        return None

    def deploy(self, service: str, version: str, replicas: int, timeout_s: float, zones: Sequence[str] = ()) -> None:
        """Scale a Deployment; start, scale, abort or complete a Rollout. Waves over zones were refused."""
        del zones
        self._surface.deploy(service, version, replicas, timeout_s)

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """By the HTTPRoute, or as Argo Rollouts has its router do."""
        self._surface.route(service, weights, cohorts)

    def mirror(self, service: str, version: str, share: float) -> None:
        """By the HTTPRoute, to the Service that the file has for copies."""
        self._surface.mirror(service, version, share)

    def flag(self, service: str, share: float, cohorts: Sequence[str]) -> int:
        """A cluster knows of no flags."""
        raise KubernetesError(f"flag of {service}: share(={share:g}), cohorts(={list(cohorts)}): a cluster has none")

    def flag_orders(self, service: str) -> Sequence[int]:
        """There are none."""
        del service
        return ()

    def procedure(self, service: str, old: str, new: str) -> None:
        """There is none; a scenario that asks for it is refused."""
        raise KubernetesError(f"procedure of {service} from {new} to {old}: a cluster has none")

    def standing(self, service: str) -> Mapping[str, Mapping[str, int]]:
        """Nobody tells."""
        del service
        return {}

    def set_defects(self, service: str, version: str, defects: Sequence[Defect]) -> None:
        """What is wrong with a version is in its image."""
        if defects:
            names = ", ".join(defect.name for defect in defects)
            raise KubernetesError(f"defects of {service} {version}: {names}: must be in the version's image")

    def spans_folder(self) -> Path | None:
        """Its services keep their spans to themselves."""
        return None

    def dead(self) -> list[str]:
        """The API server, when it does not answer any more: then nothing could be undone."""
        lost = self._surface.api.lost()
        return [] if lost is None else [lost]

    def stores(self) -> Sequence[str]:
        """Data is out of the adapter's sight."""
        return ()

    def final_read(self, store: str, ids: Sequence[str], since: datetime) -> FinalRead:
        """There are no stores."""
        del ids, since
        raise KubernetesError(f"store(={store}): cannot be looked into")

    def differences(self) -> list[str]:
        """What is left of the release on the objects themselves."""
        return [line for service in self._surface.services for line in self._surface.steering(service)]

    def facts(self) -> Mapping[str, str]:
        """What each object is made of."""
        found: dict[str, str] = {}
        for service in self._surface.services:
            found |= self._surface.workload(service).facts()
        return found

    def declared(self) -> Mapping[str, str]:
        """What was declared is in the user's own repository."""
        return {}
