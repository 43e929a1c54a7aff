"""One waterfall: a table of spans, and beside it one drawing with a row for each of them.

The drawing is as wide as the query's wall time, and its height counts pixels: rows of the table are as high as rows of
the drawing. The table has the numbers.

    ledger   |▒▒|==prefill==|===decode===|▒▒|     each nanosecond by phase; ▒▒ hatched: a gap, or contested
    row      |--[####]----[########]--------|     the span; [####] outlined: on the critical path
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from punie.trace.analysis.waterfall.model import Row, RowRole, Waterfall, Window
from punie.trace.report.figures import Unit
from punie.trace.report.writers.html.axis import Scale
from punie.trace.report.writers.html.markup import Markup, joined, tag
from punie.trace.report.writers.html.svg import place, ruler, stretched
from punie.trace.units import count_text, duration_text

ROW: Final = 22  # pixels
BAR: Final = 12
MOST_ROWS: Final = 250  # of one query
_DEEPEST: Final = 12  # what the style sheet indents
_HEADINGS: Final = (("span", None), ("from", "n"), ("time", "n"), ("on path", "n"), ("tokens, errors", None))


def draw_rows(waterfall: Waterfall, name: str) -> Markup:
    """The table with its drawing; of very many spans the longest."""
    shown = _shown(waterfall)
    on_path = waterfall.path_ns()
    drawing = tag("td", _drawing(waterfall, shown, name), rowspan=len(shown) + 1)
    head = tag(
        "tr",
        *(tag("th", text, scope="col", class_=class_) for text, class_ in _HEADINGS),
        tag("td", ruler(Scale(0, waterfall.wall_ns), Unit.NANOSECONDS)),
    )
    rows = tag(
        "table",
        tag("thead", head),
        tag("tbody", tag("tr", *_ledger_cells(waterfall), drawing), *_rows(waterfall, shown, on_path)),
        class_="waterfall",
        aria_label=f"Spans of {name}",
        data_wall=waterfall.wall_ns,
    )
    asides = (tag("p", line, class_="aside") for line in _asides(waterfall, len(shown)))
    return joined((tag("div", rows, class_="scroll"), *asides))


def _shown(waterfall: Waterfall) -> Sequence[int]:
    """Indices of rows; those around others are never shorter than they, so none hangs below one that is left out."""
    rows = range(len(waterfall.rows))
    return sorted(sorted(rows, key=lambda at: (-waterfall.rows[at].duration_ns, at))[:MOST_ROWS])


def _ledger_cells(waterfall: Waterfall) -> Iterator[Markup]:
    wall = duration_text(waterfall.wall_ns)
    yield tag("th", "ledger")
    yield from (tag("td", text) for text in ("0 s", wall, wall, _gaps_and_contested(waterfall)))


def _gaps_and_contested(waterfall: Waterfall) -> str:
    lengths = (("in gaps", _sum(waterfall.gaps)), ("contested", _sum(waterfall.contested)))
    return ", ".join(f"{duration_text(ns)} {what}" for what, ns in lengths if ns)


def _sum(windows: Iterable[Window]) -> int:
    return sum(window.duration_ns for window in windows)


def _rows(waterfall: Waterfall, shown: Sequence[int], on_path: Sequence[int]) -> Iterator[Markup]:
    for at in shown:
        row, path_ns = waterfall.rows[at], on_path[at]
        label = row.tool if row.tool and row.role is RowRole.TOOL else row.name
        is_shown_above = any(waterfall.rows[above].tokens for above in waterfall.above(at))
        what = list(_details(row, tokens=not is_shown_above))
        yield tag(
            "tr",
            tag("th", label, class_=f"d{min(row.depth, _DEEPEST)}"),
            tag("td", duration_text(row.start_ns)),
            tag("td", duration_text(row.duration_ns)),
            tag("td", duration_text(path_ns), data_v=path_ns) if path_ns else tag("td", "–"),
            tag("td", *what) if what else None,
            class_="c" if path_ns else None,
        )


def _details(row: Row, *, tokens: bool) -> Iterator[Markup | str]:
    if row.error is not None:
        yield tag("strong", f"✗ {row.error}", class_="error")
    if row.tokens is not None and tokens:
        counts = ((row.tokens.input, "in"), (row.tokens.cached, "cached"), (row.tokens.output, "out"))
        yield " · ".join(f"{count:,} {what}" for count, what in counts if count is not None)
    if row.is_detached:
        yield "not waited for"


def _asides(waterfall: Waterfall, shown: int) -> Iterator[str]:
    more = len(waterfall.rows) - shown
    if more:
        yield f"{count_text(more, 'shorter span is', 'shorter spans are')} left out"
    if waterfall.left_out:
        one = waterfall.left_out == 1
        spans = count_text(waterfall.left_out, "span")
        yield f"{spans} left out: {'it repeats' if one else 'they repeat'} what a better source reports"


def _drawing(waterfall: Waterfall, shown: Sequence[int], name: str) -> Markup:
    height = ROW * (len(shown) + 1)
    tops = {index: ROW * (at + 1) + (ROW - BAR) // 2 for at, index in enumerate(shown)}
    title = f"{name}: {count_text(len(shown), 'span')} in {duration_text(waterfall.wall_ns)}"
    parts = (*_bands(waterfall, height), *_ledger(waterfall), *_bars(waterfall, tops), _path(waterfall, tops))
    return stretched(parts, title=title, class_="spans", height=height)


def _bands(waterfall: Waterfall, height: int) -> Iterator[Markup]:
    """Contested time, over all rows."""
    pieces = [_box(window.start_ns, window.end_ns, 0, height, waterfall) for window in waterfall.contested]
    if pieces:
        yield tag("path", class_="contested", d="".join(pieces))


def _ledger(waterfall: Waterfall) -> Iterator[Markup]:
    """The stretches of each phase as one line, as thick as a bar; gaps and contested time hatched over them."""
    by_phase: dict[str, list[str]] = {}
    for at in waterfall.stretches:
        by_phase.setdefault(at.phase.value, []).append(_line(at.start_ns, at.end_ns, waterfall))
    for phase, pieces in by_phase.items():
        yield tag("path", class_=f"strip p-{phase}", d="".join(pieces))
    for class_, windows in (("gap", waterfall.gaps), ("both", tuple(waterfall.contested))):
        lines = [_line(window.start_ns, window.end_ns, waterfall) for window in windows]
        if lines:
            yield tag("path", class_=f"hatch {class_}", d="".join(lines))


def _bars(waterfall: Waterfall, tops: Mapping[int, int]) -> Iterator[Markup]:
    """A box a row; those of one phase together."""
    by_phase: dict[str, list[str]] = {}
    for index, top in tops.items():
        row = waterfall.rows[index]
        box = _box(row.start_ns, row.end_ns, top, BAR, waterfall)
        by_phase.setdefault(row.phase.value, []).append(box)
    for phase, boxes in by_phase.items():
        yield tag("path", class_=f"row p-{phase}", d="".join(boxes))


def _path(waterfall: Waterfall, tops: Mapping[int, int]) -> Markup:
    """The critical path's pieces, each outlined on its row."""
    pieces = (
        _box(at.start_ns, at.end_ns, tops[at.span], BAR, waterfall)
        for at in waterfall.path
        if at.span in tops
    )
    return tag("path", class_="critical", d="".join(pieces))


def _line(start_ns: int, end_ns: int, waterfall: Waterfall) -> str:
    start, end = place(start_ns, waterfall.wall_ns), place(end_ns, waterfall.wall_ns)
    return f"M{start} {ROW // 2}h{end - start}"


def _box(start_ns: int, end_ns: int, top: int, height: int, waterfall: Waterfall) -> str:
    start, end = place(start_ns, waterfall.wall_ns), place(end_ns, waterfall.wall_ns)
    return f"M{start} {top}H{end}v{height}H{start}z"
