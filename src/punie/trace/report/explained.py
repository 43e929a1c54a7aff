"""A report with what its words mean at its end: `--explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from punie.trace.report.document import Document, Section, Table
from punie.trace.report.wording.findings import FINDINGS, counted
from punie.trace.report.wording.glossary import GLOSSARY


def explained(document: Document) -> Document:
    """The same report and a table of those of its words that the glossary has."""
    used = {word.strip() for section in document.sections for word in _words(section)}
    sentences = (*document.lines, *(note.text for section in document.sections for note in section.notes))
    rows = (
        *((word, meaning) for word, meaning in GLOSSARY.items() if word in used),
        *((slug, FINDINGS[slug]) for slug in counted(sentences)),
    )
    return replace(
        document,
        sections=(*document.sections, Section("What the words mean", table=Table(("word", "meaning"), rows))),
    )


def _words(section: Section) -> Iterator[str]:
    """Where a table names things: its columns and the first cell of each row."""
    if section.table:
        yield from section.table.columns
        yield from (str(row[0]) for row in section.table.rows if row)
