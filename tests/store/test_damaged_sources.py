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


@pytest.mark.parametrize("document", [OTLP, JAEGER], ids=["OTLP", "Jaeger"])
@several
@given(data=st.data())
def test_any_value_anywhere(tmp_path: Path, document: dict[str, Any], data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(paths(document)))
    changed = change(document, way, data.draw(odd))
    take(tmp_path / "spans.json", json.dumps(changed).encode())


@pytest.mark.parametrize(
    ("document", "spans"),
    [(OTLP, ("resourceSpans", 0, "scopeSpans", 0, "spans")), (JAEGER, ("data", 0, "spans"))],
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
@pytest.mark.parametrize("document", [OTLP, JAEGER], ids=["OTLP", "Jaeger"])
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
