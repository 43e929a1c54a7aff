"""Any report as GitHub-flavoured Markdown, to hand to others or to keep in a project's diary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from punie.trace.report.inert import inert, one_line, readable
from punie.trace.report.page import PLAIN_WIDTH
from punie.trace.report.wording.findings import pieces
from punie.trace.report.writers.text_waterfall import draw
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from punie.trace.report.document import Answer, Document, Note, Section, Table
    from punie.trace.report.page import Page

_BACKTICKS: Final = re.compile("`+")
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|#~$])")


def write(document: Document, page: Page) -> str:
    """The whole document."""
    manual = page.manual()
    return "\n".join(_document(document, manual if "://" in manual else "")) + "\n"


def _document(document: Document, site: str) -> Iterator[str]:
    yield f"# {escape(document.title)}\n"
    if document.headline:
        yield f"**{escape(document.headline)}**\n"
    yield from (f"{_linked(line, site)}  " for line in document.lines)
    for section in document.sections:
        yield f"\n## {escape(section.title)}\n"
        yield "\n\n".join("\n".join(block) for block in _blocks(section, site) if block)


def _blocks(section: Section, site: str) -> Iterator[list[str]]:
    yield [line for answer in section.answers for line in _answer(answer)]
    if section.waterfall is not None:
        yield _fenced([line.plain.rstrip() for line in draw(section.waterfall, PLAIN_WIDTH)])
    yield [*_table(section.table)] if section.table and section.table.rows else []
    yield [line for note in section.notes for line in _note(note, site)]
    for quote in section.quotes:
        more = [f"… {count_text(quote.left_out, 'more line')}"] if quote.left_out else []
        yield [f"**{escape(quote.label)}**"]
        yield _fenced([*map(inert, quote.text.splitlines()), *more])


def _fenced(lines: Sequence[str]) -> list[str]:
    """Lines as they are, between fences that none of them ends."""
    longest = max((len(run) for line in lines for run in _BACKTICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *lines, fence]


def _answer(answer: Answer) -> Iterator[str]:
    figure, basis = escape(str(answer.figure)), escape(answer.basis)
    yield f"- **{escape(answer.question)}** {answer.verdict.value}, {figure}. {basis}"
    yield from (f"  - → {escape(step)}" for step in answer.next_steps)


def _table(table: Table) -> Iterator[str]:
    table = table.without_empty_columns()
    yield _row([*map(escape, table.columns)])
    yield _row(["---:" if table.is_number(column) else "---" for column in range(len(table.columns))])
    for index, row in enumerate(table.rows):
        cells = [escape(str(cell)) for cell in row]
        yield _row([f"**{cell}**" if cell and index in table.strong else cell for cell in cells])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _note(note: Note, site: str) -> Iterator[str]:
    yield f"- {_linked(note.text, site)}"
    yield from (f"  - {escape(case)}" for case in note.cases)


def _linked(text: str, site: str) -> str:
    """`text` with a link from each finding that it counts, if there is a site to lead to."""
    if not site:
        return escape(text)
    cut = pieces(_one_line(text))
    return "".join(
        f"[{piece}]({site}#{piece})" if at % 2 else _literal(piece) for at, piece in enumerate(cut)
    )


def escape(text: str) -> str:
    """`text` as literal Markdown on one line: it may be a model's words."""
    return _literal(_one_line(text))


def _one_line(text: str) -> str:
    return one_line(readable(text))


def _literal(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
