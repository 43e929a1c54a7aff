"""Whatever a file holds: spans, named records, or a refusal of one line. Never anything else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_damage import OTLP, change, odd, paths

from punie.trace.analysis.pipeline import read_queries
from punie.trace.errors import InputError
from punie.trace.store.sources import read_source

JAEGER: Final[dict[str, Any]] = {
    "data": [
        {
            "traceID": "a",
            "spans": [
                {
                    "traceID": "a",
                    "spanID": f"{number:x}",
                    "operationName": "chat",
                    "references": [{"refType": "CHILD_OF", "traceID": "a", "spanID": "1"}]
                    if number == 2
                    else [],
                    "startTime": 100 + number,
                    "duration": 50,
                    "tags": [{"key": "k", "type": "int64", "value": 5}],
                    "logs": [{"timestamp": 101, "fields": [{"key": "event", "value": "e"}]}],
                    "processID": "p1",
                    "warnings": ["w"],
                }
                for number in (1, 2)
            ],
            "processes": {"p1": {"serviceName": "agent", "tags": []}},
        }
    ],
    "errors": None,
}
ZIPKIN: Final = [
    {
        "traceId": "a",
        "id": f"{number}",
        "parentId": "1" if number == 2 else None,
        "timestamp": 100 + number,
        "duration": 50,
        "kind": "CLIENT",
        "localEndpoint": {"serviceName": "agent"},
        "annotations": [{"timestamp": 101, "value": "e"}],
        "tags": {"error": "no"},
    }
    for number in (1, 2)
]
LANGFUSE: Final = {
    "id": "a",
    "name": "question",
    "observations": [
        {
            "id": f"{number}",
            "traceId": "a",
            "type": "GENERATION",
            "parentObservationId": "1" if number == 2 else None,
            "startTime": "2025-11-24T16:00:00.000Z",
            "endTime": "2025-11-24T16:00:01.000Z",
            "usageDetails": {"input": 5},
            "metadata": {"finish_reason": "stop"},
        }
        for number in (1, 2)
    ],
}
PRINTED: Final = [
    {
        "name": "chat",
        "context": {"trace_id": "0xa", "span_id": f"0x{number}", "trace_state": "[]"},
        "kind": "SpanKind.CLIENT",
        "parent_id": "0x1" if number == 2 else None,
        "start_time": "2025-11-24T16:00:00.000000Z",
        "end_time": "2025-11-24T16:00:01.000000Z",
        "status": {"status_code": "ERROR"},
        "attributes": {"k": 5},
        "events": [{"name": "e", "timestamp": "2025-11-24T16:00:00.500000Z", "attributes": {}}],
        "resource": {"attributes": {"service.name": "agent"}},
    }
    for number in (1, 2)
]
DOCUMENTS: Final[dict[str, Any]] = {
    "OTLP": OTLP,
    "Jaeger": JAEGER,
    "Zipkin": ZIPKIN,
    "Langfuse": LANGFUSE,
    "printed": PRINTED,
}
each = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
COUNT: Final = 2


def take(path: Path, content: bytes) -> int | None:
    """The number of spans and unreadable records, None for a refusal; the ledger of what was read adds up."""
    path.write_bytes(content)
    try:
        found = read_source(str(path))
    except InputError as error:
        assert str(path) in error.message  # noqa: PT017 # a refusal is one of two outcomes
        assert "\n" not in error.message  # noqa: PT017 # as above
        return None
    assert all(record.file == str(path) and record.line >= 1 and record.reason for record in found.unreadable)
    for record in read_queries(found).records:
        record.ledger.check()
    return len(found.spans) + len(found.unreadable)


several = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@each
@several
@given(data=st.data())
def test_any_value_anywhere(tmp_path: Path, document: Any, data: st.DataObject) -> None:  # noqa: ANN401 # any JSON
    way = data.draw(st.sampled_from(paths(document)))
    changed = change(document, way, data.draw(odd))
    take(tmp_path / "spans.json", json.dumps(changed).encode())


@pytest.mark.parametrize(
    ("document", "spans"),
    [
        (OTLP, ("resourceSpans", 0, "scopeSpans", 0, "spans")),
        (JAEGER, ("data", 0, "spans")),
    ],
    ids=["OTLP", "Jaeger"],
)
@several
@given(data=st.data())
def test_no_span_gets_lost_in_silence(
    tmp_path: Path, document: dict[str, Any], spans: tuple[Any, ...], data: st.DataObject
) -> None:
    below = [way for way in paths(document) if way[: len(spans)] == spans and len(way) > len(spans) + 1]
    changed = change(document, data.draw(st.sampled_from(below)), data.draw(odd))
    assert take(tmp_path / "spans.json", json.dumps(changed).encode()) == COUNT


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@each
@several
@given(data=st.data())
def test_any_damaged_bytes(tmp_path: Path, document: object, pack: Any, data: st.DataObject) -> None:  # noqa: ANN401
    line = json.dumps(document).encode() + b"\n"
    content = bytearray(pack(line * 2))
    start = data.draw(st.integers(0, len(content) - 1))
    size = data.draw(st.integers(0, 20))
    content[start : start + size] = data.draw(st.binary(max_size=20))
    take(tmp_path / "spans.json", bytes(content))


@several
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    take(tmp_path / "spans.bin", content)


@several
@given(data=st.data())
def test_any_damaged_protobuf(tmp_path: Path, data: st.DataObject) -> None:
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

    spans = [
        Span(trace_id=b"\1" * 16, span_id=bytes([7] * 7 + [n]), start_time_unix_nano=5, end_time_unix_nano=9)
        for n in (1, 2)
    ]
    content = bytearray(
        TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]).SerializeToString()
    )
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    take(tmp_path / "spans.binpb", bytes(content))
