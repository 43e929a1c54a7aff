"""What Jaeger's page shows of a trace, read off its DOM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from browser import Page, browser

WIDTH = 1400
_HEADER = 260  # pixels above the first row
_ROW = 28

_ROWS = """
return [...document.querySelectorAll(".span-row")].map(row => {
  const column = row.querySelector(".span-name-column").getBoundingClientRect();
  const name = row.querySelector(".endpoint-name");
  const bar = row.querySelector(".SpanBar--bar");
  const icon = row.querySelector(".span-svc-name [role=img]");
  return {
    service: row.querySelector(".span-svc-name").innerText.trim(),
    name: name.innerText.trim(),
    depth: row.querySelectorAll(".SpanTreeOffset--indentGuide").length,
    fits: name.getBoundingClientRect().right <= column.right && name.scrollWidth <= name.clientWidth + 1,
    left: parseFloat(bar.style.left),
    right: parseFloat(bar.style.left) + parseFloat(bar.style.width),
    icon: icon === null ? "" : icon.getAttribute("aria-label"),
  };
});
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the waterfall. `left` and `right` are percent of the trace's time; `fits`: its name isn't cut."""

    service: str
    name: str
    depth: int
    fits: bool
    left: float
    right: float
    icon: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Jaeger's page with one trace on it."""

    page: Page

    def rows(self) -> list[Row]:
        """All rows, from top to bottom."""
        return [Row(**row) for row in self.page.ask(_ROWS)]

    def details(self, index: int) -> str:
        """Click the row; what it says then. Closed again afterwards."""
        click = "document.querySelectorAll('.span-row .span-view')[arguments[0]].click()"
        self.page.ask(click, index)
        said = self.page.wait_for("return document.querySelector('.detail-row')?.innerText", index)
        self.page.ask(click, index)
        self.page.wait_for("return document.querySelector('.detail-row') === null")
        return str(said)


@contextmanager
def waterfall(folder: Path, url: str, *, spans: int) -> Iterator[Waterfall]:
    """The page at `url`, in a window so high that the list draws all of the `spans` rows."""
    with browser(folder, width=WIDTH, height=_HEADER + _ROW * (spans + 8)) as page:
        page.open(url)
        page.wait_for("return document.querySelectorAll('.span-row').length >= arguments[0]", spans)
        yield Waterfall(page)
