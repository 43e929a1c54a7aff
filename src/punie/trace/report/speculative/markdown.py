"""The report of a benchmark as Markdown: an entry for a project's diary, and a row for its roadmap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.report.rows import Table
from punie.trace.report.sections import as_markdown, markdown_table
from punie.trace.report.speculative.sections import answer, document, name_text

if TYPE_CHECKING:
    from punie.trace.report.speculative.content import BenchReport

_COLUMNS: Final = ("date", "question", "verdict", "figure", "next step")


def render(report: BenchReport) -> str:
    """The diary entry, with the roadmap's row at its end."""
    return f"{as_markdown(document(report))}\n## For the roadmap\n\n{roadmap(report)}"


def roadmap(report: BenchReport) -> str:
    """A table of one row: when, what was asked, the verdict, the figure, what comes next."""
    plan, said = report.analysis.plan, answer(report)
    names = ", ".join(map(name_text, plan.drafts))
    question = f"does {names} make {name_text(plan.model)} {said.question.rstrip('?')}?"
    steps = " ".join(report.steps[:1])
    row = (plan.created.partition("T")[0], question, said.verdict.value, said.figure, steps)
    return "\n".join(markdown_table(Table("", _COLUMNS, (row,), frozenset()))) + "\n"
