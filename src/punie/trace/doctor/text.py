"""A diagnosis as text for a terminal, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Final

from punie.trace.doctor.check import CheckResult, Status
from punie.trace.units import count_text

WIDTH: Final = 80
SCHEMA_VERSION: Final = 1
_STATUS_WIDTH: Final = 9
_SUBJECT_WIDTH: Final = 15


def as_text(findings: Sequence[CheckResult], width: int = WIDTH) -> str:
    """A line or more for each finding, of at most `width` columns, then how many want attention."""
    lines = [line for finding in findings for line in _lines(finding, width)]
    return "\n".join((*lines, "", _summary(findings))) + "\n"


def as_json(findings: Sequence[CheckResult]) -> str:
    """The findings under their names; `ok` says whether nothing failed."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "ok": not failed(findings),
        "findings": [
            {
                "subject": item.subject,
                "status": item.status.value,
                "found": item.observed,
                "next_step": item.next_step or None,
            }
            for item in findings
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def failed(findings: Sequence[CheckResult]) -> bool:
    """Whether something that a run needs isn't as it must be."""
    return any(item.status is Status.FAIL for item in findings)


def _lines(finding: CheckResult, width: int) -> list[str]:
    head = f"{finding.status.value:{_STATUS_WIDTH}}{finding.subject:{_SUBJECT_WIDTH}}"
    margin = " " * len(head)
    lines = _wrapped(finding.observed, head, margin, width)
    if finding.next_step:
        lines += _wrapped(finding.next_step, f"{margin}→ ", f"{margin}  ", width)
    return lines


def _wrapped(text: str, head: str, margin: str, width: int) -> list[str]:
    """Lines of `text`, `head` before the first; names and commands are whole where they fit, hyphens or not."""
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=margin, break_on_hyphens=False)


def _summary(findings: Sequence[CheckResult]) -> str:
    counts = {status: sum(item.status is status for item in findings) for status in Status}
    counted = (
        count_text(counts[Status.FAIL], "failure"),
        count_text(counts[Status.WARN], "warning"),
        f"{counts[Status.UNKNOWN]} unknown",
        f"{counts[Status.OK]} ok",
    )
    return ", ".join(counted)
