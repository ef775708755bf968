"""Every model of the language under one import; each stands in the file of its part."""

from scenarios.defects import Defect, LatencyChange
from scenarios.distributions import Distribution, Exponential, Lognormal, Uniform
from scenarios.faults import CLIENT, Cut, Error, Fault, Kill, Latency, Link
from scenarios.functions import DEFAULT_COHORT, Function, Good
from scenarios.published import Published
from scenarios.quantities import Bound, Money
from scenarios.release import Change, Guardrail, Release
from scenarios.scenario import (
    Expect,
    FunctionExpectation,
    Measure,
    OnCall,
    Operations,
    ReleaseExpectation,
    Scenario,
)
from scenarios.strategies import BlueGreen, Canary, CanaryStep, Recreate, Rolling, Strategy
from scenarios.system import Backoff, Call, Service, Store, System

__all__ = [
    "CLIENT",
    "DEFAULT_COHORT",
    "Backoff",
    "BlueGreen",
    "Bound",
    "Call",
    "Canary",
    "CanaryStep",
    "Change",
    "Cut",
    "Defect",
    "Distribution",
    "Error",
    "Expect",
    "Exponential",
    "Fault",
    "Function",
    "FunctionExpectation",
    "Good",
    "Guardrail",
    "Kill",
    "Latency",
    "LatencyChange",
    "Link",
    "Lognormal",
    "Measure",
    "Money",
    "OnCall",
    "Operations",
    "Published",
    "Recreate",
    "Release",
    "ReleaseExpectation",
    "Rolling",
    "Scenario",
    "Service",
    "Store",
    "Strategy",
    "System",
    "Uniform",
]
