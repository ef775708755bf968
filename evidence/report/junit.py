"""JUnit XML, so that a CI server shows every check of every run as a test case."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from evidence.report.content import RunContent
from evidence.report.run_tables import NOTHING_EXPECTED
from evidence.verdicts import Check, Status

__all__ = ["junit_xml"]


def junit_xml(runs: Sequence[RunContent]) -> str:
    """One suite a run, one case a check; inconclusive is a failure, for it is no pass, and so is nothing to judge."""
    root = ElementTree.Element("testsuites", name="windtunnel")
    for run in runs:
        # Servers take a suite without cases for one that passed.
        checks = run.verdict.checks or (Check("verdict", "run", run.verdict.status, NOTHING_EXPECTED),)
        header = run.header
        variant = "" if header.variant is None else f" {header.variant.label}"
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_legal(f"{header.scenario.name} {header.strategy}{variant} {header.world.value}"),
            timestamp=header.started_at,
            tests=str(len(checks)),
            failures=str(sum(check.status in (Status.FAIL, Status.INCONCLUSIVE) for check in checks)),
            errors=str(sum(check.status is Status.ERROR for check in checks)),
        )
        for check in checks:
            _case(suite, run, check)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, run: RunContent, check: Check) -> None:
    name = f"{check.name} of {check.subject}"
    case = ElementTree.SubElement(suite, "testcase", classname=run.header.scenario.name, name=_legal(name))
    reason = _legal(check.reason)
    if check.status is Status.PASS:
        ElementTree.SubElement(case, "system-out").text = reason
    else:
        tag = "error" if check.status is Status.ERROR else "failure"
        ElementTree.SubElement(case, tag, type=check.status.value, message=reason)


def _legal(text: str) -> str:
    """Without the control characters that XML 1.0 forbids even when escaped."""
    return "".join(char if char in "\t\n" or ord(char) >= 0x20 else "?" for char in text)
