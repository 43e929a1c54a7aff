"""The SQL that ClickHouse runs on its own rows: the ledger in arrays, and the traces of a table of spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from types import MappingProxyType
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.coverage import AFTER_PERCENT
from punie.trace.analysis.summary.parts import GroupBy
from punie.trace.analysis.trees.absolute_time import DAY_NS, EARLIEST_NS, LONGEST_NS
from punie.trace.store.in_database.spans import WORDS, quoted, spans_sql, told_by_spelling

_ROWS = """SELECT query_key,
    arrayFilter((x, id, before) -> id != before, copies, ids, arrayPushFront(arrayPopBack(ids), ids[1] - 1)) AS spans_of
  FROM (SELECT query_key, arraySort(groupArray((span_id, start_ns - end_ns, start_ns, phase_rank, provenance_rank,
      ifNull(parent_id, -1), isNotNull(parent_id), is_root))) AS copies, copies.1 AS ids
    FROM spans GROUP BY query_key) WHERE has(copies.8, 1)"""
_ROWS_OF_PHASES = """SELECT query_key, low_ns AS start_ns, high_ns - low_ns AS wall_ns, phase_rank,
  arraySum((r, ns) -> if(r = phase_rank, ns, 0), parts.1, parts.2) AS ns,
  arraySum((r, ns) -> if(r = phase_rank, ns, 0), parts.1, parts.3) AS contested_ns,
  arraySum(how -> bitShiftLeft(1, how), arrayDistinct(arrayMap(x -> x.5, arrayFilter(x -> x.4 = phase_rank, open)))) AS provenances,
  arrayCount(x -> x.4 = phase_rank, open) AS spans
FROM owned LEFT ARRAY JOIN arrayDistinct(parts.1) AS phase_rank"""  # noqa: E501 - one expression

# The spans of a trace are together already: nothing is grouped again. A trace that isn't counted gets a root without
# length, so that it comes out with no time. In query_key: 1 trace, 2 state, 3 part, 4 wall time, 5 network known,
# 6 spans.
_TRACES = """SELECT (TraceId, state, part, root_ns, is_network_known, toInt64(length(members))) AS query_key,
    arrayMap(m -> (m.1, m.3 - m.4, m.3, m.6, m.7, ifNull(m.2, -1), isNotNull(m.2), m.8),
      if(state = 'counted', members, $NOTHING)) AS spans_of
  FROM traces"""
_NOTHING = (
    "[(toInt64(0), NULL, toInt64(0), toInt64(0), (toInt64(10), toInt64(1)), toInt64(10), toInt64(1), true)]"
)
# Five bits a phase tell how it was known: those of its spans, where it has time.
_SUMS = """SELECT query_key.2 AS state, query_key.3 AS part, count() AS queries, sum(toInt128(query_key.4)) AS root_ns,
  groupArrayIf(query_key.4, state = 'counted') AS walls,
  sumMap(parts.1, arrayMap(ns -> toInt128(ns), parts.2)) AS phases,
  sumMap(parts.1, arrayMap(ns -> toInt128(ns), parts.3)) AS contested,
  groupBitOr(bitAnd(
    arrayReduce('groupBitOr', arrayMap(x -> bitShiftLeft(toUInt64(1), x.4 * 5 + x.5), open)),
    arrayReduce('groupBitOr', arrayMap(x -> bitShiftLeft(toUInt64(31), x.1 * 5), parts))
  )) AS known, groupArrayIf(3)(query_key.1, state = 'tree') AS named, max(query_key.6) AS most_spans,
  min(query_key.5) AS network_known
FROM owned GROUP BY state, part"""

_SHARD = """WITH otel_spans AS ({rows}), traces AS ({traces})
SELECT * FROM ({ledger})"""
_REPORT = """SELECT is_all, part, state, queries, root_ns,
  [w[1], w[-1], w[intDiv(length(w) + 1, 2)], w[intDiv(length(w), 2) + 1],
    w[intDiv(95 * length(w) + 99, 100)], w[intDiv(99 * length(w) + 99, 100)]] AS walls,
  p AS phases, c AS contested, known, named, most_spans, network_known
