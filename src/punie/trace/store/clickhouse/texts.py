"""The SQL that ClickHouse runs on its own rows: the ledger in arrays, and the traces of the exporter's table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Template

from punie.trace import semconv
from punie.trace.model import PHASES, Provenance

_REPORT = """
WITH otel_spans AS ({rows}),
traces AS ({traces}),
spans AS (
  SELECT TraceId AS query_key, s.1 AS span_id, s.2 AS parent_id, s.3 AS start_ns, s.4 AS end_ns, s.6 AS phase_rank,
    s.7 AS provenance_rank, s.8 AS is_root
  FROM traces ARRAY JOIN members AS s WHERE state = 'counted'
)
SELECT '' AS state, toInt64(phase_rank) AS phase_rank, count() AS queries, sum(toInt128(ns)) AS ns,
  sum(toInt128(contested_ns)) AS contested_ns, toInt64(groupBitOr(provenances)) AS provenances,
  emptyArrayString() AS named, toInt64(max(spans)) AS most_spans, 0 AS network_known
FROM ({ledger}) GROUP BY phase_rank
UNION ALL
SELECT state, toInt64(-1), count(), sum(toInt128(root_ns)), toInt128(0), toInt64(0),
  arraySort(groupArray(3)(TraceId)), toInt64(max(length(members))), min(is_network_known)
FROM traces GROUP BY state
"""


@cache
def ledger_arrays_sql() -> str:
    """The ledger over a relation `spans`, as `analysis.ledger.ledger_sql`, for ClickHouse alone."""
    return _text("ledger_arrays.sql")


@cache
def traces_sql() -> str:
    """A row a trace over a relation `otel_spans`: TraceId, state, root_ns, members."""
    return Template(_text("whole_traces.sql")).substitute(
        PHASES=_list(PHASES),
        PROVENANCES=_list(Provenance),
        MACHINES=_list(semconv.MACHINE_NAMES),
        PHASE=_quoted(semconv.PHASE),
        PROVENANCE=_quoted(semconv.PHASE_PROVENANCE),
        OPERATION=_quoted(semconv.OPERATION),
        CHATS=_list(semconv.OPERATION_CHAT),
        TOOL=_quoted(semconv.OPERATION_TOOL),
        AGENT=_quoted(semconv.OPERATION_AGENT),
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
        REFERENCE=_quoted(semconv.PARENT_REFERENCE),
        SGLANG_SCOPE=_quoted(semconv.SGLANG_SCOPE),
        SGLANG_MODULE=_quoted(semconv.SGLANG_MODULE),
        SGLANG_MODULES=_quoted(semconv.SGLANG_MODULES),
        FOREIGN=_list(semconv.FOREIGN_OPERATIONS),
        LATENCIES=_list((semconv.LATENCY_PREFILL, semconv.LATENCY_DECODE)),
    )


def report_sql(rows: str) -> str:
    """One statement over `rows`, a SELECT of the exporter's columns.

    Gives state, phase_rank, queries, ns, contested_ns, provenances, named, most_spans, network_known: a row a phase
    (state "") over all counted queries, and a row a state (phase_rank -1) with the wall time of its traces and three
    of their ids.
    """
    return _REPORT.format(rows=rows, traces=traces_sql(), ledger=ledger_arrays_sql())


def _text(name: str) -> str:
    return files("punie.trace.store.clickhouse").joinpath(name).read_text(encoding="utf-8")


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, names))}]"


def _quoted(name: str) -> str:
    return f"'{name}'"
