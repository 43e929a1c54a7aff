"""The verdicts of a report as test cases, for builds: yes passes, no fails, undecided is skipped with its reason.

With gates named (`--gate`) these verdicts alone are the cases. The elements are those that Jenkins, GitLab and GitHub
Actions read: `testsuites`, `testsuite`, `testcase`, `failure`, `skipped`, `system-out`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # nothing is parsed

from punie.trace.model import Verdict
from punie.trace.report.inert import one_line

if TYPE_CHECKING:
    from punie.trace.report.document import Answer, Document
    from punie.trace.report.page import Page


def write(document: Document, page: Page) -> str:
    """One suite, a case a verdict."""
    cases = [answer for answer in document.answers if not page.gates or answer.slug in page.gates]
    seen = Counter(answer.verdict for answer in cases)
    counts = {
        "tests": str(len(cases)),
        "failures": str(seen[Verdict.NO]),
        "errors": "0",
        "skipped": str(seen[Verdict.UNDECIDED]),
    }
    suites = ET.Element("testsuites", {"name": "punie-trace", **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": one_line(document.title), **counts})
    for answer in cases:
        _add_case(suite, answer)
    if document.headline:
        ET.SubElement(suite, "system-out").text = one_line(document.headline)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _add_case(suite: ET.Element, answer: Answer) -> None:
    case = ET.SubElement(
        suite, "testcase", {"classname": f"punie-trace.{answer.slug}", "name": one_line(answer.question)}
    )
    said = f"{answer.verdict.value}, {one_line(str(answer.figure))}"
    reason = "\n".join(one_line(line) for line in (answer.basis, *answer.next_steps))
    if answer.verdict is Verdict.YES:
        ET.SubElement(case, "system-out").text = f"{said}\n{reason}"
        return
    element = "failure" if answer.verdict is Verdict.NO else "skipped"
    result = ET.SubElement(case, element, {"message": f"{said}: {one_line(answer.basis)}"})
    if answer.verdict is Verdict.NO:
        result.set("type", answer.verdict.value)
    result.text = reason
