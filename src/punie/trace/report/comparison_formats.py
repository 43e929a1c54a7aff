"""The registry of formats for comparisons: name, file ending, renderer. A new format is one file and one line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from punie.trace.analysis.comparison.compare import Comparison
    from punie.trace.analysis.comparison.gate import GateResult


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """One comparison, ready to be written: the names of the sources on both sides, and what the gate said, if any."""

    a: tuple[str, ...]
    b: tuple[str, ...]
    comparison: Comparison
    gate: GateResult | None = None
    notes: tuple[str, ...] = field(default=())


class ComparisonFormat(Protocol):
    """One format."""

    def __call__(self, report: ComparisonReport, /) -> str:
        """The whole comparison as text that ends with a newline."""


@dataclass(frozen=True, slots=True)
class ComparisonFormatEntry:
    """A format's name, the file endings that mean it, and the module whose `render` writes it."""

    name: str
    endings: tuple[str, ...]
    module: str

    def renderer(self) -> ComparisonFormat:
        """The format's function, imported now."""
        return cast("ComparisonFormat", importlib.import_module(self.module).render)


COMPARISON_FORMATS: Final = (
    ComparisonFormatEntry("text", (".txt",), "punie.trace.report.comparison_text"),
    ComparisonFormatEntry("json", (".json",), "punie.trace.report.comparison_json"),
    ComparisonFormatEntry("md", (".md", ".markdown"), "punie.trace.report.comparison_markdown"),
    ComparisonFormatEntry("csv", (".csv",), "punie.trace.report.comparison_csv"),
)
