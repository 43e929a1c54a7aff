"""The tables of a report as rows of text, for every format that people read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from punie.trace.model import PHASE_GROUP, Group
from punie.trace.units import bytes_text, count_text, duration_text, percent_text, share_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.statistics.spread import Spread
    from punie.trace.analysis.summary.parts import Part
    from punie.trace.analysis.summary.summary import QuerySummary, RunAnalysis
    from punie.trace.analysis.summary.totals import GroupTotal, PhaseTotal, Totals
    from punie.trace.analysis.verdicts.assessment import Assessment
    from punie.trace.report.content import About

_Asked = TypeVar("_Asked")
_TRACE_ID: Final = re.compile(r"^[0-9a-f]{32}")
_ID_DIGITS: Final = 12
_NAMED: Final = 3
MOST_QUERIES: Final = 40  # what one still reads; JSON and CSV have all
NOT_KNOWN: Final = "not known"
QUESTIONS: Final = {
    "generation": "generation > 70 %",
    "accuracy": "accuracy 100 %",
    "target": "under target",
    "memory": "within memory",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; `right` names the columns that are numbers. `strong` marks rows that carry a subtotal."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str]
    strong: frozenset[int] = frozenset()


def headline(about: About, analysis: RunAnalysis) -> tuple[str, ...]:
    """What was run, and how much of it came to an answer."""
    what = " · ".join(part for part in (about.model, f"suite {about.suite}" if about.suite else "") if part)
    arms = [count_text(analysis.server_starts, "server start")]
    if analysis.caches:
        arms.append(f"prompt cache: {', '.join(analysis.caches)}")
    if about.draft:
        arms.append(f"draft: {about.draft}")
    planned = f" of {len(about.planned)} planned" if about.planned else ""
    asked = f"{count_text(len(analysis.records), 'query', 'queries')}{planned}"
    return tuple(line for line in (what, f"{asked} · {' · '.join(arms)}", *about.notes) if line)


def amount(about: About) -> str:
    """How much was read."""
    return f"{count_text(about.spans, 'span')} of {count_text(about.traces, 'trace')}"


def breakdown(totals: Totals | Part) -> Table:
    """Every group with its phases: time, share, contested time, and how it is known."""
    rows: list[tuple[str, ...]] = []
    strong: set[int] = set()
    for group in Group:
        entry = next(item for item in totals.groups if item.group is group)
        phases = [
            item for item in totals.phases if PHASE_GROUP[item.phase] is group and (item.ns or not item.known)
        ]
        if not phases:
            continue
        strong.add(len(rows))
        alone = len(phases) == 1 and phases[0].phase.value == group.value
        rows.append((group.value, *_time(entry), _known_from(phases[0]) if alone else ""))
        if not alone:
            rows += [(f"  {item.phase.value}", *_time(item), _known_from(item)) for item in phases]
    rows.append(("wall time", duration_text(totals.wall_ns), "100.0 %", "", ""))
    strong.add(len(rows) - 1)
    return Table(
        f"Where the time went: {count_text(totals.answers, 'answered query', 'answered queries')}",
        ("phase", "time", "share", "contested", "known from"),
        tuple(rows),
        frozenset({"time", "share", "contested"}),
        frozenset(strong),
    )


def _known_from(total: PhaseTotal) -> str:
    return ", ".join(how.value for how in total.provenance)


def _time(entry: PhaseTotal | GroupTotal) -> tuple[str, str, str]:
    if not entry.known:
        return (f"≥ {duration_text(entry.ns)}" if entry.ns else NOT_KNOWN, NOT_KNOWN, "")
    contested = duration_text(entry.contested_ns) if entry.contested_ns else ""
    return duration_text(entry.ns), share_text(entry.share), contested


def queries(analysis: RunAnalysis) -> Table:
    """One row a query asked; where queries were repeated, one row a query over its repeats. Of many the slowest."""
    if any(summary.asked > 1 for summary in analysis.queries):
        return _repeated(analysis.queries)
    numbers = ("wall", "gen", "tool", "turns", "tools", "in", "cached", "out")
    shown = _slowest(analysis.records, lambda record: record.wall_ns)
    title = _title("Queries", len(shown), len(analysis.records))
    return Table(title, ("query", *numbers, "score"), tuple(map(_query_row, shown)), frozenset(numbers))


def _slowest(found: Sequence[_Asked], wall_ns: Callable[[_Asked], int]) -> Sequence[_Asked]:
    """All in their order, or the slowest first if they are more than anybody reads."""
    if len(found) <= MOST_QUERIES:
        return found
    return sorted(found, key=wall_ns, reverse=True)[:MOST_QUERIES]


def _title(title: str, shown: int, count: int) -> str:
    return title if shown == count else f"{title}: the {shown} slowest of {count:,} (JSON and CSV have all)"


def with_short_ids(table: Table) -> Table:
    """The same with the trace ids in its first column cut, if they still differ: a whole one takes half a line."""
    names = [row[0] for row in table.rows]
    short = [_TRACE_ID.sub(lambda found: f"{found[0][:_ID_DIGITS]}…", name) for name in names]
    if len(set(short)) < len(set(names)):
        short = [_TRACE_ID.sub(lambda found: f"…{found[0][-_ID_DIGITS:]}", name) for name in names]
    if len(set(short)) < len(set(names)):
        return table
    return replace(table, rows=tuple((name, *row[1:]) for name, row in zip(short, table.rows, strict=True)))


def _repeated(summaries: Sequence[QuerySummary]) -> Table:
    numbers = ("asked", "right", "mean", "median", "max", "gen", "tool")
    shown = _slowest(summaries, lambda one: one.totals.wall.mean_ns if one.totals else 0)
    title = _title("Queries, over their repeats", len(shown), len(summaries))
    return Table(title, ("query", *numbers), tuple(map(_repeated_row, shown)), frozenset(numbers))


def _repeated_row(summary: QuerySummary) -> tuple[str, ...]:
    right = str(summary.right) if summary.scored else "–"
    totals = summary.totals
    if totals is None:
        return (summary.query_id, str(summary.asked), right, *["–"] * 5)
    shares = {item.group: percent_text(item.share) for item in totals.groups}
    walls = (totals.wall.mean_ns, totals.wall.median_ns, totals.wall.max_ns)
    return (
        summary.query_id,
        str(summary.asked),
        right,
        *map(duration_text, walls),
        shares[Group.GENERATION],
        shares[Group.TOOL],
    )


def _query_row(record: QueryRecord) -> tuple[str, ...]:
    wall = record.wall_ns
    groups = (Group.GENERATION, Group.TOOL)
    return (
        record.query_id,
        duration_text(wall),
        *(percent_text(record.ledger.group_ns(group) / wall) if wall else "–" for group in groups),
        str(record.model_requests),
        str(record.tool_calls),
        *(_count(n) for n in (record.input_tokens, record.cached_tokens, record.output_tokens)),
        score_text(record),
    )


def score_text(record: QueryRecord) -> str:
    """One word: what was wrong stands in the list of failures."""
    if record.error is not None:
        return "error"
    if record.ok is None:
        return "–"
    return "ok" if record.ok else "failed"


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)


def speed(analysis: RunAnalysis) -> Table:
    """Spreads: wall time, time to first chunk, time per output token, warm-up."""
    rows: list[tuple[str, ...]] = []
    if analysis.totals is not None:
        totals = analysis.totals
        rows.append(("wall time", *_spread(totals.wall)))
        if totals.time_to_first_chunk is not None:
            rows.append(("time to first chunk", *_spread(totals.time_to_first_chunk)))
        if totals.token_time.spread is not None:
            rows.append(("time per output token", *_spread(totals.token_time.spread)))
    if analysis.warmup_wall is not None:
        rows.append(("warm-up, apart", *_spread(analysis.warmup_wall)))
    return Table("Spread", ("", "n", "mean", "median", "p95", "p99"), tuple(rows), frozenset(_SPREAD_COLUMNS))


_SPREAD_COLUMNS: Final = ("n", "mean", "median", "p95", "p99")


def _spread(values: Spread) -> tuple[str, ...]:
    tails = [duration_text(ns) if ns is not None else "–" for ns in (values.p95_ns, values.p99_ns)]
    return (str(values.count), duration_text(values.mean_ns), duration_text(values.median_ns), *tails)


def estimate_text(finding: Assessment) -> str:
    """A verdict's figure in the unit it has."""
    if finding.estimate is None:
        return NOT_KNOWN
    if finding.unit.startswith("share"):
        return share_text(finding.estimate)
    if finding.unit.startswith("bytes"):
        return bytes_text(finding.estimate)
    return duration_text(finding.estimate)


