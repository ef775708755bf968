"""Kill, in a cluster: pods are deleted at once, without grace; the platform replaces them by itself.

So the fault is over when their successors are ready, whatever duration the scenario has: the undo waits for that, and
orders the replicas anew when it does not happen.

Not modelled: the death of a machine with all its pods; a container that its kubelet restarts within the same pod.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from chaos.errors import NotSettled, StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.faults.victims import choose_victims
from chaos.kubernetes.settling import until
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

if TYPE_CHECKING:
    # Every undo knows this kind; only one in a cluster needs the client.
    from chaos.kubernetes.surface import KubernetesSurface

_GONE_TIMEOUT_S = 10.0
_REPLACED_TIMEOUT_S = 30.0

__all__ = ["POD_KILL"]


class PodKill:
    """The kind `pod-kill`: what the scenario language calls `kill`."""

    kind = "pod-kill"
    confirmed = "none of the pods runs"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The platform's own work; then the order again."""
        return (
            Rung("wait for the platform", _wait, _REPLACED_TIMEOUT_S),
            Rung("order replicas again", _order, 2 * _REPLACED_TIMEOUT_S),
        )

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Chooses the pods, by name and uid: no other one will be touched."""
        effect, cluster = fault.kill, _cluster(surface)
        assert effect is not None
        try:
            counts = choose_victims(surface, "kill", effect, context)
            chosen = {version: cluster.pods(effect.of, version)[:count] for version, count in counts.items()}
        except StagingError as error:
            raise FaultRefused(f"kill of {effect.of}: {error}") from error
        for version, count in counts.items():
            if len(chosen[version]) < count:
                raise FaultRefused(f"kill of {effect.of} {version}: {len(chosen[version])} pods run, must be {count}")
        pods = {pod["metadata"]["uid"]: pod["metadata"]["name"] for each in chosen.values() for pod in each}
        undo = {"service": effect.of, "versions": list(counts), "pods": pods}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Delete the pods."""
        for uid, name in entry.undo["pods"].items():
            _cluster(surface).api.delete_pod(name, uid)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """None of them runs."""
        try:
            until(lambda: _alive(_cluster(surface), entry), _GONE_TIMEOUT_S)
        except NotSettled as error:
            raise FaultNotConfirmed(f"kill of {entry.target}: {error}") from error

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Replicas that were ordered and are not ready."""
        return _short(_cluster(surface), entry)


def _alive(cluster: KubernetesSurface, entry: JournalEntry) -> str | None:
    for version in entry.undo["versions"]:
        for pod in cluster.pods(entry.undo["service"], version):
            if pod["metadata"]["uid"] in entry.undo["pods"]:
                return f"pod {pod['metadata']['name']} still runs"
    return None


def _short(cluster: KubernetesSurface, entry: JournalEntry) -> str | None:
    """By the pods themselves as well: right after a kill the status still counts those that are gone."""
    service = entry.undo["service"]
    ordered, ready = cluster.ordered(service), cluster.ready(service)
    for version in entry.undo["versions"]:
        count = min(ready.get(version, 0), len(cluster.pods(service, version)))
        if count < ordered.get(version, 0):
            return f"{service} {version}: {count} replicas are ready of {ordered[version]}"
    return None


def _wait(surface: Surface, entry: JournalEntry) -> None:
    until(lambda: _short(_cluster(surface), entry), _REPLACED_TIMEOUT_S)


def _order(surface: Surface, entry: JournalEntry) -> None:
    service = entry.undo["service"]
    for version, replicas in _cluster(surface).ordered(service).items():
        if version in entry.undo["versions"]:
            surface.deploy(service, version, replicas)


def _cluster(surface: Surface) -> KubernetesSurface:
    """Entries of this kind are made by that surface alone."""
    return cast("KubernetesSurface", surface)


POD_KILL = PodKill()
