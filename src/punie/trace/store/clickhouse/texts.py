"""The SQL that ClickHouse runs on its own rows: the ledger in arrays, and the traces of a table of spans."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Template
from types import MappingProxyType
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.coverage import AFTER_PERCENT
from punie.trace.analysis.foreign.operations import TELLING
from punie.trace.analysis.summary.parts import By
from punie.trace.analysis.trees.absolute_time import DAY_NS, EARLIEST_NS, LONGEST_NS
from punie.trace.model import PHASES, Provenance
from punie.trace.store.tags import STATUS_TAGS

_ROWS = """SELECT query_key, arraySort(groupArray((span_id, start_ns - end_ns, start_ns, phase_rank, provenance_rank,
    ifNull(parent_id, -1), isNotNull(parent_id), is_root))) AS copies, copies.1 AS ids
  FROM spans GROUP BY query_key"""
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
    arraySort(arrayMap(m -> (m.1, m.3 - m.4, m.3, m.6, m.7, ifNull(m.2, -1), isNotNull(m.2), m.8),
      if(state = 'counted', members, $NOTHING))) AS copies, copies.1 AS ids
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
        By.DAY: "toString(toDate(fromUnixTimestamp64Nano(if(max(is_top), minIf(start_ns, is_top), min(start_ns)), "
        "'UTC')))",
        By.MODEL: "arrayStringConcat(arraySort(if(countIf(served != '') > 0, groupUniqArrayIf(served, served != ''), "
        "groupUniqArrayIf(asked, asked != ''))), ', ')",
    }
)


@cache
def ledger_arrays_sql() -> str:
    """The ledger over a relation `spans`, a row a query and phase: what `analysis/ledger/ledger.py` gives."""
    return _ledger(_ROWS, _ROWS_OF_PHASES)


@cache
def traces_sql(by: By | None = None) -> str:
    """A row a trace over a relation `otel_spans`: TraceId, part, state, root_ns, is_network_known, members.

    `part` is the trace's part as `analysis.parts.By` says, "" where nothing is asked `by`.
    """
    return Template(_text("whole_traces.sql")).substitute(
        PART=_PARTS[by],
        PHASES=_list(PHASES),
        PROVENANCES=_list(Provenance),
        MACHINES=_list(semconv.MACHINE_NAMES),
        PHASE=_quoted(semconv.PHASE),
        PROVENANCE=_quoted(semconv.PHASE_PROVENANCE),
        OPERATION=_quoted(semconv.OPERATION),
        CHATS=_list(semconv.OPERATION_CHAT),
        TOOL=_quoted(semconv.OPERATION_TOOL),
        AGENT=_quoted(semconv.OPERATION_AGENT),
        OUTPUT_TOKENS=_quoted(semconv.OUTPUT_TOKENS[0]),
        FINISH_REASONS=_quoted(semconv.FINISH_REASONS),
        REQUEST_MODEL=_quoted(semconv.REQUEST_MODEL),
        RESPONSE_MODEL=_quoted(semconv.RESPONSE_MODEL),
        WARMUP=_quoted(semconv.QUERY_WARMUP),
        QUERY_ID=_quoted(semconv.QUERY_ID),
        METHOD=_quoted(semconv.HTTP_METHOD[0]),
        OLD_METHOD=_quoted(semconv.HTTP_METHOD[1]),
        STATUS=_quoted(semconv.HTTP_STATUS[0]),
        OLD_STATUS=_quoted(semconv.HTTP_STATUS[1]),
        ENDS_AT=_quoted(semconv.HTTP_ENDS_AT),
        HEADERS=_quoted(semconv.HTTP_ENDS_AT_HEADERS),
        HEADERS_SCOPES=_list(semconv.HTTP_SCOPES_TO_HEADERS),
        OK=_quoted(semconv.QUERY_OK),
        ERROR=_quoted(semconv.QUERY_ERROR),
        DISTURBED=_quoted(semconv.QUERY_DISTURBED),
        ERROR_TYPE=_quoted(semconv.ERROR_TYPE),
        REFERENCE=_quoted(semconv.PARENT_REFERENCE),
        STATUS_TAGS=_list(STATUS_TAGS),
        EXCEPTION=_quoted(semconv.EXCEPTION_EVENT),
        SGLANG_SCOPE=_quoted(semconv.SGLANG_SCOPE),
        SGLANG_MODULE=_quoted(semconv.SGLANG_MODULE),
        SGLANG_MODULES=_quoted(semconv.SGLANG_MODULES),
        FOREIGN=_list(semconv.FOREIGN_KIND),
        TELLING=_list(sorted(TELLING)),
        AFTER_PERCENT=AFTER_PERCENT,
        EARLIEST_NS=EARLIEST_NS,
        LONGEST_NS=LONGEST_NS,
        DAY_NS=DAY_NS,
        LATENCIES=_list((semconv.LATENCY_PREFILL, semconv.LATENCY_DECODE)),
    )


def shard_sql(rows: str, by: By | None) -> str:
    """One statement over `rows`, a SELECT of the exporter's columns, for a server that has whole traces.

    Gives a row a state and part: state, part, queries, root_ns, walls (one a counted query), phases and contested
    (ranks and nanoseconds), known, named, most_spans, network_known.
    """
    ledger = _ledger(_TRACES.replace("$NOTHING", _NOTHING), _SUMS)
    return _SHARD.format(rows=rows, traces=traces_sql(by), ledger=ledger)


def report_sql(shards: str) -> str:
    """One statement over `shards`, a relation with the rows of `shard_sql` from every server.

    Gives is_all, part, state, queries, root_ns, walls, extremes (least, most, the two in the middle, 95th and 99th
    percentile), phases, ranks, ns, contested_ns, known, named, most_spans, network_known: a row a state over all
    (is_all 1), and a row a state and part.
    """
    return _REPORT.format(shards=shards)


def _ledger(gathered: str, result: str) -> str:
    return Template(_text("ledger_arrays.sql")).substitute(GATHERED=gathered, RESULT=result)


def _text(name: str) -> str:
    return files("punie.trace.store.clickhouse").joinpath(name).read_text(encoding="utf-8")


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, names))}]"


def _quoted(name: str) -> str:
    return f"'{name}'"
