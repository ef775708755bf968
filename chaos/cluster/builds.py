"""The control plane's programs, built once from their Go modules into the user's cache.

Each is built through a small module of ours (modules/NAME): its go.mod pins the version and repeats the program's own
`replace` lines with published versions, since Go heeds those of the main module only; its go.sum vouches for every
dependency. The cache is keyed by both files.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos.errors import BuildFailed
from chaos.staging.go_toolchain import Go, Say, Version, locked
from chaos.staging.paths import cache_dir

MODULES = Path(__file__).with_name("modules")
# Kubernetes took 4 minutes of a quiet two-core machine; a busy one has taken more than 40.
_BUILD_TIMEOUT_S = 7_200.0

__all__ = ["BUILDS", "Build", "binary", "ensure", "manifests", "missing"]


@dataclass(frozen=True)
class Build:
    """What one module gives.

    programs: the package of each program, by the program's name here. manifests: YAML files of the module to keep.
    stamp: the variable that tells the version to the program itself.
    """

    name: str
    module: str
    programs: Mapping[str, str] = field(default_factory=dict)
    manifests: tuple[str, ...] = ()
    stamp: str | None = None

    @property
    def source(self) -> Path:
        """Our module."""
        return MODULES / self.name

    @property
    def version(self) -> str:
        """As pinned, with its v."""
        return self._pinned(rf"{re.escape(self.module)} (v\S+)$")

    @property
    def go_version_min(self) -> Version:
        """What its go.mod asks for."""
        return tuple(int(part) for part in self._pinned(r"^go (\S+)$").split("."))

    @property
    def folder(self) -> Path:
        """Where its results are cached."""
        pins = b"".join((self.source / file).read_bytes() for file in ("go.mod", "go.sum"))
        return cache_dir() / "cluster" / f"{self.name}-{self.version}-{hashlib.sha256(pins).hexdigest()[:8]}"

    def _pinned(self, pattern: str) -> str:
        found = re.search(pattern, (self.source / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
        assert found is not None, f"{self.source}/go.mod: {pattern}"
        return found[1]


BUILDS = (
    Build("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Build(
        "kubernetes",
        "k8s.io/kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        },
        stamp="k8s.io/component-base/version.gitVersion",
    ),
    Build(
        "kwok",
        "sigs.k8s.io/kwok",
        {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        tuple(
            f"kustomize/stage/{name}.yaml"
            for name in (
                "node/fast/node-initialize",
                "node/heartbeat-with-lease/node-heartbeat-with-lease",
                "pod/fast/pod-ready",
                "pod/fast/pod-complete",
                "pod/fast/pod-delete",
            )
        ),
    ),
    Build(
        "rollouts",
        "github.com/argoproj/argo-rollouts",
        {"rollouts-controller": "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"},
        tuple(
            f"manifests/crds/{name}-crd.yaml"
            for name in ("rollout", "experiment", "analysis-run", "analysis-template", "cluster-analysis-template")
        ),
    ),
    Build(
        "gateway",
        "sigs.k8s.io/gateway-api",
        manifests=tuple(
            f"config/crd/standard/gateway.networking.k8s.io_{name}.yaml"
            for name in ("gatewayclasses", "gateways", "httproutes")
        ),
    ),
)


def missing() -> tuple[Build, ...]:
    """What has not been built."""
    return tuple(build for build in BUILDS if not build.folder.is_dir())


def binary(program: str) -> Path:
    """Where a program is. Raises BuildFailed when it has not been built."""
    build = next(build for build in BUILDS if program in build.programs)
    path = build.folder / program
    if not path.is_file():
        raise BuildFailed(f"{program} {build.version} has not been built: run `make cluster`")
    return path


def manifests(name: str) -> list[Path]:
    """The YAML files of a build. Raises BuildFailed when it has not been made."""
    build = next(build for build in BUILDS if build.name == name)
    if not build.folder.is_dir():
        raise BuildFailed(f"{name} {build.version} has not been built: run `make cluster`")
    return [build.folder / Path(file).name for file in build.manifests]


def ensure(say: Say) -> None:
    """Build what is missing. Two runs at once build it once. Raises BuildFailed.

    What was compiled stays in the cache until all is built, so that a run which was cut short is gone on with.
    """
    if not missing():
        return
    root = cache_dir() / "cluster"
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / ".build.lock"):
        absent = missing()
        if not absent:
            return
        scratch = root / ".build"
        scratch.mkdir(exist_ok=True)
        go = Go.find(max(build.go_version_min for build in absent), scratch, say)
        for build in absent:
            say(f"{build.name} {build.version}: building (once)")
            began_s = time.monotonic()
            _make(go, build)
            size_mb = sum(file.stat().st_size for file in build.folder.iterdir()) / 1e6
            say(f"{build.name} {build.version}: {time.monotonic() - began_s:.0f} s, {size_mb:.0f} MB")
        shutil.rmtree(scratch)


def _make(go: Go, build: Build) -> None:
    """All of it or nothing is in the cache afterwards."""
    results = go.scratch / build.name
    results.mkdir(exist_ok=True)
    if build.programs:
        flags = "-s -w" if build.stamp is None else f"-s -w -X {build.stamp}={build.version}"
        install = ["install", "-trimpath", "-buildvcs=false", f"-ldflags={flags}", *build.programs.values()]
        go.run(install, _BUILD_TIMEOUT_S, build.source)
        for program, package in build.programs.items():
            go.installed(package).replace(results / program)
    if build.manifests:
        go.run(["mod", "download", build.module], _BUILD_TIMEOUT_S, build.source)
        module = Path(go.run(["list", "-m", "-f", "{{.Dir}}", build.module], _BUILD_TIMEOUT_S, build.source).strip())
        for file in build.manifests:
            shutil.copyfile(module / file, results / Path(file).name)
    results.replace(build.folder)
