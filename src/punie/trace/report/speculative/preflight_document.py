"""The preflight alone: is the long benchmark worth it, and what does it rest on."""

from __future__ import annotations

from collections.abc import Sequence

from punie.trace.analysis.speculative.model import Preflight
from punie.trace.analysis.speculative.prediction import headline
from punie.trace.model import Verdict
from punie.trace.report.sections import Answer, Document, Section
from punie.trace.report.speculative.why_section import preflight_section
from punie.trace.units import factor_text

_NEXT = {
    Verdict.YES: "Run it: the same command with --resume FOLDER in place of its other flags.",
    Verdict.NO: "Try a smaller draft, or one of the model's own family; look at what `decide` says of the time.",
    Verdict.UNDECIDED: "Use a suite with longer answers.",
}


def preflight_document(source: str, preflight: Preflight, notes: Sequence[str] = ()) -> Document:
    """What `--preflight-only` prints; `notes` stand beside every number."""
    best = preflight.best
    figure = "not known" if best is None else f"{factor_text(headline(best).value)} at k = {best.k}"
    answer = Answer("worth measuring?", preflight.worth, figure, preflight.why, (_NEXT[preflight.worth],))
    return Document(source, tuple(notes), (Section("Verdict", (answer,)), preflight_section(preflight, ())))
