"""The contract check on the embedded staging: the new version dark beside the old one, asked, and gone again."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.contract.oasdiff import Breaking, DocumentInvalid, breaking
from chaos.contract.replay import Difference, calls_of, replay
from chaos.errors import ChaosError
from chaos.realise import request_of
from chaos.safety.guard import guarded
from chaos.safety.lease import Lease
from chaos.safety.target_lock import hold_target
from chaos.safety.targets import preflight
from chaos.staging.config import Defect
from chaos.staging.embedded_adapter import EmbeddedAdapter
from chaos.staging.loopback import call
from chaos.staging.shop.wire import OPENAPI_PATH
from scenarios.models import Scenario

__all__ = ["ContractBroken", "ContractReport", "check_contract"]

_DEADLINE_S = 180.0
_DEPLOY_TIMEOUT_S = 60.0


class ContractBroken(ChaosError):
    """The new version breaks its consumers; every difference is in the message."""


@dataclass(frozen=True)
class ContractReport:
    """What the new version changes for those who call it; `calls` were replayed."""

    service: str
    old: str
    new: str
    breaking: tuple[Breaking, ...]
    calls: int
    differences: tuple[Difference, ...]

    @property
    def kept(self) -> bool:
        """Whether nothing breaks."""
        return not self.breaking and not self.differences

    def lines(self) -> list[str]:
        """What breaks, one line each."""
        return [*(f"document: {each}" for each in self.breaking), *(f"replay: {each}" for each in self.differences)]

    def require_kept(self) -> None:
        """Raise ContractBroken."""
        if not self.kept:
            listed = "\n".join(f"  {line}" for line in self.lines())
            raise ContractBroken(f"{self.service} {self.new} breaks the contract of {self.old}:\n{listed}")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "service": self.service,
            "old": self.old,
            "new": self.new,
            "kept": self.kept,
            "calls_replayed": self.calls,
            "breaking": [vars(each) for each in self.breaking],
            "differences": [{"call": str(each.call), "old": each.old, "new": each.new} for each in self.differences],
        }


def check_contract(
    scenario: Scenario,
    defects: Sequence[Defect],
    adapter: EmbeddedAdapter,
    lease: Lease | None,
    say: Callable[[str], None] = lambda _: None,
) -> ContractReport:
    """Compare the versions of the scenario's change, the new one with `defects`.

    It is journalled as a release is, so that the new version goes again whatever happens. Raises ChaosError.
    """
    staging, change = adapter.staging, scenario.release.change
    service, old, new = change.service, change.old, change.new
    preflight(adapter.target_url(), adapter.token(), adapter.allow)
    drill_id = f"contract-{uuid.uuid4().hex}"
    with (
        hold_target(adapter.token()) as lock,
        guarded(adapter.surface, adapter.state_dir, drill_id, _DEADLINE_S, lease=lease, locks=[lock]) as guard,
    ):
        entry = guard.protect_release(service)
        staging.set_defects(service, new, defects)
        staging.deploy(service, new, 1, _DEPLOY_TIMEOUT_S)
        old_port, new_port = (staging.running(service, version)[0].port for version in (old, new))
        say(f"comparing the OpenAPI documents of {service} {old} and {new}")
        try:
            broken = breaking(_document(old_port), _document(new_port), say)
        except DocumentInvalid as error:
            raise ChaosError(f"{service}: {error}") from error
        functions = {
            name: (each.path, tuple(each.cohort_shares), request_of(each)) for name, each in scenario.functions.items()
        }
        calls = list(calls_of(service, functions))
        say(f"replaying {len(calls)} consumers' calls against both")
        differences = replay(calls, old_port, new_port)
        guard.heal(entry)
    return ContractReport(service, old, new, tuple(broken), len(calls), tuple(differences))


def _document(port: int) -> dict[str, Any]:
    try:
        status, text = call("GET", port, OPENAPI_PATH)
        if status == 200:
            return dict(json.loads(text))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ChaosError(f"{OPENAPI_PATH} at port {port}: {error}") from error
    raise ChaosError(f"{OPENAPI_PATH} at port {port}: status(={status}) must be 200")
