"""Many queries in a table of a line a day or a model, in every format: made here or in a database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from punie.trace.analysis.statistics.spread import P95_FROM
from punie.trace.analysis.summary.parts import By, Part
from punie.trace.model import PHASES, Group
from punie.trace.report import rows
from punie.trace.report.markdown import escape, table_lines
from punie.trace.report.terminal import WIDTH, on_terminal, write_table
from punie.trace.units import duration_text, seconds_text, share_text

ALL: Final = "all"
NO_MODEL: Final = "no model named"
_TITLES: Final[Mapping[By, str]] = {By.DAY: "By day, UTC", By.MODEL: "By model"}
_KEYS: Final[Mapping[By, str]] = {By.DAY: "day", By.MODEL: "model name"}  # "model" is a phase
_NAME_WIDTH: Final = 24  # of a name beside many phases; whole ones stand in the first table
_CSV_SPREAD: Final = ("mean_ns", "median_ns", "min_ns", "max_ns", "p95_ns", "p99_ns")
_CSV_COUNTS: Final = ("answers", "failed", "warmup", "needs_tree", "network_known", "wall_ns")
CSV_COLUMNS: Final = (
    "part",
    *_CSV_COUNTS,
    *_CSV_SPREAD,
    *(f"{phase.value}_ns" for phase in PHASES),
    *(f"{phase.value}_contested_ns" for phase in PHASES),
)


@dataclass(frozen=True, slots=True)
class PartsReport:
    """Parts, ready to be written: `head` stands before the figures, `tail` after, `document` in JSON before both."""

    source: str
    head: tuple[str, ...]
    total: Part
    by: By | None
    parts: tuple[Part, ...]
    tail: tuple[str, ...]
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartsFormat:
    """A format's name, the file endings that mean it, and what writes it."""

    name: str
    endings: tuple[str, ...]
    render: Callable[[PartsReport], str]


def render_text(report: PartsReport, *, width: int = WIDTH, color: bool = False) -> str:
    """For a terminal, `width` columns wide."""
    return on_terminal(lambda console: _write(console, report), width=width, color=color)


def _write(console: Console, report: PartsReport) -> None:
    console.print(Text(report.source, style="bold"), soft_wrap=True)
    for line in report.head:
        console.print(Text(line))
    for table in _tables(report):
        write_table(console, table)
    console.print()
    for line in (*_lines(report), *report.tail):
        console.print(Text(line))


def render_markdown(report: PartsReport) -> str:
    """GitHub-flavoured Markdown."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: PartsReport) -> Iterator[str]:
    yield f"# {escape(report.source)}\n"
    yield from (f"{escape(line)}  " for line in report.head)
    for table in _tables(report):
        yield f"\n## {escape(table.title)}\n"
        yield from table_lines(table)
    yield ""
    yield from (f"- {escape(line)}" for line in (*_lines(report), *report.tail))


def render_json(report: PartsReport) -> str:
    """One JSON document; all times are integer nanoseconds."""
    return json.dumps(report.document, indent=2, ensure_ascii=False) + "\n"


def render_csv(report: PartsReport) -> str:
    """A header and a row a part, or one row for all; times are integer nanoseconds, what isn't known is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    parts = (report.total,) if report.by is None else report.parts
    writer.writerows(_csv_row(part, ALL if report.by is None else part.name) for part in parts)
    return out.getvalue()


def _csv_row(part: Part, name: str) -> dict[str, object]:
    row: dict[str, object] = {"part": name, **{count: getattr(part, count) for count in _CSV_COUNTS}}
    row["network_known"] = str(part.network_known).lower()
    row |= {column: None if part.wall is None else getattr(part.wall, column) for column in _CSV_SPREAD}
    row |= {f"{entry.phase.value}_ns": entry.ns for entry in part.phases}
    return row | {f"{entry.phase.value}_contested_ns": entry.contested_ns for entry in part.phases}


FORMATS: Final = (
    PartsFormat("text", (".txt",), render_text),
    PartsFormat("json", (".json",), render_json),
    PartsFormat("md", (".md", ".markdown"), render_markdown),
    PartsFormat("csv", (".csv",), render_csv),
)


def _lines(report: PartsReport) -> Iterator[str]:
    """What the tables can't say."""
    if not report.total.answers:
        yield "No answered query among them: no figures."
    elif report.by is None:
        yield _wall_line(report.total)
    else:
        yield from _legend(report)
    yield f"in no figure: {report.total.warmup} warm-up, {report.total.failed} failed"


