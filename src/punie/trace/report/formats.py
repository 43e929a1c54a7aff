"""The registry of formats, for every report. A new one is a module with a `write` and a line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from punie.trace.errors import UsageError
from punie.trace.report.page import Page

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import ModuleType

    from punie.trace.report.document import Document


class Material(Enum):
    """What a format is made of, where not every report has it."""

    QUERIES = "the spans of queries"
    VERDICTS = "verdicts"


@dataclass(frozen=True, slots=True)
class Format:
    """A format's name, the endings of files that mean it, and the module whose `write` makes it.

    A module that has `write_parts` too makes it a part at a time. It is for reports that have all of `needs`.
    `is_binary`: its `write` gives bytes, which are for no terminal.
    """

    name: str
    endings: tuple[str, ...]
    module: str
    needs: frozenset[Material] = frozenset()
    is_binary: bool = False

    def write(self, document: Document, page: Page | None = None) -> str:
        """The whole document as text that ends with a newline; TypeError if the format is binary."""
        made = self._writer(document).write(document, page or Page())
        if isinstance(made, bytes):
            raise TypeError(f"{self.name} is binary: write_bytes")
        return str(made)

    def pieces(self, document: Document, page: Page | None = None) -> Iterator[str]:
        """What `write` gives, a part at a time where the format can."""
        writer = self._writer(document)
        if hasattr(writer, "write_parts"):
            yield from writer.write_parts(document, page or Page())
        else:
            yield self.write(document, page)

    def write_bytes(self, document: Document, page: Page | None = None) -> bytes:
        """The whole document as it lies in a file."""
        return b"".join(self.byte_pieces(document, page))

    def byte_pieces(self, document: Document, page: Page | None = None) -> Iterator[bytes]:
        """What `write_bytes` gives, a part at a time where the format can."""
        if self.is_binary:
            yield self._writer(document).write(document, page or Page())
        else:
            yield from (piece.encode() for piece in self.pieces(document, page))

    def _writer(self, document: Document) -> ModuleType:
        """The writer is imported now. Raises UsageError for a report without what the format is made of."""
        if document.drawings is None:
            refuse_unfit(self, {*Material} - {Material.QUERIES})
        return importlib.import_module(self.module)


TEXT: Final = Format("text", (".txt",), "punie.trace.report.writers.plain_text")
JSON: Final = Format("json", (".json",), "punie.trace.report.writers.json_text")
MARKDOWN: Final = Format("md", (".md", ".markdown"), "punie.trace.report.writers.markdown")
HTML: Final = Format("html", (".html", ".htm"), "punie.trace.report.writers.html.page")
FORMATS: Final = (
    TEXT,
    JSON,
    MARKDOWN,
    Format("csv", (".csv",), "punie.trace.report.writers.csv_text"),
    HTML,
    Format(
        "perfetto",
        (".perfetto-trace", ".pftrace"),
        "punie.trace.report.writers.perfetto.trace",
        needs=frozenset({Material.QUERIES}),
        is_binary=True,
    ),
    Format(
        "folded",
        (".folded", ".collapsed"),
        "punie.trace.report.writers.folded",
        needs=frozenset({Material.QUERIES}),
    ),
    Format(
        "junit",
        (".junit.xml",),
        "punie.trace.report.writers.junit",
        needs=frozenset({Material.VERDICTS}),
    ),
    Format("openmetrics", (".openmetrics.txt", ".prom"), "punie.trace.report.writers.openmetrics"),
)


def refuse_unfit(chosen: Format, has: Collection[Material]) -> None:
    """Raise UsageError if a report that has nothing but `has` can't be written in a format."""
    for need in Material:
        if need in chosen.needs and need not in has:
            fitting = ", ".join(entry.name for entry in FORMATS if entry.needs <= {*has})
            raise UsageError(
                f"format {chosen.name} is made of {need.value}, which this report doesn't have",
                remedy=f"--format with one of: {fitting}",
            )


def by_name(name: str) -> Format:
    """The format called `name`; KeyError if there is none."""
    return {entry.name: entry for entry in FORMATS}[name]


def by_ending(file_name: str) -> Format | None:
    """The format with the longest ending that `file_name` has, None if it has none of them."""
    lower = file_name.lower()
    fitting = [
        (len(ending), entry) for entry in FORMATS for ending in entry.endings if lower.endswith(ending)
    ]
    return max(fitting, key=lambda item: item[0])[1] if fitting else None
