"""The gates of a report: verdicts that the exit code depends on."""

from __future__ import annotations

from collections.abc import Collection

from punie.trace.console.standard_streams import write_err
from punie.trace.errors import ExitCode
from punie.trace.model import Verdict
from punie.trace.report.document import NOTHING_TO_JUDGE, Document


def gate(document: Document, names: Collection[str]) -> ExitCode:
    """OK if every verdict in `names` is yes; GATE_FAILED if one is no, else GATE_UNDECIDED. Says which and why."""
    answers = {answer.slug: (answer.verdict, answer.basis) for answer in document.answers}
    judged = {name: answers.get(name, (Verdict.UNDECIDED, NOTHING_TO_JUDGE)) for name in names}
    for name, (verdict, basis) in judged.items():
        if verdict is not Verdict.YES:
            write_err(f"gate {name}: {verdict.value}: {basis}\n")
    verdicts = {verdict for verdict, _ in judged.values()} - {Verdict.YES}
    if Verdict.NO in verdicts:
        return ExitCode.GATE_FAILED
    return ExitCode.GATE_UNDECIDED if verdicts else ExitCode.OK
