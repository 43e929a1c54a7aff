"""Zipkin's v2 JSON, as its API gives it and as exporters write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from punie.trace.analysis.pipeline import read_queries
from punie.trace.model import Event, Span, SpanKind, SpanSet, StatusCode
from punie.trace.store.sources import read_source

RAW: Final[dict[str, Any]] = {
    "traceId": "5af7183fb1d4cf5f",
    "id": "352bff9a74ca9ad2",
    "parentId": "6b221d5bc9e6496c",
    "name": "chat demo",
    "kind": "CLIENT",
    "timestamp": 1764000000000001,
    "duration": 5,
    "localEndpoint": {"serviceName": "agent", "ipv4": "127.0.0.1"},
    "remoteEndpoint": {"serviceName": "mlx_lm"},
    "annotations": [{"timestamp": 1764000000000003, "value": "First Token Stream Event"}],
    "tags": {"gen_ai.usage.input_tokens": "96", "otel.library.name": "app", "shop.order": "17"},
}
READ: Final = Span(
    trace_id="0000000000000000" + "5af7183fb1d4cf5f",
    span_id="352bff9a74ca9ad2",
    parent_id="6b221d5bc9e6496c",
    name="chat demo",
    start_ns=1764000000000001_000,
    end_ns=1764000000000006_000,
    kind=SpanKind.CLIENT,
    attributes={"peer.service": "mlx_lm", "gen_ai.usage.input_tokens": 96, "shop.order": "17"},
    events=(Event("First Token Stream Event", 1764000000000003_000),),
    resource={"service.name": "agent"},
    scope="app",
)


def read(folder: Path, document: object) -> SpanSet:
    file = folder / "zipkin.json"
    file.write_text(json.dumps(document))
    return read_source(str(file))


@pytest.mark.parametrize("document", [[RAW], [[RAW]], RAW], ids=["a trace", "traces", "a span"])
def test_a_whole_span(tmp_path: Path, document: object) -> None:
    found = read(tmp_path, document)
    assert (found.spans, found.unreadable, found.resolution_ns) == ((READ,), (), 1_000)


def test_what_the_sdk_dropped_stands_in_tags(tmp_path: Path) -> None:
    lost = {"otel.dropped_attributes_count": "3", "otel.dropped_links_count": "1"}
    notes = read(tmp_path, [{**RAW, "tags": {**RAW["tags"], **lost}}]).notes
    assert {(note.slug, note.count) for note in notes} >= {("dropped-attributes", 3), ("dropped-events", 1)}


@pytest.mark.parametrize(
    ("tags", "status", "message"),
    [
        ({"error": "timed out"}, StatusCode.ERROR, "timed out"),
        ({"error": ""}, StatusCode.ERROR, ""),
        ({"error": "true"}, StatusCode.ERROR, ""),
        ({"error": "false"}, StatusCode.UNSET, ""),
        ({"otel.status_code": "ERROR", "otel.status_description": "no"}, StatusCode.ERROR, "no"),
        ({"otel.status_code": "OK"}, StatusCode.OK, ""),
        ({}, StatusCode.UNSET, ""),
    ],
)
def test_the_error_tag_is_the_status(
    tmp_path: Path, tags: dict[str, str], status: StatusCode, message: str
) -> None:
    (span,) = read(tmp_path, [{**RAW, "tags": tags}]).spans
    assert (span.status, span.status_message) == (status, message)


def test_a_span_without_duration_never_ended_and_one_without_kind_is_internal(tmp_path: Path) -> None:
    raw = {key: value for key, value in RAW.items() if key not in ("duration", "kind", "parentId")}
    (span,) = read(tmp_path, [raw]).spans
    assert (span.end_ns, span.kind, span.parent_id) == (0, SpanKind.INTERNAL, None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"id": "no id"}, "id 'no id' is no id of 8 bytes"),
        ({"timestamp": None}, "no timestamp"),
        ({"duration": "long"}, "duration 'long' is no number"),
        ({"tags": [1]}, "tags is no object"),
        ({"binaryAnnotations": []}, "v1"),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    found = read(tmp_path, [RAW, {**RAW, **changed}, 7])
    assert found.spans == (READ,)
    first, second = found.unreadable
    assert why in first.reason
    assert first.reason.startswith("[1]: ")
    assert second.reason == "[2]: is no object"


def test_a_server_that_shares_its_clients_id_is_below_it(tmp_path: Path) -> None:
    query = {
        **RAW,
        "parentId": None,
        "id": "6b221d5bc9e6496c",
        "name": "query",
        "tags": {"punie.query.id": "q"},
    }
    shared = {"kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "mlx_lm"}}
    found = read(tmp_path, [{**query, "duration": 9}, RAW, {**RAW, **shared, "duration": 3}])
    assert [finding.slug for finding in read_queries(found).findings if finding.slug == "shared-id"]
