"""A document of titled sections, each sentences and perhaps a table, for a terminal of 80 columns and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from punie.trace.model import Verdict
from punie.trace.report.markdown import escape
from punie.trace.report.rows import Table
from punie.trace.report.terminal import WIDTH, on_terminal, write_grid

_INDENT: Final = 2
_STYLES: Final = {Verdict.YES: "bold green", Verdict.NO: "bold red", Verdict.UNDECIDED: "bold yellow"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with its verdict, its figure as text, what it rests on and what to do now."""

    question: str
    verdict: Verdict
    figure: str
    basis: str
    next_steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A title with its answers, its table and the sentences under it; what is empty is left out."""

    title: str
    answers: tuple[Answer, ...] = ()
    table: Table | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report: its title, the lines under it, its sections."""

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...] = field(default=())


def as_text(document: Document, *, width: int = WIDTH, color: bool = False) -> str:
    """The document for a terminal of `width` columns, with its colours if `color`."""
    return on_terminal(lambda console: _write(console, document), width=width, color=color)


def _write(console: Console, document: Document) -> None:
    console.print(Text(document.title, style="bold"), soft_wrap=True)
    for line in document.lines:
        console.print(Text(line))
    for section in document.sections:
        console.print(Text(f"\n{section.title}", style="bold"))
        for answer in section.answers:
            head = Text.assemble(
                f"  {answer.question:<18} ",
                (f"{answer.verdict.value:<10}", _STYLES[answer.verdict]),
                f" {answer.figure}",
            )
            console.print(head)
            console.print(Padding(Text(answer.basis), (0, 0, 0, 2 * _INDENT)))
            for step in answer.next_steps:
                console.print(Padding(Text(f"→ {step}", style="dim"), (0, 0, 0, 2 * _INDENT)))
        if section.table is not None:
            write_grid(console, section.table)
        for line in section.lines:
            console.print(Padding(Text(line), (0, 0, 0, _INDENT)))


def as_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown, for a project's diary."""
    return "\n".join(_markdown(document)) + "\n"


def _markdown(document: Document) -> Iterator[str]:
    yield f"# {escape(document.title)}\n"
    yield from (f"{escape(line)}  " for line in document.lines)
    for section in document.sections:
        yield f"\n## {escape(section.title)}\n"
        for answer in section.answers:
            head = f"- **{escape(answer.question)}** {answer.verdict.value}, {escape(answer.figure)}."
            yield f"{head} {escape(answer.basis)}"
            yield from (f"  - → {escape(step)}" for step in answer.next_steps)
        if section.table is not None:
            if section.answers:
                yield ""
            yield from markdown_table(section.table)
        if section.lines and (section.table is not None or section.answers):
            yield ""
        yield from (f"- {escape(line)}" for line in section.lines)


def markdown_table(table: Table) -> Iterator[str]:
    """The lines of a table."""
    yield _row(table.columns)
    yield "| " + " | ".join("---:" if name in table.right else "---" for name in table.columns) + " |"
    for index, row in enumerate(table.rows):
        strong = index in table.strong
        yield _row(row, strong=strong)


def _row(cells: Sequence[str], *, strong: bool = False) -> str:
    texts = [escape(cell.strip()) for cell in cells]
    if strong:
        texts = [f"**{text}**" if text else "" for text in texts]
    return "| " + " | ".join(texts) + " |"
