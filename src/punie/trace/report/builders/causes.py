"""What in the user's own code costs time: a sentence a cause, with where it shows and what to change."""

from __future__ import annotations

from collections.abc import Sequence

from punie.trace.analysis.causes.model import Cause
from punie.trace.report.document import Note, Section
from punie.trace.report.wording.causes import cause_cases, cause_text


def causes_section(causes: Sequence[Cause]) -> Section:
    """The costliest first; empty without a cause."""
    return Section("In your own code", notes=tuple(Note(cause_text(c), cause_cases(c)) for c in causes))
