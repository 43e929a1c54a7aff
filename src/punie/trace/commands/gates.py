"""The gates of a report: verdicts that the exit code depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.console.standard_streams import write_err
from punie.trace.errors import ExitCode
from punie.trace.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from punie.trace.report.document import Document


def gate(document: Document, names: Collection[str]) -> ExitCode:
    """OK if every verdict in `names` is yes; GATE_FAILED if one is no, else GATE_UNDECIDED. Says which and why."""
    verdicts = set()
    for answer in document.answers:
        if answer.slug in names and answer.verdict is not Verdict.YES:
            verdicts.add(answer.verdict)
            write_err(f"gate {answer.slug}: {answer.verdict.value}: {answer.basis}\n")
    if Verdict.NO in verdicts:
        return ExitCode.GATE_FAILED
    return ExitCode.GATE_UNDECIDED if verdicts else ExitCode.OK
