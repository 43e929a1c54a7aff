"""The model calls of drawn queries: what each was asked, what came from the cache, and how fast it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.model import Phase
from punie.trace.report import figures
from punie.trace.report.document import Table
from punie.trace.report.figures import Figure, Unit
from punie.trace.report.inert import one_line
from punie.trace.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from punie.trace.analysis.waterfall.model import Row, Waterfall
    from punie.trace.report.document import Cell

TURNS: Final = ("query", "turn", "time", "prompt", "cached", "output", "first token", "prefill", "decode")


def turns_table(waterfalls: Iterable[Waterfall]) -> Table:
    """A row a turn, with the speeds of prefill and decode; calls that don't report their tokens have none."""
    return Table(TURNS, tuple(row for waterfall in waterfalls for row in _turns(waterfall)))


def _turns(waterfall: Waterfall) -> Iterator[tuple[Cell, ...]]:
    record = waterfall.record
    name = f"{one_line(record.query_id)} #{record.server_start}.{record.repeat}"
    calls = [at for at in range(len(waterfall.rows)) if _is_call(waterfall, at)]
    for number, at in enumerate(sorted(calls, key=lambda at: waterfall.rows[at].start_ns), start=1):
        yield (name, figures.count(number), *_figures(waterfall, at))


def _is_call(waterfall: Waterfall, at: int) -> bool:
    """Of calls around each other the outermost one: the server's own says the same again."""
    rows = waterfall.rows
    return _has_tokens(rows[at]) and not any(_has_tokens(rows[above]) for above in waterfall.above(at))


def _has_tokens(row: Row) -> bool:
    return row.tokens is not None and row.tokens.input is not None and row.tokens.output is not None


def _figures(waterfall: Waterfall, at: int) -> tuple[Cell, ...]:
    row = waterfall.rows[at]
    tokens = row.tokens
    prompt, cached = (tokens.input, tokens.cached) if tokens else (None, None)
    written = tokens.output if tokens else None
    read = prompt - cached if prompt is not None and cached is not None else None
    return (
        figures.duration(row.duration_ns),
        *map(figures.count, (prompt, cached, written)),
        figures.duration(row.first_chunk_ns),
        _speed(read, _spent_ns(waterfall, at, Phase.PREFILL)),
        _speed(written, _spent_ns(waterfall, at, Phase.DECODE)),
    )


def _spent_ns(waterfall: Waterfall, at: int, phase: Phase) -> int:
    """What the spans of a phase below a call took; 0 where nothing shows it."""
    return sum(
        row.duration_ns
        for below, row in enumerate(waterfall.rows)
        if row.phase is phase and at in waterfall.above(below)
    )


def _speed(tokens: int | None, ns: int) -> Figure:
    if not tokens or not ns:
        return figures.count(None)
    per_second = tokens * NS_PER_S / ns
    shown = f"{per_second:.3g}" if per_second < 1000 else f"{per_second:,.0f}"
    return Figure(per_second, Unit.COUNT, f"{shown} tok/s")
