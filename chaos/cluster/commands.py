"""How each program of the control plane is called: loopback only, no leader to elect, no port that nobody needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from chaos.cluster import builds
from chaos.staging.ports import LOOPBACK

PORTS = ("etcd", "etcd-peer", "apiserver", "kubelet")
NODES = 2
NOBODY = 65534
# What is executed in a pod runs on this machine, as somebody who may do nothing: kwok asks nobody who he is.
EXEC = {
    "apiVersion": "kwok.x-k8s.io/v1alpha1",
    "kind": "ClusterExec",
    "metadata": {"name": "nobody"},
    "spec": {"execs": [{"local": {"securityContext": {"runAsUser": NOBODY, "runAsGroup": NOBODY}}}]},
}

__all__ = [
    "EXEC",
    "NOBODY",
    "NODES",
    "PORTS",
    "apiserver",
    "authority",
    "controllers",
    "etcd",
    "kubeconfig",
    "write_kubeconfig",
]


def authority(folder: Path) -> Path:
    """The certificate that vouches for the API server, which makes both at its first start."""
    return folder / "certificates" / "apiserver.crt"


def kubeconfig(folder: Path) -> Path:
    """For whoever wants to use the cluster, as its administrator."""
    return folder / "kubeconfig"


def etcd(folder: Path, ports: Mapping[str, int]) -> list[str]:
    """The store. Nothing in it outlives the cluster, so it need not wait for the disk."""
    client, peer = f"http://{LOOPBACK}:{ports['etcd']}", f"http://{LOOPBACK}:{ports['etcd-peer']}"
    return [
        str(builds.binary("etcd")),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(folder: Path, ports: Mapping[str, int]) -> list[str]:
    """The API, over TLS, for whoever has a token. It makes its key and certificate; service accounts use them too."""
    key = authority(folder).with_suffix(".key")
    return [
        str(builds.binary("kube-apiserver")),
        f"--etcd-servers=http://{LOOPBACK}:{ports['etcd']}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={ports['apiserver']}",
        f"--cert-dir={key.parent}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--anonymous-auth=false",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--kubelet-preferred-address-types=InternalIP",
        "--endpoint-reconciler-type=none",  # nobody inside of it calls the API: loopback is no pod's neighbour
    ]


def controllers(folder: Path, ports: Mapping[str, int]) -> dict[str, list[str]]:
    """What works on the API's objects, by name."""
    config = f"--kubeconfig={kubeconfig(folder)}"
    key = authority(folder).with_suffix(".key")
    alone = ["--leader-elect=false"]
    unserved = [*alone, "--secure-port=0"]
    return {
        "kube-controller-manager": [
            str(builds.binary("kube-controller-manager")),
            config,
            *unserved,
            f"--service-account-private-key-file={key}",
            f"--root-ca-file={authority(folder)}",
            # An API server that is away takes no machine down with it: pods of machines that look lost are not ready,
            # and only a kubelet would make them ready again.
            "--node-monitor-grace-period=1h",
        ],
        "kube-scheduler": [str(builds.binary("kube-scheduler")), config, *unserved],
        "kwok": [
            str(builds.binary("kwok")),
            config,
            f"--config={folder / 'stages.yaml'}",
            "--manage-all-nodes=true",
            # One that is started again leaves its nodes alone until the lease of the one before is over.
            "--node-lease-duration-seconds=8",
            # It stands for the kubelets as well, for what is executed in pods.
            f"--server-address={LOOPBACK}:{ports['kubelet']}",
            f"--node-ip={LOOPBACK}",
            # Both kinds of address, or a node that was lost loses the one that it has when it is made ready again.
            "--node-name=localhost",
            f"--node-port={ports['kubelet']}",
            f"--tls-cert-file={authority(folder)}",
            f"--tls-private-key-file={key}",
        ],
        "rollouts-controller": [
            str(builds.binary("rollouts-controller")),
            config,
            *alone,
            # It would serve both on all addresses; a port that cannot be keeps it from that, and it goes on without.
            "--metricsPort=-1",
            "--healthzPort=-1",
        ],
    }


def write_kubeconfig(folder: Path, port: int, password: str) -> None:
    """Readable for its owner alone."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "windtunnel",
        "contexts": [{"name": "windtunnel", "context": {"cluster": "windtunnel", "user": "admin"}}],
        "clusters": [
            {
                "name": "windtunnel",
                "cluster": {
                    "server": f"https://{LOOPBACK}:{port}",
                    "certificate-authority": str(authority(folder)),
                },
            }
        ],
        "users": [{"name": "admin", "user": {"token": password}}],
    }
    path = kubeconfig(folder)
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
