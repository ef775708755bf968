"""Pause, in a cluster: the processes of pods stand still, by SIGSTOP from within, and go on by SIGCONT.

A hung service: its connections stay, and nothing is answered, until a probe puts the pod out of rotation or has its
container restarted. What cannot be let go on is deleted, and the platform replaces it.

Not modelled: a machine that stands still; a process that hangs in part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from chaos.errors import NotSettled, StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.faults.victims import choose_victims
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.settling import until
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

if TYPE_CHECKING:
    # Every undo knows this kind; only one in a cluster needs the client.
    from chaos.kubernetes.surface import KubernetesSurface

_STILL_TIMEOUT_S = 5.0

__all__ = ["POD_PAUSE"]


class PodPause:
    """The kind `pod-pause`: what the scenario language calls `pause`."""

    kind = "pod-pause"
    confirmed = "every process of the pods says that it stands still"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Let them go on; have the platform replace them."""
        return (Rung("continue", _continue, 30.0), Rung("replace pods", _replace, 30.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Chooses the pods; refuses one that cannot be asked or paused, or that stands still already."""
        effect, cluster = fault.pause, _cluster(surface)
        assert effect is not None
        target = cluster.pauses.get(effect.of)
        if target is None:
            raise FaultRefused(f"pause of {effect.of}: the staging file does not say which process (services.pause)")
        counts = choose_victims(surface, "pause", effect, context)
        pods: dict[str, str] = {}
        try:
            for version, count in counts.items():
                for pod in cluster.pods(effect.of, version)[:count]:
                    name = pod["metadata"]["name"]
                    pods[pod["metadata"]["uid"]] = name
                    still, there, first = cluster.standing(name, target.container, target.process)
                    if first:
                        raise FaultRefused(
                            f"pause of {effect.of}: {target.process} of pod {name} is its container's pid 1, which "
                            "the kernel shields from within (it is not with shareProcessNamespace: true)"
                        )
                    if still or not there:
                        raise FaultRefused(
                            f"pause of {effect.of}: pod {name} has {there} processes {target.process}, {still} of "
                            "them standing still; must be at least 1, and 0"
                        )
        except StagingError as error:
            raise FaultRefused(f"pause of {effect.of}: {error}") from error
        if len(pods) < effect.replicas:
            raise FaultRefused(f"pause of {effect.of}: {len(pods)} pods run, must be {effect.replicas}")
        undo = {"service": effect.of, "container": target.container, "process": target.process, "pods": pods}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """SIGSTOP."""
        for pod in _left(_cluster(surface), entry):
            _cluster(surface).signal(pod, entry.undo["container"], entry.undo["process"], "STOP")

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Every process of every pod stands still; each needs a moment to be scheduled for that."""
        try:
            until(lambda: _going_on(_cluster(surface), entry), _STILL_TIMEOUT_S)
        except NotSettled as error:
            raise FaultNotConfirmed(f"pause of {entry.target}: {error}") from error

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Pods that still stand still."""
        cluster, undo = _cluster(surface), entry.undo
        pods = [pod for pod in _left(cluster, entry) if cluster.standing(pod, undo["container"], undo["process"]).still]
        return f"{undo['service']}: pods {', '.join(pods)} stand still" if pods else None


def _going_on(cluster: KubernetesSurface, entry: JournalEntry) -> str | None:
    process, pods = entry.undo["process"], list(_left(cluster, entry))
    if len(pods) < len(entry.undo["pods"]):
        return f"{len(pods)} of {len(entry.undo['pods'])} pods are left"
    for pod in pods:
        still, there, _ = cluster.standing(pod, entry.undo["container"], process)
        if still < there or not there:
            return f"{still} of {there} processes {process} of pod {pod} stand still"
    return None


def _left(cluster: KubernetesSurface, entry: JournalEntry) -> Iterator[str]:
    """Those of its pods that are still there, this very one each; of whatever version."""
    for pod in cluster.all_pods(entry.undo["service"]):
        if pod["metadata"]["uid"] in entry.undo["pods"]:
            yield pod["metadata"]["name"]


def _continue(surface: Surface, entry: JournalEntry) -> None:
    """Every one, also when another cannot be reached."""
    cluster = _cluster(surface)
    failures: list[str] = []
    for pod in _left(cluster, entry):
        try:
            cluster.signal(pod, entry.undo["container"], entry.undo["process"], "CONT")
        except KubernetesError as error:
            failures.append(str(error))
    if failures:
        raise KubernetesError("; ".join(failures))
    until(lambda: POD_PAUSE.residue(surface, entry), _STILL_TIMEOUT_S)


def _replace(surface: Surface, entry: JournalEntry) -> None:
    for uid, name in entry.undo["pods"].items():
        _cluster(surface).api.delete_pod(name, uid)


def _cluster(surface: Surface) -> KubernetesSurface:
    """Entries of this kind are made by that surface alone."""
    return cast("KubernetesSurface", surface)


POD_PAUSE = PodPause()
