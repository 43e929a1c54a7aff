"""Queries one by one: a folded entry each, with its waterfall, its turns and, if it is wanted, what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.model import PHASES
from punie.trace.report.builders.queries import score
from punie.trace.report.builders.query import quotes
from punie.trace.report.builders.turns import turns_table
from punie.trace.report.drawn_queries import choose
from punie.trace.report.writers.html.charts import legend
from punie.trace.report.writers.html.markup import Markup, prose, tag
from punie.trace.report.writers.html.quotes import draw_quotes
from punie.trace.report.writers.html.rows import draw_rows
from punie.trace.report.writers.html.svg import tone
from punie.trace.report.writers.html.tables import table
from punie.trace.units import count_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.waterfall.model import Waterfall
    from punie.trace.report.drawings import Drawings

MOST_ROWS: Final = 4_000  # of all waterfalls of a page: about a megabyte
_VERDICTS: Final = {"ok": "yes", "failed": "no", "error": "no", "disturbed": "undecided"}
_HOW: Final = (
    "A row is a span, a colour its phase. ◆ and an outline mark the critical path, what the query waited for. "
    "Hatched: nothing says what was done, or two kinds of work at once."
)


def waterfalls(drawings: Drawings) -> Iterator[Markup]:
    """The queries that are drawn, and their turns; nothing where none can be."""
    chosen = choose(drawings.records)
    drawn = list(_within(drawings.draw([one.record for one in chosen])))
    if not drawn:
        return
    why = {one.record.ledger.query_key: one.why for one in chosen}
    measured = sum(not record.warmup for record in drawings.records)
    yield tag(
        "section",
        tag("h2", "Waterfalls, the slowest first", id="h-waterfalls"),
        tag("p", _HOW, class_="how"),
        _find(),
        legend({phase: tone(phase) for phase in _phases(drawn)}),
        *(
            _entry(
                waterfall,
                why[waterfall.record.ledger.query_key],
                _conversation(waterfall, drawings),
                is_open=not index,
            )
            for index, waterfall in enumerate(drawn)
        ),
        _left_out(len(drawn), measured),
        id="waterfalls",
        aria_labelledby="h-waterfalls",
    )
    turns = turns_table(drawn)
    if turns.rows:
        yield tag(
            "section",
            tag("h2", "Turns: what each model call was asked", id="h-turns"),
            table(turns, labelled_by="h-turns"),
            id="turns",
            aria_labelledby="h-turns",
        )


def one_waterfall(waterfall: Waterfall) -> Markup:
    """A single query's, as a part of a section about it."""
    record = waterfall.record
    return tag(
        "div",
        tag("p", _HOW, class_="how"),
        legend({phase: tone(phase) for phase in _phases([waterfall])}),
        draw_rows(waterfall, record.query_id),
        class_="query alone",
        data_key=record.ledger.query_key,
    )


def _conversation(waterfall: Waterfall, drawings: Drawings) -> Markup | None:
    """Content: only if somebody asked for it, and where the spans have it."""
    if not drawings.with_content:
        return None
    transcript = drawings.quote(waterfall)
    if not transcript.has_content:
        return tag("p", "These spans hold no content.", class_="aside")
    return draw_quotes(quotes(waterfall, transcript, full=False))


def _phases(drawn: Iterable[Waterfall]) -> list[str]:
    """Those that any row or any stretch has, in the order of the ledger."""
    seen = {row.phase for waterfall in drawn for row in waterfall.rows}
    seen |= {stretch.phase for waterfall in drawn for stretch in waterfall.stretches}
    return [phase.value for phase in PHASES if phase in seen]


def _find() -> Markup:
    """What the script does here; without it there is nothing of this to be seen."""
    field = tag("input", id="find", type="search", placeholder="name, ok, failed …")
    keys = tag("button", "Keys ", tag("kbd", "?"), id="help", type="button")
    return tag("p", tag("label", "Find ", field), keys, class_="find", hidden=True)


def _within(waterfalls: Iterable[Waterfall]) -> Iterator[Waterfall]:
    """As many as a page has room for."""
    rows = 0
    for waterfall in waterfalls:
        rows += len(waterfall.rows)
        if rows > MOST_ROWS:
            return
        yield waterfall


def _entry(waterfall: Waterfall, why: str, conversation: Markup | None, *, is_open: bool) -> Markup:
    record = waterfall.record
    name = f"{record.query_id} #{record.server_start}.{record.repeat}"
    return tag(
        "details",
        tag("summary", *_summary(record, name, why)),
        draw_rows(waterfall, name),
        conversation,
        class_="query",
        open=is_open,
        data_key=record.ledger.query_key,
    )


def _summary(record: QueryRecord, name: str, why: str) -> Iterator[Markup]:
    word = score(record)
    yield tag("span", name, class_="name")
    yield tag("span", duration_text(record.wall_ns), class_="n", data_v=f"{record.wall_ns}ns")
    counts = (count_text(record.model_requests, "turn"), count_text(record.tool_calls, "tool call"))
    yield tag("span", " · ".join(counts), class_="dim")
    if why:
        yield tag("span", why, class_="why")
    if word in _VERDICTS:
        yield tag("span", tag("strong", word, class_="verdict"), class_=_VERDICTS[word])


def _left_out(drawn: int, measured: int) -> Markup | None:
    if drawn >= measured:
        return None
    left = count_text(measured - drawn, "query is", "queries are")
    sentence = f"{left} not drawn: here are the slowest, the typical and the failed ones of {measured:,}."
    return tag("p", prose(f"{sentence} `punie-trace show` draws any of them."), class_="aside")
