"""The registry of formats, for every report. A new one is a module with a `write` and a line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.report.page import Page

if TYPE_CHECKING:
    from punie.trace.report.document import Document


@dataclass(frozen=True, slots=True)
class Format:
    """A format's name, the endings of files that mean it, and the module whose `write` makes it."""

    name: str
    endings: tuple[str, ...]
    module: str

    def write(self, document: Document, page: Page | None = None) -> str:
        """The whole document as text that ends with a newline; the writer is imported now."""
        return str(importlib.import_module(self.module).write(document, page or Page()))


TEXT: Final = Format("text", (".txt",), "punie.trace.report.writers.plain_text")
JSON: Final = Format("json", (".json",), "punie.trace.report.writers.json_text")
MARKDOWN: Final = Format("md", (".md", ".markdown"), "punie.trace.report.writers.markdown")
FORMATS: Final = (
    TEXT,
    JSON,
    MARKDOWN,
    Format("csv", (".csv",), "punie.trace.report.writers.csv_text"),
    Format("html", (".html", ".htm"), "punie.trace.report.writers.html.page"),
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
