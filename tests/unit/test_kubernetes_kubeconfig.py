"""Kubeconfigs that cannot be used are told with the file and what is wrong; the names on the way are known."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from chaos.kubernetes import kubeconfig as module
from chaos.kubernetes.errors import KubernetesError, NotThisStaging
from chaos.kubernetes.kubeconfig import read_kubeconfig
from windtunnel.cli.exits import ExitCode, exit_code_of

CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "staging",
    "contexts": [
        {"name": "staging", "context": {"cluster": "eu", "user": "drill"}},
        {"name": "other", "context": {"cluster": "us", "user": "drill"}},
    ],
    "clusters": [
        {"name": "eu", "cluster": {"server": "https://10.0.0.1:6443"}},
        {"name": "us", "cluster": {"server": "https://10.0.0.2:6443"}},
    ],
    "users": [{"name": "drill", "user": {"token": "token"}}],
}


def written(folder: Path, text: str) -> Path:
    path = folder / "kubeconfig"
    path.write_text(text)
    return path


def test_context_and_cluster_are_those_that_are_used(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(CONFIG))
    for context, names in ((None, ("staging", "eu", "https://10.0.0.1:6443")),
                           ("other", ("other", "us", "https://10.0.0.2:6443"))):  # fmt: skip
        access = read_kubeconfig(path, context)
        assert (access.context, access.cluster, access.settings.host) == names
    without_current = {key: value for key, value in CONFIG.items() if key != "current-context"}
    assert read_kubeconfig(written(tmp_path, json.dumps(without_current)), "other").cluster == "us"


def without(key: str) -> str:
    return json.dumps({name: value for name, value in CONFIG.items() if name != key})


def dangling() -> str:
    config = copy.deepcopy(CONFIG)
    config["contexts"][0]["context"]["cluster"] = "nowhere"
    return json.dumps(config)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a: [b", "while parsing a flow sequence"),
        ("[1, 2]", "is YAML of another shape"),
        (without("current-context"), "current-context"),
        (without("clusters"), "clusters"),
        (dangling(), "nowhere"),
    ],
)
def test_kubeconfig_that_cannot_be_used_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(KubernetesError, match=rf"(?s)kubeconfig {path}: .*{why}"):
        read_kubeconfig(path, None)


def test_kubeconfig_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KubernetesError, match=rf"kubeconfig {tmp_path / 'none'}: there is no such file"):
        read_kubeconfig(tmp_path / "none", None)


def test_login_program_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.3)
    config = copy.deepcopy(CONFIG)
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["2"]}
    config["users"][0]["user"] = {"exec": {**login, "interactiveMode": "Never"}}
    with pytest.raises(KubernetesError, match=r"reading kubeconfig .* did not end within 0\.3 s"):
        read_kubeconfig(written(tmp_path, json.dumps(config)), None)


@pytest.mark.parametrize("error", [KubernetesError("kubeconfig"), NotThisStaging("namespace")])
def test_cluster_that_cannot_be_drilled_in_is_bad_input(error: KubernetesError) -> None:
    assert exit_code_of(error) is ExitCode.USAGE
