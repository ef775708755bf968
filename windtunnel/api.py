"""What notebooks and programs use; the command line uses the same functions.

from windtunnel import api
scenario, source = api.load("shop-release")
outcome = api.simulate(scenario, source, replications=1000)

notebooks/ show it at work.
"""

from __future__ import annotations

from evidence.assess import assess
from evidence.beside import predicted_beside_measured
from evidence.record import RunRecord
from scenarios.loading import load
from windtunnel.drilling import drill, drill_plan
from windtunnel.reporting import Format, report
from windtunnel.showing import beside_table, rto_distribution, strategies_table, timeline
from windtunnel.simulating import compare, simulate
from windtunnel.varying import vary

__all__ = [
    "Format",
    "RunRecord",
    "assess",
    "beside_table",
    "compare",
    "drill",
    "drill_plan",
    "load",
    "predicted_beside_measured",
    "report",
    "rto_distribution",
    "simulate",
    "strategies_table",
    "timeline",
    "vary",
]
