"""A decision as programs read it. `decision.schema.json` beside this file is made from these types.

History of the format (`schema_version`):
1: the first.
2: written from types, with the same keys.
3: the step `levers`, and `benches` in place of `bench`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from punie.trace.report.content import DecisionContent
from punie.trace.report.published.base import Published
from punie.trace.report.wording.decision import DecisionStep, conclusion, steps


class DecisionDocument(Published, frozen=True, kw_only=True):
    """What to do about the time: the steps `time`, `levers`, `draft`, `target`, `brevity`, and what follows."""

    schema: Literal["punie.trace.decision"] = "punie.trace.decision"
    schema_version: Literal[3] = 3
    run: str
    benches: tuple[str, ...]
    notes: tuple[str, ...]
    steps: tuple[DecisionStep, ...]
    conclusion: str


def publish_decision(report: DecisionContent) -> DecisionDocument:
    """The decision as its published type."""
    values = {
        "run": report.run,
        "benches": report.benches,
        "notes": report.notes,
        "steps": steps(report.decision),
        "conclusion": conclusion(report.decision),
    }
    return msgspec.convert(values, DecisionDocument, from_attributes=True)
