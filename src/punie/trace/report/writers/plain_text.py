"""Any report for a terminal, as wide as it is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from punie.trace.model import Verdict
from punie.trace.report.inert import inert
from punie.trace.report.wording.findings import counted, more
from punie.trace.report.writers.text_grid import fitting, grid, with_bars
from punie.trace.report.writers.text_words import unglued, words
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from punie.trace.report.document import Answer, Document, Quote, Section
    from punie.trace.report.page import Page

_INDENT: Final = 2
_STYLES: Final = {Verdict.YES: "bold green", Verdict.NO: "bold red", Verdict.UNDECIDED: "bold yellow"}


def write(document: Document, page: Page) -> str:
    """The document as text of at most `page.width` columns, a path excepted, with its colours if there are any."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=page.width,
        force_terminal=page.color,
        color_system="standard" if page.color else None,
        highlight=False,
    )
    _write(console, document, page.manual)
    return "".join(f"{line.rstrip()}\n" for line in unglued(out.getvalue()).splitlines())


def _write(console: Console, document: Document, manual: Callable[[], str]) -> None:
    if document.headline:
        _line(console, document.headline, indent=0, style="bold")
    console.print(Text(inert(document.title)), soft_wrap=True)
    for line in document.lines:
        _line(console, line, indent=0)
    _write_more(console, document.lines, manual)
    for section in document.sections:
        console.print(Text(f"\n{inert(section.title)}", style="bold"))
        _write_section(console, section)
        _write_more(console, [note.text for note in section.notes], manual, indent=_INDENT)


def _write_more(console: Console, texts: Sequence[str], manual: Callable[[], str], indent: int = 0) -> None:
    """Where the findings in `texts` are explained, in one line however long, so that it can be followed."""
    if counted(texts) and (line := more(texts, manual())):
        console.print(Text(" " * indent + inert(line)), soft_wrap=True)


def _write_section(console: Console, section: Section) -> None:
    for answer in section.answers:
        _write_answer(console, answer)
    if section.waterfall is not None:
        from punie.trace.report.writers.text_waterfall import draw

        for line in draw(section.waterfall, console.width - _INDENT):
            console.print(Padding(line, (0, 0, 0, _INDENT)))
    if section.table is not None and section.table.rows:
        for table in fitting(with_bars(section.table, console.width - _INDENT), console.width - _INDENT):
            console.print(Padding(grid(table, console.width - _INDENT), (0, 0, 0, _INDENT)))
    for note in section.notes:
        _line(console, note.text, indent=_INDENT)
        for case in note.cases:
            _line(console, case, indent=2 * _INDENT)
    for quote in section.quotes:
        _write_quote(console, quote)


def _write_quote(console: Console, quote: Quote) -> None:
    _line(console, quote.label, indent=_INDENT, style="bold")
    for line in quote.text.splitlines():
        console.print(Padding(Text(inert(line)), (0, 0, 0, 2 * _INDENT)))
    if quote.left_out:
        _line(console, f"… {count_text(quote.left_out, 'more line')}", indent=2 * _INDENT, style="dim")


def _write_answer(console: Console, answer: Answer) -> None:
    head = Text.assemble(
        f"  {words(answer.question):<18} ",
        (f"{answer.verdict.value:<10}", _STYLES[answer.verdict]),
        f" {words(str(answer.figure))}",
    )
    console.print(head)
    _line(console, answer.basis, indent=2 * _INDENT)
    for step in answer.next_steps:
        _line(console, f"→ {step}", indent=2 * _INDENT, style="dim")


def _line(console: Console, text: str, *, indent: int, style: str = "") -> None:
    console.print(Padding(Text(words(text), style=style), (0, 0, 0, indent)))
