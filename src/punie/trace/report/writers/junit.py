"""The verdicts of a report as test cases, for builds; a build fails here if and only if it fails by the exit code.

With gates named (`--gate`) these verdicts alone are the cases: yes passes, no fails, undecided is skipped with its
reason. Without gates nothing fails: `generation: no` is no fault of anybody's, so a no is skipped with its reason too.
The elements are those that Jenkins, GitLab and GitHub Actions read: `testsuites`, `testsuite`, `testcase`, `failure`,
`skipped`, `system-out`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # nothing is parsed

from punie.trace.model import Verdict
from punie.trace.report.document import NOTHING_TO_JUDGE
from punie.trace.report.inert import one_line

if TYPE_CHECKING:
    from collections.abc import Collection

    from punie.trace.report.document import Answer, Document
    from punie.trace.report.page import Page


def write(document: Document, page: Page) -> str:
    """One suite, a case a verdict."""
    cases = _cases(document, page.gates)
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(map(_fails, cases))),
        "errors": "0",
        "skipped": str(sum(map(_is_skipped, cases))),
    }
    suites = ET.Element("testsuites", {"name": "punie-trace", **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": one_line(document.title), **counts})
    for case in cases:
        _add_case(suite, case)
    if document.headline:
        ET.SubElement(suite, "system-out").text = one_line(document.headline)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


@dataclass(frozen=True, slots=True)
class _Case:
    """A verdict as a test; `text` is the verdict with its figure, `reasons` what it rests on and what to do."""

    slug: str
    name: str
    verdict: Verdict
    text: str
    reasons: tuple[str, ...]
    is_gate: bool


def _cases(document: Document, gates: Collection[str]) -> tuple[_Case, ...]:
    wanted = [answer for answer in document.answers if not gates or answer.slug in gates]
    unjudged = [name for name in gates if name not in {answer.slug for answer in wanted}]
    return *(_case(answer, is_gate=bool(gates)) for answer in wanted), *map(_unjudged, unjudged)


def _case(answer: Answer, *, is_gate: bool) -> _Case:
    text = f"{answer.verdict.value}, {answer.figure}"
    reasons = (answer.basis, *answer.next_steps)
    return _Case(answer.slug, answer.question, answer.verdict, text, reasons, is_gate)


def _unjudged(name: str) -> _Case:
    return _Case(name, name, Verdict.UNDECIDED, Verdict.UNDECIDED.value, (NOTHING_TO_JUDGE,), is_gate=True)


def _fails(case: _Case) -> bool:
    return case.is_gate and case.verdict is Verdict.NO


def _is_skipped(case: _Case) -> bool:
    return case.verdict is not Verdict.YES and not _fails(case)


def _add_case(suite: ET.Element, case: _Case) -> None:
    about = {"classname": f"punie-trace.{case.slug}", "name": one_line(case.name)}
    element, text = ET.SubElement(suite, "testcase", about), one_line(case.text)
    reason = "\n".join(map(one_line, case.reasons))
    if case.verdict is Verdict.YES:
        ET.SubElement(element, "system-out").text = f"{text}\n{reason}"
        return
    no_gate = ", and no gate names it" if case.verdict is Verdict.NO and not case.is_gate else ""
    message = {"message": f"{text}{no_gate}: {one_line(case.reasons[0])}"}
    if _fails(case):
        message["type"] = case.verdict.value
    ET.SubElement(element, "failure" if _fails(case) else "skipped", message).text = reason
