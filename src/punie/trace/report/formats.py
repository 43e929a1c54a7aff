"""The registry of report formats: name, file ending, renderer. A new format is one file and one line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from punie.trace.report.content import Format


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """A format's name, the file endings that mean it, and the module whose `render` writes it."""

    name: str
    endings: tuple[str, ...]
    module: str

    def renderer(self) -> Format:
        """The format's function, imported now."""
        return cast("Format", importlib.import_module(self.module).render)


FORMATS: Final = (
    FormatEntry("text", (".txt",), "punie.trace.report.text"),
    FormatEntry("json", (".json",), "punie.trace.report.json_document"),
    FormatEntry("md", (".md", ".markdown"), "punie.trace.report.markdown"),
    FormatEntry("csv", (".csv",), "punie.trace.report.csv_table"),
)


def by_name(name: str) -> FormatEntry:
    """The format called `name`; KeyError if there is none."""
    return {entry.name: entry for entry in FORMATS}[name]


def by_ending(ending: str) -> FormatEntry | None:
    """The format of files that end in `ending` (with the dot), None if no format claims it."""
    return next((entry for entry in FORMATS if ending.lower() in entry.endings), None)
