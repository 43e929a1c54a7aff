"""The ledger: per query the integer nanoseconds of every phase, computed by one SQL text on any engine.

The text is `ledger.sql` beside this file, written out rather than generated: it is the definition, meant to be
read and to be pasted into an engine as it stands. Very long queries need wider counts, which make it slower: for
them a part of it is replaced by `ledger_wide.sql`. A test holds the ranks and groups of both against `Phase`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Final, Protocol

from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.errors import InputError
from punie.trace.model import PHASE_RANK, PHASES, Phase, Provenance

PROVENANCES: Final = tuple(Provenance)
_COUNTED_FROM: Final = "packed AS ("
_COUNTED_UNTIL: Final = "shares AS ("
_PROVENANCE_RANK: Final = {provenance: rank for rank, provenance in enumerate(PROVENANCES)}

SpanRow = tuple[int, int, int | None, int, int, int, int, int]
"""query_key, span_id, parent_id, start_ns, end_ns, phase_rank, provenance_rank, is_root: whole numbers all."""

LedgerRow = tuple[int, int, int, int | None, int | None, int | None, int | None, int | None]
"""query_key, start_ns, wall_ns, phase_rank, ns, contested_ns, provenances, spans; no time at all: the last five
None, or 0 where an engine has no other word for what a join didn't find."""

MOST_NARROW_SPANS: Final = 2**12 - 1
"""As many spans as one query may have for the text as it stands, which counts the open ones in 12 bits."""

MOST_SPANS: Final = 2**21 - 1
"""As many spans as one query may have at all: the wide text counts the open ones in 21 bits."""


class Engine(Protocol):
    """Something that runs the ledger's SQL text over rows of spans."""

    def run(self, sql: str, rows: Iterable[SpanRow]) -> Sequence[LedgerRow]:
        """The result of `sql` over a relation `spans` that holds `rows`, in any order."""
        ...


@cache
def ledger_sql(*, wide: bool = False) -> str:
    """The SQL text, as it runs on every engine; `wide` where a query has more than `MOST_NARROW_SPANS`."""
    folder = files("punie.trace.analysis.ledger")
    text = folder.joinpath("ledger.sql").read_text(encoding="utf-8")
    if not wide:
        return text
    before, _, rest = text.partition(_COUNTED_FROM)
    _, *after = rest.partition(_COUNTED_UNTIL)
    return before + folder.joinpath("ledger_wide.sql").read_text(encoding="utf-8") + "".join(after)


def compute_ledgers(spans: Collection[PhasedSpan], engine: Engine) -> tuple[QueryLedger, ...]:
    """One checked ledger a query, in the order of their start. Raises InputError for one with too many spans."""
    counts = Counter(span.query_key for span in spans)
    wide = max(counts.values(), default=0) > MOST_NARROW_SPANS
    numbers = Numbers()
    rows = span_rows(spans, numbers)
    return decode_ledgers(engine.run(ledger_sql(wide=wide), rows), list(numbers.queries))


@dataclass(slots=True)
class Numbers:
    """Whole numbers in place of a query's name and of a span's ids, given when they are first met, from 0."""

    queries: dict[str, int] = field(default_factory=dict)
    spans: dict[tuple[str, str], int] = field(default_factory=dict)

    def of_query(self, name: str) -> int:
        """The number of a query."""
        return self.queries.setdefault(name, len(self.queries))

    def of_span(self, trace_id: str, span_id: str) -> int:
        """The number of a span, or of a parent that may never come."""
        return self.spans.setdefault((trace_id, span_id), len(self.spans))


def span_rows(spans: Iterable[PhasedSpan], numbers: Numbers) -> Iterator[SpanRow]:
    """The spans as rows of the relation that the SQL text reads, with the numbers that `numbers` gives."""
    for span in spans:
        parent = span.parent_id
        yield (
            numbers.of_query(span.query_key),
            numbers.of_span(span.trace_id, span.span_id),
            None if parent is None else numbers.of_span(span.trace_id, parent),
            span.start_ns,
            span.end_ns,
            PHASE_RANK[span.phase],
            _PROVENANCE_RANK[span.provenance],
            int(span.is_root),
        )


def decode_ledgers(rows: Iterable[LedgerRow], names: Sequence[str]) -> tuple[QueryLedger, ...]:
    """Ledgers from the rows of any engine, each checked: a sum that is off is a bug and raises.

    `names[n]` is the query with the number n. Raises InputError for a query with more spans than can be counted.
    """
    by_query = groupby(sorted(rows, key=itemgetter(0)), key=itemgetter(0))
    ledgers = [_decode(names[number], list(found)) for number, found in by_query]
    for ledger in ledgers:
        ledger.check()
    return tuple(sorted(ledgers, key=lambda ledger: (ledger.start_ns, ledger.query_key)))


def _decode(query_key: str, rows: Sequence[LedgerRow]) -> QueryLedger:
    start_ns, wall_ns = rows[0][1:3]
    phases_ns = dict.fromkeys(PHASES, 0)
    contested_ns = dict.fromkeys(PHASES, 0)
    provenance: dict[Phase, tuple[Provenance, ...]] = dict.fromkeys(PHASES, ())
    if sum(row[-1] or 0 for row in rows) > MOST_SPANS:
        raise InputError(f"{query_key}: has more than {MOST_SPANS} spans: too many for one query's ledger")
    for *_, rank, ns, contested, provenances, _spans in rows:
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
