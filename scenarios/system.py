"""The system that the release meets: services, stores, and who calls whom."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part
from scenarios.distributions import Distribution
from scenarios.fleets import Autoscaling, Availability, Probe
from scenarios.mechanics import Balancing, Breaker, Ejection, Quota, RetryBudget, Shedding
from scenarios.quantities import Count, PositiveCount, PositiveDurationS
from scenarios.stores import Store

__all__ = ["Backoff", "Call", "Service", "System"]


class Service(Part):
    """Replicas of a program, each with workers that serve one request at a time and a queue before them."""

    replicas: PositiveCount = 1
    workers: PositiveCount = Field(16, description="requests that one replica serves at a time")
    queue: Count | None = Field(None, description="waiting places per replica; without it, unbounded")
    startup: Distribution | None = Field(None, description="from start to readiness of a replica; without it, 0s")
    service_time: Distribution
    external: bool = Field(False, description="a third party: never deployed by us")
    holds_worker: bool = Field(True, description="a worker waits for downstream answers")
    readiness: Probe | None = Field(None, description="a replica that fails it gets no traffic until it answers")
    liveness: Probe | None = Field(None, description="a replica that fails it is killed and started again")
    autoscaling: Autoscaling | None = Field(None, description="without it, the number of replicas stays")
    availability: Availability | None = Field(None, description="of a third party; without it, always up")
    balancing: Balancing = Field("round-robin", description="how the ready replicas of a version share its requests")
    ejection: Ejection | None = Field(None, description="of replicas that fail in a row; without it, none")
    shedding: Shedding | None = Field(None, description="of requests that would wait long; without it, none")
    quota: Quota | None = Field(None, description="requests beyond it are refused; without it, all are taken")


class Backoff(Part):
    """Wait before retry k (from 0): base x 2^k, or with full jitter a uniform draw from 0 to that."""

    base_s: PositiveDurationS = Field(alias="base")
    jitter: Literal["none", "full"] = "full"


class Call(Part):
    """One service calls another or a store. Calls of one caller happen one after the other, in file order."""

    caller: Name = Field(alias="from")
    callee: Name = Field(alias="to")
    timeout_s: PositiveDurationS | None = Field(
        None, alias="timeout", description="of one attempt; without it, for as long as it takes"
    )
    retries: Count = Field(0, le=20, description="further attempts after a timeout, an error or a refusal")
    backoff: Backoff | None = None
    writes: Count = Field(0, le=1, description="rows that the store acknowledges in one call; 0 or 1")
    retry_budget: RetryBudget | None = Field(None, description="without it, every failed attempt may be retried")
    breaker: Breaker | None = Field(None, description="without it, every call is made")
    cancel: bool = Field(False, description="an attempt that timed out is cancelled, and the calls below it")
    parallel: bool = Field(False, description="it starts together with the caller's call before it")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        # `retries: 0` is meant: whoever asks what retries are worth leaves the rest of the call as it is.
        for name in ("backoff", "retry_budget"):
            if getattr(self, name) is not None and "retries" not in self.model_fields_set:
                raise ValueError(f"{name} needs retries")
        if self.cancel and self.timeout_s is None:
            raise ValueError("cancel needs a timeout")
        return self

    @property
    def name(self) -> str:
        """`caller -> callee`, as faults name it."""
        return f"{self.caller} -> {self.callee}"


class System(Part):
    """Services and stores by name, and the calls between them."""

    zones: list[Name] = Field([], description="failure domains, over which replicas are spread in turn")
    services: dict[Name, Service] = Field(min_length=1)
    stores: dict[Name, Store] = {}
    calls: list[Call] = []

    def calls_of(self, caller: str) -> list[Call]:
        """The calls that `caller` makes, in order."""
        return [call for call in self.calls if call.caller == caller]
