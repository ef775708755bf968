"""The control plane as fixtures: one for the session, a namespace for each test."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from chaos.cluster import builds, commands, control_plane, setting_up
from chaos.kubernetes.api import Api
from chaos.kubernetes.gate import MARKER
from tests.e2e.drills import PATIENCE_S, wait_for
from tests.outliving import ended_with_us

# Of this run: no two drills may share a target, and another run may be on this machine.
TOKEN = f"staging-{secrets.token_hex(8)}"


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a control plane that ends with the session."""
    absent = ", ".join(build.name for build in builds.missing())
    if absent:
        pytest.skip(f"not built: {absent} (make cluster builds it)")
    folder = tmp_path_factory.mktemp("cluster")
    with ended_with_us(control_plane.stop, folder):
        yield control_plane.start(folder)


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[Api]:
    """A new namespace that says that it is the staging TOKEN, in a control plane that is over what a test did to it."""
    with setting_up.connected(kubeconfig) as connection:
        wait_for(lambda: setting_up.settled(connection, commands.NODES), PATIENCE_S, "nodes that take pods")
    name = f"shop-{secrets.token_hex(4)}"
    api = Api.connect(kubeconfig, None, name)
    about = client.V1ObjectMeta(name=name, annotations={MARKER: TOKEN})
    core = client.CoreV1Api(api.connection)
    core.create_namespace(client.V1Namespace(metadata=about), _request_timeout=10.0)
    try:
        yield api
    finally:
        core.delete_namespace(name, _request_timeout=10.0)
        api.connection.close()
