"""Python itself, and every package that windtunnel says it needs, against the versions it needs."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from windtunnel.doctor.finding import Finding, Status

__all__ = ["PYTHON_MIN", "compiled_packages", "installed_packages", "optional_packages", "python"]

PYTHON_MIN = (3, 11)
_SETUP = "run `make setup` in the project folder"
# What each optional part is for, as a reader of its absence must know.
_OPTIONAL = {
    "chaostoolkit": "faults of kind `experiment`",
    "kubernetes": "stagings in a cluster",
    "dask": "`--executor dask=ADDRESS`",
}
# Imported and not only looked up: compiled code, which a wrong platform or library breaks.
_IMPORTED = ("numpy", "numba", "pyarrow.parquet", "pydantic_core", "psycopg", "uvloop")


def python() -> Finding:
    """The interpreter's version."""
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info >= PYTHON_MIN:
        return Finding("python", Status.OK, found)
    wanted = ".".join(map(str, PYTHON_MIN))
    return Finding("python", Status.MISSING, found, f"install Python {wanted} or later")


def installed_packages() -> Iterator[Finding]:
    """One finding for the packages of each part that is always needed: core, staging."""
    try:
        requirements = _requirements()
    except metadata.PackageNotFoundError:
        yield Finding("packages", Status.MISSING, "windtunnel is not installed", _SETUP)
        return
    for part in ("core", "staging"):
        yield _part(part, [each for each in requirements if _belongs(each, part)])


def optional_packages() -> Iterator[Finding]:
    """One finding for the packages of each part that some do without: the Chaos Toolkit, Kubernetes, Dask."""
    try:
        requirements = _requirements()
    except metadata.PackageNotFoundError:
        return  # told by installed_packages
    for part, serves in _OPTIONAL.items():
        finding = _part(part, [each for each in requirements if _belongs(each, part)])
        if finding.status is Status.OK:
            yield finding
        else:
            remedy = f"`pip install 'windtunnel[{part}]'`, or do without"
            yield Finding(finding.name, Status.NOTE, f"no {serves}: {finding.found}", remedy)


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in metadata.requires("windtunnel") or []]


def _belongs(requirement: Requirement, part: str) -> bool:
    marker = requirement.marker
    if part == "core":
        return marker is None or marker.evaluate({"extra": ""})
    return marker is not None and marker.evaluate({"extra": part}) and not marker.evaluate({"extra": ""})


def _part(part: str, requirements: list[Requirement]) -> Finding:
    wrong = []
    for requirement in requirements:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name}: not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version}: must be {requirement.specifier}")
    name = f"packages ({part})"
    if wrong:
        return Finding(name, Status.MISSING, "; ".join(wrong), _SETUP)
    return Finding(name, Status.OK, f"{len(requirements)} of {len(requirements)} as needed")


def compiled_packages() -> Finding:
    """Packages that carry compiled code can be imported."""
    broken = []
    for module in _IMPORTED:
        try:
            importlib.import_module(module)
        except ImportError as error:
            broken.append(f"{module}: {error}")
    if broken:
        return Finding("compiled packages", Status.MISSING, "; ".join(broken), _SETUP)
    return Finding("compiled packages", Status.OK, f"{len(_IMPORTED)} import")