def known_from_line(analysis: RunAnalysis) -> str | None:
    """How each query's generation is known: one answer for all, or which queries have which; None without queries.

    The fewest are named first, and at most `_NAMED` of a kind.
    """
    queries: dict[str, list[str]] = {}
    for record in analysis.records:
        said = {
            how.value
            for phase, hows in record.ledger.provenance.items()
            if PHASE_GROUP[phase] is Group.GENERATION
            for how in hows
        }
        name = f"{record.query_id} #{record.server_start}.{record.repeat}"
        queries.setdefault(" + ".join(sorted(said)) or "nothing", []).append(name)
    if not queries:
        return None
    if len(queries) == 1:
        (how,) = queries
        return f"generation is known from: {how} (every query)"
    fewest_first = sorted(queries.items(), key=lambda item: (len(item[1]), item[0]))
    return "generation is known from: " + "; ".join(
        f"{how} ({count_text(len(names), 'query', 'queries')}: {_some(names)})" for how, names in fewest_first
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def failures(analysis: RunAnalysis) -> tuple[str, ...]:
    """Each failed query with its reasons; none of them is in an average. Of many the first."""
    more = len(analysis.failed) - MOST_QUERIES
    return (
        *map(_failure, analysis.failed[:MOST_QUERIES]),
        *((f"and {more:,} more (JSON and CSV have all)",) if more > 0 else ()),
    )


def _failure(record: QueryRecord) -> str:
    reasons = record.error or "; ".join(record.failure_details) or ", ".join(record.failures)
    where = f"{record.query_id} #{record.server_start}.{record.repeat}"
    return f"{where}: {one_line(reasons)} (trace {record.trace_id})"


def one_line(text: str) -> str:
    """Somebody's words on one line, without what a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
