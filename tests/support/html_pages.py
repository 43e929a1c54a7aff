"""Reports as pages that a browser can open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from punie.trace.report.document import Document
from punie.trace.report.formats import by_name


@dataclass(frozen=True)
class Shown:
    """A report and the page that it became."""

    document: Document
    path: Path

    @property
    def url(self) -> str:
        return self.path.as_uri()


def write(document: Document, folder: Path, name: str) -> Shown:
    path = folder / f"{name.replace(' ', '-')}.html"
    path.write_text(str(by_name("html").write(document)), "utf-8")
    return Shown(document, path)
