"""The ledger: per query the integer nanoseconds of every phase, computed by one SQL text on any engine.

The text is `ledger.sql` beside this file, written out rather than generated: it is the definition, meant to be
read and to be pasted into an engine as it stands. A test holds its ranks and groups against `Phase`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Final, Protocol

from punie.trace.analysis.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.model import PHASE_RANK, PHASES, Phase, Provenance

PROVENANCES: Final = tuple(Provenance)
_PROVENANCE_RANK: Final = {provenance: rank for rank, provenance in enumerate(PROVENANCES)}

SpanRow = tuple[str, str, str, str | None, int, int, int, int, int]
"""query_key, trace_id, span_id, parent_id, start_ns, end_ns, phase_rank, provenance_rank, is_root."""

LedgerRow = tuple[str, int, int, int | None, int | None, int | None, int | None]
"""query_key, start_ns, wall_ns, phase_rank, ns, contested_ns, provenances; the last four None: no time at all."""


class Engine(Protocol):
    """Something that runs the ledger's SQL text over rows of spans."""

    def run(self, sql: str, rows: Iterable[SpanRow]) -> Sequence[LedgerRow]:
        """The result of `sql` over a relation `spans` that holds `rows`, in any order."""
        ...


@cache
def ledger_sql() -> str:
    """The SQL text, as it runs on every engine."""
    return files("punie.trace.analysis").joinpath("ledger.sql").read_text(encoding="utf-8")


def compute_ledgers(spans: Iterable[PhasedSpan], engine: Engine) -> tuple[QueryLedger, ...]:
    """One checked ledger a query, in the order of their start."""
    return decode_ledgers(engine.run(ledger_sql(), span_rows(spans)))


def span_rows(spans: Iterable[PhasedSpan]) -> Iterator[SpanRow]:
    """The spans as rows of the relation that the SQL text reads."""
    for span in spans:
        yield (
            span.query_key,
            span.trace_id,
            span.span_id,
            span.parent_id,
            span.start_ns,
            span.end_ns,
            PHASE_RANK[span.phase],
            _PROVENANCE_RANK[span.provenance],
            int(span.is_root),
        )


def decode_ledgers(rows: Iterable[LedgerRow]) -> tuple[QueryLedger, ...]:
    """Ledgers from the rows of any engine, each checked: a sum that is off is a bug and raises."""
    by_query = groupby(sorted(rows, key=itemgetter(0)), key=itemgetter(0))
    ledgers = [_decode(list(found)) for _, found in by_query]
    for ledger in ledgers:
        ledger.check()
    return tuple(sorted(ledgers, key=lambda ledger: (ledger.start_ns, ledger.query_key)))


def _decode(rows: Sequence[LedgerRow]) -> QueryLedger:
    query_key, start_ns, wall_ns = rows[0][:3]
    phases_ns = dict.fromkeys(PHASES, 0)
    contested_ns = dict.fromkeys(PHASES, 0)
    provenance: dict[Phase, tuple[Provenance, ...]] = dict.fromkeys(PHASES, ())
    for *_, rank, ns, contested, provenances in rows:
        if not ns:
            continue
        phase = PHASES[rank or 0]
        phases_ns[phase] += ns
        contested_ns[phase] += contested or 0
        provenance[phase] = _provenances(provenances or 0)
    return QueryLedger(
        query_key=query_key,
        start_ns=start_ns,
        wall_ns=wall_ns,
        phases_ns=MappingProxyType(phases_ns),
        contested_ns=MappingProxyType(contested_ns),
        provenance=MappingProxyType(provenance),
    )


def _provenances(mask: int) -> tuple[Provenance, ...]:
    return tuple(provenance for rank, provenance in enumerate(PROVENANCES) if mask >> rank & 1)
