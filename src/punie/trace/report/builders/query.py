"""One query as a report: its waterfall, its turns, what was said, why it was scored so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from punie.trace.analysis.foreign.messages import from_json
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.transcript.transcript import ToolUse, Transcript, Turn
from punie.trace.analysis.waterfall.model import Row, Waterfall
from punie.trace.model import PHASES
from punie.trace.report import figures
from punie.trace.report.builders.queries import DISTURBED, score
from punie.trace.report.content import QueryContent
from punie.trace.report.document import Cell, Document, Figure, Quote, Section, Table, Unit, notes
from punie.trace.report.inert import readable
from punie.trace.report.published.query import publish_query
from punie.trace.units import count_text, duration_text, percent_text

_TURNS: Final = ("turn", "prompt", "cached", "output", "first token", "time", "tools")
_OTHERS: Final = ("query", "wall", "turns", "tools", "score")
_PHASES: Final = ("phase", "time", "share", "on path")
_MOST_LINES: Final = 12
_MOST_OTHERS: Final = 20
_NO_CONTENT: Final = (
    "These spans hold no content: it was not recorded, or was taken off before they were sent. Runs keep it in their "
    "run folder."
)


def build_query(report: QueryContent) -> Document:
    """The whole document."""
    record = report.waterfall.record
    return Document(
        title=report.source,
        data=partial(publish_query, report),
        headline=_headline(record),
        lines=(*_about(record), *report.notes),
        sections=tuple(filter(None, _sections(report))),
        drawings=report.drawings,
    )


def _headline(record: QueryRecord) -> str:
    ledger = record.ledger
    largest = sorted(PHASES, key=lambda phase: -ledger.phases_ns[phase])[:2]
    shares = [
        f"{percent_text(ledger.phases_ns[phase] / record.wall_ns)} {phase.value}"
        for phase in largest
        if ledger.phases_ns[phase]
    ]
    return f"{record.query_id}: {duration_text(record.wall_ns)}" + (
        f", {', '.join(shares)}" if shares else ""
    )


def _about(record: QueryRecord) -> Iterator[str]:
    parts = [f"server start {record.server_start}", f"repeat {record.repeat}"]
    parts += ["warm-up"] if record.warmup else []
    parts += [f"prompt cache: {record.cache}"] if record.cache else []
    yield " · ".join([*parts, f"trace {record.trace_id}"])


def _sections(report: QueryContent) -> Iterator[Section]:
    waterfall = report.waterfall
    spans = count_text(len(waterfall.rows), "span")
    yield Section(f"Waterfall: {duration_text(waterfall.wall_ns)}, {spans}", waterfall=waterfall)
    yield _phases(waterfall)
    yield _turns(waterfall, report.transcript)
    yield _conversation(waterfall, report.transcript, full=report.full)
    yield _score(waterfall.record)
    yield _others(report.others)


def _phases(waterfall: Waterfall) -> Section:
    record = waterfall.record
    path = record.critical_path.phases_ns if record.critical_path else {}
    rows = tuple(
        (
            phase.value,
            figures.duration(ns),
            figures.share(ns / record.wall_ns),
            figures.duration(path.get(phase)),
        )
        for phase in PHASES
        if (ns := record.ledger.phases_ns[phase])
    )
    total = (
        "wall time",
        figures.duration(record.wall_ns),
        figures.share(1.0),
        figures.duration(record.wall_ns),
    )
    return Section("Where the time went", table=Table(_PHASES, (*rows, total), frozenset({len(rows)})))


def _turns(waterfall: Waterfall, transcript: Transcript) -> Section:
    rows = tuple(
        _turn_row(number, waterfall.rows[turn.row], len(turn.tools))
        for number, turn in enumerate(transcript.turns, 1)
    )
    return Section("Turns", table=Table(_TURNS, rows))


def _turn_row(number: int, row: Row, tools: int) -> tuple[Cell, ...]:
    tokens = row.tokens
    counts = (tokens.input, tokens.cached, tokens.output) if tokens else (None, None, None)
    return (
        Figure(number, Unit.COUNT, str(number)),
        *map(figures.count, counts),
        figures.duration(row.first_chunk_ns),
        figures.duration(row.duration_ns),
        figures.count(tools),
    )


def _conversation(waterfall: Waterfall, transcript: Transcript, *, full: bool) -> Section:
    if not transcript.has_content:
        return Section("What was said", notes=notes(_NO_CONTENT))
    return Section("What was said", quotes=tuple(quotes(waterfall, transcript, full=full)))


def quotes(waterfall: Waterfall, transcript: Transcript, *, full: bool) -> Iterator[Quote]:
    """What was said in the order of time, from the question to the answer; long texts cut unless `full`."""
    cut = (lambda label, text: Quote(label, text)) if full else _cut
    if transcript.question is not None:
        yield cut("question", transcript.question)
    for use in transcript.tools_before:
        yield from (cut(label, text) for label, text in _tool(waterfall, use))
    for number, turn in enumerate(transcript.turns, 1):
        is_answer = number == len(transcript.turns) and turn.text == transcript.answer
        yield from (
            cut(label, text) for label, text in _turn(waterfall, number, turn, without_text=is_answer)
        )
    yield cut("answer", transcript.answer) if transcript.answer is not None else Quote("answer", "(none)")


def _turn(waterfall: Waterfall, number: int, turn: Turn, *, without_text: bool) -> Iterator[tuple[str, str]]:
    if turn.thinking:
        yield f"turn {number}: the model thought", turn.thinking
    if turn.text and not without_text:
        yield f"turn {number}: the model said", turn.text
    for use in turn.tools:
        yield from _tool(waterfall, use, f"turn {number}: ")


def _tool(waterfall: Waterfall, use: ToolUse, before: str = "") -> Iterator[tuple[str, str]]:
    yield f"{before}tool call", call_text(use)
    if use.row is None:
        yield f"{before}{use.name} was not run, or no span shows it", ""
        return
    row = waterfall.rows[use.row]
    how = f", failed: {row.error}" if row.error else ""
    yield (
        f"{before}{use.name} returned in {duration_text(row.duration_ns)}{how}",
        use.result or "(nothing recorded)",
    )


def call_text(use: ToolUse) -> str:
    """A call as code: `grep(pattern="cart")`."""
    arguments = from_json(use.arguments or "")
    if not isinstance(arguments, dict):
        return f"{use.name}({use.arguments or ''})"
    values = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    return f"{use.name}({', '.join(values)})"


def _cut(label: str, text: str) -> Quote:
    """The beginning of a long text, of lines that anybody reads."""
    lines = [readable(line) for line in text.splitlines()]
    if len(lines) <= _MOST_LINES:
        return Quote(label, "\n".join(lines))
    shown = _MOST_LINES - 2
    return Quote(label, "\n".join(lines[:shown]), len(lines) - shown)


def _score(record: QueryRecord) -> Section:
    expected = f" Expected: {record.expected}." if record.expected else ""
    if record.error is not None:
        return Section("Score", notes=notes(f"error: {record.error}.{expected}"))
    if record.disturbed_by is not None:
        return Section(
            "Score", notes=notes(f"excluded from averages: {DISTURBED[record.disturbed_by]}.{expected}")
        )
    if record.ok is None:
        return Section("Score", notes=notes(f"not scored: no expected answer is known.{expected}"))
    if record.ok:
        return Section("Score", notes=notes(f"ok: every check passed.{expected}"))
    why = record.failure_details or record.failures
    named = f"failed: {', '.join(record.failures)}.{expected}"
    return Section("Score", notes=notes(named, *(f"{detail}" for detail in why)))


def _others(others: Sequence[QueryRecord]) -> Section:
    shown = sorted(others, key=lambda record: -record.wall_ns)[:_MOST_OTHERS]
    rows = tuple(
        (
            record.query_id,
            figures.duration(record.wall_ns),
            figures.count(record.model_requests),
            figures.count(record.tool_calls),
            score(record),
        )
        for record in shown
    )
    more = f", the {len(shown)} slowest of {len(others):,}" if len(shown) < len(others) else ""
    return Section(f"Other queries{more}: punie-trace show SOURCE QUERY", table=Table(_OTHERS, rows))