def _legend(report: PartsReport) -> Iterator[str]:
    parts = [part for part in (*report.parts, report.total) if part.wall is not None]
    if report.total.needs_tree:
        yield "aside: traces that only the tree can judge, in no figure"
    if any(part.wall is not None and part.wall.p95_ns is None for part in parts):
        yield f"p95 – : fewer than {P95_FROM} queries"
    if not all(part.network_known for part in parts):
        yield "http – or ≥: some server could not be seen into, so the network is not known"


def _wall_line(part: Part) -> str:
    wall = part.wall
    if wall is None:
        return ""
    p95 = f"p95 needs {P95_FROM} queries" if wall.p95_ns is None else f"p95 {duration_text(wall.p95_ns)}"
    return f"wall time of a query: mean {duration_text(wall.mean_ns)}, p50 {duration_text(wall.median_ns)}, {p95}"


def _tables(report: PartsReport) -> Iterator[rows.Table]:
    if report.by is None:
        if report.total.answers:
            yield rows.breakdown(report.total)
        return
    yield _figures(report, report.by)
    yield from _phases(report, report.by)


def _named(report: PartsReport) -> list[tuple[str, Part]]:
    named = [(rows.one_line(part.name) or NO_MODEL, part) for part in report.parts]
    return [*named, (ALL, report.total)]


def _figures(report: PartsReport, by: By) -> rows.Table:
    aside = ("aside",) if report.total.needs_tree else ()
    numbers = ("queries", "failed", *aside, "mean", "p50", "p95", "generation")
    lines = tuple((name, *_figures_row(part, aside=bool(aside))) for name, part in _named(report))
    return rows.Table(
        _TITLES[by], (_KEYS[by], *numbers), lines, frozenset(numbers), frozenset({len(lines) - 1})
    )


def _figures_row(part: Part, *, aside: bool) -> tuple[str, ...]:
    counts = (str(part.answers), str(part.failed), *((str(part.needs_tree),) if aside else ()))
    if part.wall is None:
        return (*counts, *["–"] * 4)
    share = next(entry.share for entry in part.groups if entry.group is Group.GENERATION)
    p95 = "–" if part.wall.p95_ns is None else duration_text(part.wall.p95_ns)
    return (
        *counts,
        duration_text(part.wall.mean_ns),
        duration_text(part.wall.median_ns),
        p95,
        share_text(share),
    )


def _phases(report: PartsReport, by: By) -> Iterator[rows.Table]:
    """Seconds a query; as many tables as 80 columns ask for."""
    if not report.total.answers:
        return
    named = _named(report)
    names = _shortened([name for name, _ in named])
    timed = [rank for rank, entry in enumerate(report.total.phases) if entry.ns or not entry.known]
    cells = {rank: [_seconds(part, rank) for _, part in named] for rank in timed}
    widths = {rank: max(len(PHASES[rank].value), *map(len, found)) + 1 for rank, found in cells.items()}
    for ranks in _fitting(widths, WIDTH - 2 - min(max(map(len, names)), _NAME_WIDTH)):
        columns = tuple(PHASES[rank].value for rank in ranks)
        yield rows.Table(
            "Seconds a query, by phase",
            (_KEYS[by], *columns),
            tuple((name, *(cells[rank][i] for rank in ranks)) for i, name in enumerate(names)),
            frozenset(columns),
            frozenset({len(names) - 1}),
        )


def _shortened(names: Sequence[str]) -> list[str]:
    """Names without the owners of models, cut in front, if they still differ."""
    bare = [", ".join(one.rsplit("/", 1)[-1] for one in name.split(", ")) for name in names]
    short = [name if len(name) <= _NAME_WIDTH else f"…{name[1 - _NAME_WIDTH :]}" for name in bare]
    return short if len(set(short)) == len(set(names)) else list(names)


def _fitting(widths: Mapping[int, int], room: int) -> list[list[int]]:
    """The columns in as few tables as there is room for, about as many in each."""
    ranks = list(widths)
    for tables in range(1, len(ranks) + 1):
        size = -(-len(ranks) // tables)
        found = [ranks[start : start + size] for start in range(0, len(ranks), size)]
        if all(sum(widths[rank] for rank in some) <= room for some in found):
            return found
    return [[rank] for rank in ranks]


def _seconds(part: Part, rank: int) -> str:
    entry = part.phases[rank]
    if not part.answers:
        return "–"
    seconds = seconds_text(entry.ns / part.answers)
    if entry.known:
        return seconds
    return f"≥{seconds}" if entry.ns else "–"


def parts_json(total: Part, by: By | None, parts: Sequence[Part]) -> dict[str, Any]:
    """The figures as JSON values: those of all queries, then each part with its name."""
    from punie.trace.report.json_document import plain

    whole = plain(total)
    del whole["name"]
    return {**whole, "by": plain(by), "parts": plain(tuple(parts))}