FROM (
  SELECT grouping(part) AS is_all, part, state, sum(s.queries) AS queries, sum(s.root_ns) AS root_ns,
    arraySort(groupArrayArray(s.walls)) AS w, sumMap(s.phases.1, s.phases.2) AS p,
    sumMap(s.contested.1, s.contested.2) AS c, groupBitOr(s.known) AS known,
    arraySlice(arraySort(groupArrayArray(s.named)), 1, 3) AS named, max(s.most_spans) AS most_spans,
    min(s.network_known) AS network_known
  FROM {shards} AS s GROUP BY GROUPING SETS ((state), (state, part))
)"""

MOST_SPANS: Final = 2**21 - 1
"""As many spans as one query may have: the text counts the open ones in 21 bits."""

_PARTS: Final = MappingProxyType(
    {
        None: "''",
        GroupBy.DAY: "toString(toDate(fromUnixTimestamp64Nano(if(max(is_top), minIf(start_ns, is_top), min(start_ns)), "
        "'UTC')))",
        GroupBy.MODEL: "arrayStringConcat(arraySort(if(countIf(served != '') > 0, "
        "groupUniqArrayIf(served, served != ''), groupUniqArrayIf(asked, asked != ''))), ', ')",
    }
)


@cache
def ledger_arrays_sql() -> str:
    """The ledger over a relation `spans`, a row a query and phase: what `analysis/ledger/ledger.py` gives."""
    return _ledger(_ROWS, _ROWS_OF_PHASES)


def attributes_sql(rows: str) -> str:
    """The names of all attributes of spans in `rows`, as `shard_sql` has them: one row with a list."""
    return f"SELECT groupUniqArrayArray(mapKeys(SpanAttributes)) FROM ({rows})"  # noqa: S608 - our own text


def traces_sql(attributes: Iterable[str], by: GroupBy | None = None) -> str:
    """A row a trace over a relation `otel_spans`: TraceId, part, state, root_ns, is_network_known, members.

    `attributes` are the names of all that its spans have.

    `part` is the trace's part as `analysis.parts.By` says, "" where nothing is asked `by`.
    """
    return Template(_text("whole_traces.sql")).substitute(
        PART=_PARTS[by],
        ONE_MACHINE=_one_machine(),
        NAMED=spans_sql(_words(), _has_any, told_by_spelling(attributes)),
        AFTER_PERCENT=AFTER_PERCENT,
        EARLIEST_NS=EARLIEST_NS,
        LONGEST_NS=LONGEST_NS,
        DAY_NS=DAY_NS,
    )


def shard_sql(rows: str, attributes: Iterable[str], by: GroupBy | None) -> str:
    """One statement over `rows`, a SELECT of the exporter's columns, for a server that has whole traces.

    `attributes` are the names of all that the spans of all servers have.

    Gives a row a state and part: state, part, queries, root_ns, walls (one a counted query), phases and contested
    (ranks and nanoseconds), known, named, most_spans, network_known.
    """
    ledger = _ledger(_TRACES.replace("$NOTHING", _NOTHING), _SUMS)
    return _SHARD.format(rows=rows, traces=traces_sql(attributes, by), ledger=ledger)


def report_sql(shards: str) -> str:
    """One statement over `shards`, a relation with the rows of `shard_sql` from every server.

    Gives is_all, part, state, queries, root_ns, walls, extremes (least, most, the two in the middle, 95th and 99th
    percentile), phases, ranks, ns, contested_ns, known, named, most_spans, network_known: a row a state over all
    (is_all 1), and a row a state and part.
    """
    return _REPORT.format(shards=shards)


def _ledger(spans: str, result: str) -> str:
    return Template(_text("ledger_arrays.sql")).substitute(SPANS=spans, RESULT=result)


def _text(name: str) -> str:
    return files("punie.trace.store.clickhouse").joinpath(name).read_text(encoding="utf-8")


def _words() -> str:
    """The words of the spans in `otel_spans`, as `store/in_database/spans.py` lists them."""
    words = ", ".join(f"{_text_of(name)} AS {word}" for word, name in WORDS.items())
    names = ", ".join(f"ResourceAttributes[{quoted(name)}]" for name in semconv.MACHINE_NAMES)
    return (
        f"SELECT TraceId, SpanAttributes, {words}, [{names}] AS machine, ScopeName AS scope, SpanName AS span_name, "  # noqa: S608
        "reinterpretAsInt64(unhex(SpanId)) AS id, reinterpretAsInt64(unhex(ParentSpanId)) AS parent, "
        "toUnixTimestamp64Nano(Timestamp) AS start_ns, start_ns + reinterpretAsInt64(Duration) AS end_ns, "
        "ParentSpanId = '' AS is_top, SpanKind = 'Server' AS is_server, StatusCode = 'Error' AS is_error, "
        f"{_is_hex('TraceId', 32)} AND {_is_hex('SpanId', 16)} AND id != 0 AND start_ns >= 0 "
        f"AND (is_top OR ({_is_hex('ParentSpanId', 16)} AND parent != 0)) AS is_sound, "
        f"has(EventNames, {quoted(semconv.EXCEPTION_EVENT)}) AS has_exception FROM otel_spans"
    )


def _one_machine() -> str:
    """Whether all spans of a trace name their host, and no two of them different machines."""
    names = range(1, len(semconv.MACHINE_NAMES) + 1)
    same = (f"minIf(machine[{n}], machine[{n}] != '') = max(machine[{n}])" for n in names)
    return " AND ".join(("min(machine[-1]) != ''", *same))


def _text_of(name: str) -> str:
    return f"SpanAttributes[{quoted(name)}]"


def _has_any(names: Sequence[str]) -> str:
    texts = [quoted(name.replace("\\", "\\\\").replace("'", "''")) for name in names]
    if len(texts) == 1:
        return f"mapContains(SpanAttributes, {texts[0]})"
    return f"hasAny(mapKeys(SpanAttributes), [{', '.join(texts)}])"


def _is_hex(text: str, digits: int) -> str:
    return f"match({text}, '^[0-9a-f]{{{digits}}}$')"
