"""One report as data, whatever it is about: what every builder makes and every writer writes.

A builder (`report/builders/`) turns an analysis into a `Document`; a writer (`report/writers/`) turns any document
into text of one format. Numbers stay numbers, with their unit, until a writer needs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from punie.trace.model import Verdict
from punie.trace.report.charts import Chart, Mark
from punie.trace.report.figures import Figure as Figure
from punie.trace.report.figures import Unit as Unit
from punie.trace.report.published.base import Published

if TYPE_CHECKING:
    from punie.trace.analysis.waterfall.model import Waterfall
    from punie.trace.report.drawings import Drawings

NOTHING_TO_JUDGE: Final = "There is nothing to judge it by."
"""What is said of a verdict that a gate names and the report doesn't have."""

Cell = str | Figure
Value = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words and figures; `strong` are the rows that carry a subtotal."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    strong: frozenset[int] = frozenset()

    def with_columns(self, columns: Iterable[int]) -> Table:
        """The same rows with these columns alone."""
        selected = tuple(columns)
        return replace(
            self,
            columns=tuple(self.columns[column] for column in selected),
            rows=tuple(tuple(row[column] for column in selected) for row in self.rows),
        )

    def without_empty_columns(self) -> Table:
        """What is said of no row needs no column."""
        columns = range(len(self.columns))
        return self.with_columns(c for c in columns if c == 0 or any(str(row[c]) for row in self.rows))

    def is_number(self, column: int) -> bool:
        """Whether a column holds figures, and beside them nothing or a dash."""
        cells = [row[column] for row in self.rows]
        return any(isinstance(cell, Figure) for cell in cells) and all(
            isinstance(cell, Figure) or cell in ("", "–") for cell in cells
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with its verdict, its figure, what it rests on and what to do now; `slug` is its name in JSON.

    `marks` are what the figure is held against. `evidence` says how much it rests on (`5 queries`), where that is a
    number.
    """

    slug: str
    question: str
    verdict: Verdict
    figure: Figure
    basis: str
    next_steps: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, and the cases that stand under it."""

    text: str
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    """What somebody said, whole, under a label of ours; `left_out` counts further lines that are not quoted."""

    label: str
    text: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A title with its answers, its table and the sentences under it; what is empty is left out.

    `charts` show what the table says, to be drawn by writers that can; so is `waterfall`, which is among the
    document's `drawings` too.
    """

    title: str
    answers: tuple[Answer, ...] = ()
    table: Table | None = None
    notes: tuple[Note, ...] = ()
    charts: tuple[Chart, ...] = ()
    waterfall: Waterfall | None = None
    quotes: tuple[Quote, ...] = ()

    @property
    def slug(self) -> str:
        """A name for programs: the title's words up to the first figure or remark."""
        return "-".join(re.findall("[a-z]+", re.split("[:,(?]", self.title.lower())[0]))

    def __bool__(self) -> bool:
        shown = self.answers or (self.table and self.table.rows) or self.notes or self.quotes
        return bool(shown or self.waterfall)


@dataclass(frozen=True, slots=True)
class FlatTable:
    """The report as one flat table of raw values, for spreadsheets and data frames; None is not known."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report: `title` says what it is about, `lines` what was done, with the caveats for every number.

    `headline` is what a person would repeat of it: one sentence, the first thing to be read.

    `appendix` is what a page has room for below its sections, and a terminal has not.

    `data` makes what programs get, as JSON. `rows` makes what spreadsheets get; without it they get the tables'
    figures. Both are of all queries, so they are made only for a format that asks; so are `drawings`, None in a report
    that is not about the spans of queries.
    """

    title: str
    data: Callable[[], Published]
    lines: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    rows: Callable[[], FlatTable] | None = None
    headline: str = ""
    appendix: tuple[Section, ...] = ()
    drawings: Drawings | None = None

    def with_content(self) -> Document:
        """The same, for formats that draw queries to quote what was said in them too."""
        return replace(self, drawings=replace(self.drawings, with_content=True)) if self.drawings else self

    @property
    def answers(self) -> Iterator[Answer]:
        """All verdicts, in their order."""
        return (answer for section in self.sections for answer in section.answers)


def notes(*texts: str) -> tuple[Note, ...]:
    """Sentences with no cases under them."""
    return tuple(map(Note, texts))
