"""Any report as one HTML file: opens anywhere, loads nothing, reads well without its script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.report.writers.html.assets import policy, script, style
from punie.trace.report.writers.html.cards import cards
from punie.trace.report.writers.html.charts import draw
from punie.trace.report.writers.html.markup import Markup, joined, prose, tag
from punie.trace.report.writers.html.quotes import draw_quotes
from punie.trace.report.writers.html.tables import table
from punie.trace.report.writers.html.terms import glossary, with_findings
from punie.trace.report.writers.html.waterfalls import one_waterfall, waterfalls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.report.document import Document, Note, Section
    from punie.trace.report.page import Page

_BEFORE_DRAWINGS: Final = "queries"  # the section that names them
_KEYS: Final = (
    ("j k", "next, previous query"),
    ("Enter", "open or close it"),
    ("+ -", "zoom its time axis"),
    ("← →", "move along it"),
    ("0", "the whole query"),
    ("/", "find a query"),
    ("?", "this help"),
)


def write(document: Document, page: Page) -> str:
    """The whole file."""
    body = joined(_body(document))
    words = glossary(body)
    html = tag(
        "html",
        _head(document),
        tag("body", _top(), tag("main", body, words, id="main"), _help(), script()),
        lang="en",
    )
    return f"<!doctype html>\n{html}\n"


def _head(document: Document) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{document.headline or document.title} – punie-trace"),
        style(),
    )


def _top() -> Markup:
    return tag("a", "Skip to the report", href="#main", class_="skip")


def _body(document: Document) -> Iterator[Markup]:
    yield tag(
        "header",
        tag("p", document.title, class_="source"),
        tag("h1", prose(document.headline or document.title)),
        tag("ul", *(tag("li", with_findings(line)) for line in document.lines), class_="about"),
        class_="head",
    )
    drawn = _drawn(document)
    for section in document.sections:
        yield _section(section)
        if section.slug.startswith(_BEFORE_DRAWINGS):
            yield from drawn
    yield from drawn
    yield from (_section(section, rows_are_terms=False) for section in document.appendix)


def _drawn(document: Document) -> Iterator[Markup]:
    """The queries one by one, where the report is about the spans of queries."""
    drawn_already = any(section.waterfall for section in document.sections)
    if document.drawings is not None and not drawn_already:
        yield from waterfalls(document.drawings)


def _section(section: Section, *, rows_are_terms: bool = True) -> Markup:
    name = f"h-{section.slug}"
    return tag(
        "section",
        tag("h2", section.title, id=name),
        cards(section.answers) if section.answers else None,
        *map(draw, section.charts),
        one_waterfall(section.waterfall) if section.waterfall else None,
        table(section.table, labelled_by=name, rows_are_terms=rows_are_terms)
        if section.table and section.table.rows
        else None,
        draw_quotes(section.quotes) if section.quotes else None,
        _notes(section),
        id=section.slug,
        aria_labelledby=name,
    )


def _notes(section: Section) -> Markup | None:
    if not section.notes:
        return None
    return tag("ul", *map(_note, section.notes), class_="notes")


def _note(note: Note) -> Markup:
    cases = tag("ul", *(tag("li", prose(case)) for case in note.cases)) if note.cases else None
    return tag("li", with_findings(note.text), cases)


def _help() -> Markup:
    rows = (
        tag("tr", tag("th", *(tag("kbd", key) for key in keys.split()), scope="row"), tag("td", meaning))
        for keys, meaning in _KEYS
    )
    return tag(
        "dialog",
        tag("h2", "Keys", id="h-keys"),
        tag("table", tag("tbody", *rows)),
        id="keys",
        aria_labelledby="h-keys",
    )
