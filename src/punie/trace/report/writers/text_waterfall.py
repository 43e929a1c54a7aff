"""A query's waterfall for a terminal: a line a span, with a sign at what was waited for.

chat            185 ms  ──███▒
POST            146 ms    ▏███
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from punie.trace.model import PHASE_GROUP, Group
from punie.trace.report.inert import one_line
from punie.trace.units import count_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.waterfall.model import Row, Waterfall

ON_PATH: Final = "█"
OPEN: Final = "─"
GAP: Final = "░"
CONTESTED: Final = "▒"
MOST_ROWS: Final = 60
_STYLES: Final = {
    Group.GENERATION: "magenta",
    Group.SERVER: "blue",
    Group.FRAMEWORK: "cyan",
    Group.NETWORK: "yellow",
    Group.TOOL: "green",
}
_DURATION: Final = 9  # columns
_LEAST_BAR: Final = 16
_LEGEND: Final = f"{ON_PATH} critical path  {OPEN} open  {GAP} gap: nothing says what was done"


@dataclass(frozen=True, slots=True)
class _Scale:
    """Columns of `width` for `wall_ns`."""

    wall_ns: int
    width: int

    def columns(self, start_ns: int, end_ns: int) -> range:
        """Those that a window touches; one of no length touches the column in which it is."""
        if not self.wall_ns:
            return range(self.width)
        first = min(start_ns * self.width // self.wall_ns, self.width - 1)
        last = max(first, min((max(end_ns - 1, start_ns) * self.width) // self.wall_ns, self.width - 1))
        return range(first, last + 1)


def draw(waterfall: Waterfall, width: int) -> Iterator[Text]:
    """The lines, of `width` columns at most; of very many spans the longest, with what is around them."""
    shown = _longest(waterfall)
    names = [_name(waterfall.rows[index]) for index in shown]
    most = max(width - _DURATION - _LEAST_BAR - 2, 8)
    name_width = min(max(map(cell_len, names), default=0), most, max(width // 2 - 4, 8))
    scale = _Scale(waterfall.wall_ns, width - name_width - _DURATION - 2)
    on_path = _path_columns(waterfall, scale)
    for index, name in zip(shown, names, strict=True):
        yield _line(waterfall, index, set_cell_size(name, name_width), scale, on_path.get(index, set()))
    contested = {column for at in waterfall.contested for column in scale.columns(at.start_ns, at.end_ns)}
    if contested:
        bar = "".join(CONTESTED if column in contested else " " for column in range(scale.width))
        yield Text(f"{set_cell_size('two groups at work', name_width)} {'':>{_DURATION}} {bar}".rstrip())
    yield Text(_LEGEND, style="dim")
    left_out = len(waterfall.rows) - len(shown)
    if left_out:
        yield Text(f"{count_text(left_out, 'shorter span')} left out (JSON has all)", style="dim")


def _longest(waterfall: Waterfall) -> Sequence[int]:
    rows = waterfall.rows
    chosen: set[int] = set()
    for index in sorted(range(len(rows)), key=lambda at: (-rows[at].duration_ns, at)):
        if len(chosen) >= MOST_ROWS:
            break
        chosen |= {index, *waterfall.above(index)}
    return sorted(chosen)


def _name(row: Row) -> str:
    mark = "! " if row.error is not None else ""
    what = f" {one_line(row.tool)}" if row.tool and row.tool not in row.name else ""
    return f"{'  ' * min(row.depth, 12)}{mark}{one_line(row.name)}{what}"


def _path_columns(waterfall: Waterfall, scale: _Scale) -> dict[int, set[int]]:
    columns: dict[int, set[int]] = {}
    for piece in waterfall.path:
        columns.setdefault(piece.span, set()).update(scale.columns(piece.start_ns, piece.end_ns))
    return columns


def _line(waterfall: Waterfall, index: int, name: str, scale: _Scale, on_path: set[int]) -> Text:
    row = waterfall.rows[index]
    gaps: set[int] = set()
    if row.parent < 0:
        gaps = {column for gap in waterfall.gaps for column in scale.columns(gap.start_ns, gap.end_ns)}
    opened = scale.columns(row.start_ns, row.end_ns)
    signs = [
        " " if column not in opened else GAP if column in gaps else ON_PATH if column in on_path else OPEN
        for column in range(scale.width)
    ]
    line = Text(f"{name} {duration_text(row.duration_ns):>{_DURATION}} ")
    line.append("".join(signs).rstrip(), style=_STYLES[PHASE_GROUP[row.phase]])
    return line
