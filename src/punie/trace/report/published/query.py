"""One query as programs read it. `query.schema.json` beside this file is made from these types.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from punie.trace.analysis.transcript.transcript import Transcript
from punie.trace.analysis.waterfall.model import Row, Track, Window
from punie.trace.model import Phase
from punie.trace.report.content import QueryContent
from punie.trace.report.published.base import Published
from punie.trace.report.published.run import Query, query_values


class Piece(msgspec.Struct, frozen=True):
    """A part of the critical path: the query waited for the row at this index."""

    row: int
    start_ns: int
    end_ns: int


class LedgerPiece(msgspec.Struct, frozen=True):
    """A part of the query's time, and the phase to which it belongs."""

    phase: Phase
    start_ns: int
    end_ns: int
    is_contested: bool


class QueryDocument(Published, frozen=True, kw_only=True):
    """One query: times of rows and pieces are nanoseconds since its start. `said` is content.

    `path` and `ledger` each tile the query's wall time. `left_out` counts spans that repeat what a row shows.
    """

    schema: Literal["punie.trace.query"] = "punie.trace.query"
    schema_version: Literal[1] = 1
    source: str
    query: Query
    tracks: tuple[Track, ...]
    rows: tuple[Row, ...]
    path: tuple[Piece, ...]
    ledger: tuple[LedgerPiece, ...]
    gaps: tuple[Window, ...]
    left_out: int
    said: Transcript


def publish_query(report: QueryContent) -> QueryDocument:
    """The report as its published type."""
    drawn = report.waterfall
    values: Mapping[str, Any] = {
        "source": report.source,
        "query": query_values(drawn.record),
        "tracks": drawn.tracks,
        "rows": drawn.rows,
        "path": [Piece(at.span, at.start_ns, at.end_ns) for at in drawn.path],
        "ledger": [at._asdict() for at in drawn.stretches],
        "gaps": drawn.gaps,
        "left_out": drawn.left_out,
        "said": report.transcript,
    }
    return msgspec.convert(values, QueryDocument, from_attributes=True)
