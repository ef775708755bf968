"""Every model of the language under one import; each stands in the file of its part."""

from scenarios.calendar import Blackout, Calendar, Freeze
from scenarios.clock import Hours
from scenarios.database_faults import CorruptedMigration, Exhaustion, Lock, ReadOnly
from scenarios.defects import Defect, LatencyChange, Peer
from scenarios.distributions import Distribution, Exponential, Lognormal, Uniform
from scenarios.drills import Drill, Stop
from scenarios.experiments import Experiment
from scenarios.faults import CLIENT, Cut, Error, Fault, Kill, Latency, Link, Zone
from scenarios.fidelity import Fidelity
from scenarios.fleets import Autoscaling, Availability, Probe
from scenarios.functions import DEFAULT_COHORT, Function, Good
from scenarios.guardrails import Guardrail, guardrail_labels
from scenarios.judges import BurnRate, MannWhitney, Sequential
from scenarios.mechanics import Breaker, Ejection, Quota, RetryBudget, Shedding
from scenarios.migration import Backfill, BadData, Migration, Reconcile, Repair
from scenarios.network_faults import Bandwidth, LimitData, Packets, Reset, Slicer, SlowClose, Timeout, ToxicPart
from scenarios.people import (
    Approval,
    Escalation,
    Notice,
    OnCall,
    OutOfHours,
    Person,
    Suppression,
    TicketAlarm,
    Tickets,
)
from scenarios.process_faults import Configuration, CrashLoop, Outage, Pause, SlowStart, ThirdPartyQuota, VictimsPart
from scenarios.profiles import LoadStep, MonthEnd, Peak, Profile
from scenarios.published import Published
from scenarios.quantities import Bound, Money
from scenarios.release import Change, Release
from scenarios.resource_faults import Cpu, Descriptors, Disk, Memory
from scenarios.rollback_risks import RollbackRisk, Worse
from scenarios.router_faults import Delay
from scenarios.scenario import (
    Expect,
    FunctionExpectation,
    Measure,
    Operations,
    ReleaseExpectation,
    Scenario,
)
from scenarios.store_faults import Lag, Primary, Standby
from scenarios.stores import Backup, Failover, Store
from scenarios.strategies import BlueGreen, Canary, Recreate, Rolling, Strategy, Toggle, Waves
from scenarios.strategy_steps import Analysis, CanaryStep, Gates, ToggleStep
from scenarios.system import Backoff, Call, Service, System

__all__ = [
    "CLIENT",
    "DEFAULT_COHORT",
    "Analysis",
    "Approval",
    "Autoscaling",
    "Availability",
    "Backfill",
    "Backoff",
    "Backup",
    "BadData",
    "Bandwidth",
    "Blackout",
    "BlueGreen",
    "Bound",
    "Breaker",
    "BurnRate",
    "Calendar",
    "Call",
    "Canary",
    "CanaryStep",
    "Change",
    "Configuration",
    "CorruptedMigration",
    "Cpu",
    "CrashLoop",
    "Cut",
    "Defect",
    "Delay",
    "Descriptors",
    "Disk",
    "Distribution",
    "Drill",
    "Ejection",
    "Error",
    "Escalation",
    "Exhaustion",
    "Expect",
    "Experiment",
    "Exponential",
    "Failover",
    "Fault",
    "Fidelity",
    "Freeze",
    "Function",
    "FunctionExpectation",
    "Gates",
    "Good",
    "Guardrail",
    "Hours",
    "Kill",
    "Lag",
    "Latency",
    "LatencyChange",
    "LimitData",
    "Link",
    "LoadStep",
    "Lock",
    "Lognormal",
    "MannWhitney",
    "Measure",
    "Memory",
    "Migration",
    "Money",
    "MonthEnd",
    "Notice",
    "OnCall",
    "Operations",
    "OutOfHours",
    "Outage",
    "Packets",
    "Pause",
    "Peak",
    "Peer",
    "Person",
    "Primary",
    "Probe",
    "Profile",
    "Published",
    "Quota",
    "ReadOnly",
    "Reconcile",
    "Recreate",
    "Release",
    "ReleaseExpectation",
    "Repair",
    "Reset",
    "RetryBudget",
    "RollbackRisk",
    "Rolling",
    "Scenario",
    "Sequential",
    "Service",
    "Shedding",
    "Slicer",
    "SlowClose",
    "SlowStart",
    "Standby",
    "Stop",
    "Store",
    "Strategy",
    "Suppression",
    "System",
    "ThirdPartyQuota",
    "TicketAlarm",
    "Tickets",
    "Timeout",
    "Toggle",
    "ToggleStep",
    "ToxicPart",
    "Uniform",
    "VictimsPart",
    "Waves",
    "Worse",
    "Zone",
    "guardrail_labels",
]
