"""Tempo's Parquet blocks, written as its source names and nests the columns."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb
import pytest

from punie.trace.model import Event, Span, SpanKind, StatusCode
from punie.trace.store.sources import read_source

START: Final = 1_764_000_000_123_456_789
ATTRIBUTES: Final = {
    # vParquet4: lists, of which an array has several and a value one; before it a column a type
    4: """[
      {Key: 'gen_ai.usage.input_tokens', IsArray: false, Value: []::VARCHAR[], ValueInt: [96], ValueBool: []::BOOL[]},
      {Key: 'gen_ai.response.finish_reasons', IsArray: true, Value: ['stop'], ValueInt: NULL, ValueBool: NULL},
      {Key: 'punie.score.ok', IsArray: false, Value: NULL, ValueInt: NULL, ValueBool: [true]}
    ]""",
    3: """[
      {Key: 'gen_ai.usage.input_tokens', Value: NULL, ValueInt: 96, ValueBool: NULL},
      {Key: 'gen_ai.response.finish_reasons', Value: '["stop"]', ValueInt: NULL, ValueBool: NULL},
      {Key: 'punie.score.ok', Value: NULL, ValueInt: NULL, ValueBool: true}
    ]""",
}
EVENT: Final = {
    4: "{TimeSinceStartNano: 5::UBIGINT, Name: 'e'}",
    3: f"{{TimeUnixNano: {START + 5}::UBIGINT, Name: 'e'}}",
}


def block(file: Path, version: int, duration: str = "4::UBIGINT") -> str:
    sql = f"""
    SELECT from_hex('0123456789abcdef0123456789abcdef') AS TraceID, 'agent' AS RootServiceName, [{{
      Resource: {{ServiceName: 'agent', K8sPodName: 'pod-1', Cluster: '',
        Attrs: [{{Key: 'host.name', Value: 'laptop'}}], DedicatedAttributes: {{String01: 'x', String02: NULL}}}},
      ss: [{{Scope: {{Name: 'app'}}, Spans: [{{
        SpanID: from_hex('0123456789abcdef'), ParentSpanID: ''::BLOB, Name: 'chat demo', Kind: 3,
        StartTimeUnixNano: {START}::UBIGINT, DurationNano: {duration}, StatusCode: 2, StatusMessage: 'no',
        Attrs: {ATTRIBUTES[version]}, Events: [{EVENT[version]}], DroppedAttributesCount: 7,
        HttpMethod: 'POST', HttpUrl: NULL, HttpStatusCode: 503
      }}]}}]
    }}] AS rs
    """
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({sql}) TO '{file}' (FORMAT parquet)")
    return str(file)


@pytest.mark.parametrize("version", [3, 4])
def test_a_block_gives_its_spans_and_what_it_has_lost(tmp_path: Path, version: int) -> None:
    found = read_source(block(tmp_path / "data.parquet", version))
    assert found.unreadable == ()
    assert found.spans == (
        Span(
            trace_id="0123456789abcdef0123456789abcdef",
            span_id="0123456789abcdef",
            parent_id=None,
            name="chat demo",
            start_ns=START,
            end_ns=START + 4,
            kind=SpanKind.CLIENT,
            attributes={
                "http.method": "POST",
                "http.status_code": 503,
                "gen_ai.usage.input_tokens": 96,
                "gen_ai.response.finish_reasons": ("stop",),
                "punie.score.ok": True,
            },
            status=StatusCode.ERROR,
            status_message="no",
            events=(Event("e", START + 5),),
            resource={"service.name": "agent", "k8s.pod.name": "pod-1", "host.name": "laptop"},
            scope="app",
        ),
    )
    noted = {note.slug: note.count for note in found.notes if note.slug != "numbers-as-text"}
    assert noted == {"dropped-attributes": 7, "unread-attributes": 1}


def test_a_span_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    found = read_source(block(tmp_path / "data.parquet", 4, "NULL::UBIGINT"))
    (record,) = found.unreadable
    assert (record.line, record.reason) == (1, "rs[0].ss[0].Spans[0]: no DurationNano")
