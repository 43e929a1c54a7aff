"""From spans to the report of one query."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from punie.trace.analysis.pipeline import read_queries
from punie.trace.report.content import QueryReport
from punie.trace.units import count_text
from punie.trace.usecases.query_choice import asking, choose_query
from punie.trace.usecases.run_report import drawings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie.trace.analysis.records import QueryRecord
    from punie.trace.usecases.load import Loaded


def report_query(loaded: Loaded, name: str | None, *, full: bool) -> QueryReport:
    """The query that `name` means; without a name the slowest, with the others. Raises as `choose_query`."""
    planned = loaded.plan.planned if loaded.plan else ()
    records = read_queries(loaded.spans, planned, now_ns=loaded.now_ns).records
    record = choose_query(records, name)
    drawings = drawings_of([loaded], (record,))
    (waterfall,) = drawings.draw((record,))
    others = () if name else tuple(one for one in records if not one.warmup and one is not record)
    return QueryReport(
        source=loaded.source,
        waterfall=waterfall,
        transcript=drawings.quote(waterfall),
        drawings=replace(drawings, records=(record,)),
        others=others,
        full=full,
        notes=_which(records, record, name),
    )


def _which(records: Sequence[QueryRecord], record: QueryRecord, name: str | None) -> tuple[str, ...]:
    """Which asking of several it is, unless somebody named it."""
    same = [one for one in records if one.query_id == record.query_id]
    if len(same) < 2 or name not in (None, record.query_id):
        return ()
    names = ", ".join(asking(one) for one in same if one is not record)
    return (f"the slowest of {count_text(len(same), 'asking')}, {asking(record)}; the others: {names}",)
