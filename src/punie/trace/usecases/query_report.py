"""From spans to the report of one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.pipeline import read_queries
from punie.trace.errors import InputError, UsageError, did_you_mean
from punie.trace.report.content import QueryContent
from punie.trace.report.inert import one_line
from punie.trace.units import count_text
from punie.trace.usecases.run_report import drawings_of

if TYPE_CHECKING:
    from punie.trace.analysis.records import QueryRecord
    from punie.trace.usecases.load import LoadedSource


def report_query(loaded: LoadedSource, name: str | None, *, full: bool) -> QueryContent:
    """The query that `name` means; without a name the slowest, with the others. Raises as `choose_query`."""
    planned = loaded.plan.planned if loaded.plan else ()
    records = read_queries(loaded.spans, planned, now_ns=loaded.now_ns).records
    record = choose_query(records, name)
    drawings = drawings_of([loaded], (record,))
    (waterfall,) = drawings.draw((record,))
    others = () if name else tuple(one for one in records if not one.warmup and one is not record)
    return QueryContent(
        source=loaded.source,
        waterfall=waterfall,
        transcript=drawings.quote(waterfall),
        drawings=replace(drawings, records=(record,)),
        others=others,
        full=full,
        notes=_execution_note(records, record, name),
    )


def _execution_note(records: Sequence[QueryRecord], record: QueryRecord, name: str | None) -> tuple[str, ...]:
    """Which execution of several it is, unless somebody named it."""
    same = [one for one in records if one.query_id == record.query_id]
    if len(same) < 2 or name not in (None, record.query_id):
        return ()
    names = ", ".join(query_name(one) for one in same if one is not record)
    return (
        f"the slowest of {count_text(len(same), 'execution')}, {query_name(record)}; the others: {names}",
    )


_LEAST_ID: Final = 6  # characters of a trace id
_NAMED: Final = 8


def query_name(record: QueryRecord) -> str:
    """The name of one execution of a query, as reports write it: `view-functions#0.1` (server start, repeat)."""
    return f"{record.query_id}#{record.server_start}.{record.repeat}"


def choose_query(records: Sequence[QueryRecord], name: str | None) -> QueryRecord:
    """The execution that `name` means: a query's name (its slowest), one with `#START.REPEAT`, a trace id's beginning.

    Without a name it is the slowest query that was asked. Raises InputError if there is none, UsageError if the name is
    none of them.
    """
    measured = [record for record in records if not record.warmup]
    if name is None:
        if not measured:
            raise InputError(
                "no query was asked in this source", remedy="`punie-trace report` says what is in it"
            )
        return _slowest(measured)
    matches = [
        one for one in records if name in (one.query_id, query_name(one), query_name(one).replace("#", " #"))
    ]
    if not matches and len(name) >= _LEAST_ID:
        matches = [record for record in records if record.trace_id.startswith(name.lower())]
    if not matches:
        raise _unknown(measured, name)
    return _slowest(matches)


def _slowest(records: Sequence[QueryRecord]) -> QueryRecord:
    return max(records, key=lambda record: record.wall_ns)


def _unknown(measured: Sequence[QueryRecord], name: str) -> UsageError:
    names = list(dict.fromkeys(one_line(record.query_id) for record in measured))
    more = ", …" if len(names) > _NAMED else ""
    return UsageError(
        f"no query is called {name!r}{did_you_mean(name, names)}",
        remedy=f"one of: {', '.join(names[:_NAMED])}{more}" if names else "leave the query out",
    )
