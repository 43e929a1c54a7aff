"""Whatever a file holds: spans, named records, or a refusal of one line. Never anything else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from punie.trace.analysis.queries import account
from punie.trace.errors import InputError
from punie.trace.store.sources import read_source
from punie.trace.store.sqlite import SqliteEngine

OTLP: Final[dict[str, Any]] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "punie.trace"},
                    "spans": [
                        {
                            "traceId": "a" * 32,
                            "spanId": f"{number:016x}",
                            "parentSpanId": "" if number == 1 else f"{1:016x}",
                            "name": "chat",
                            "kind": 3,
                            "startTimeUnixNano": str(1764000000000000000 + number),
                            "endTimeUnixNano": str(1764000000000000100),
                            "attributes": [
                                {"key": "n", "value": {"arrayValue": {"values": [{"intValue": "5"}]}}}
                            ],
                            "events": [{"name": "e", "timeUnixNano": "1", "attributes": []}],
                            "status": {"code": 2},
                        }
                        for number in (1, 2)
                    ],
                }
            ],
        }
    ]
}
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

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**60, max_value=2**70),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        ["9" * 30, "-1", "٣", "\ud800", "=" * 24, [], {}, [[]], [None], {"values": 1}, [{"key": {}}]]
    ),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner)),
)


def paths(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value below `value`."""
    if isinstance(value, dict):
        return [way for key, item in value.items() for way in [(*at, key), *paths(item, (*at, key))]]
    if isinstance(value, list):
        return [way for key, item in enumerate(value) for way in [(*at, key), *paths(item, (*at, key))]]
    return []


def change(document: object, way: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401 # any JSON
    """A copy of `document` with `value` at the end of `way`."""
    copy: Any = json.loads(json.dumps(document))
    owner = copy
    for key in way[:-1]:
        owner = owner[key]
    owner[way[-1]] = value
    return copy


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
    for record in account(found, SqliteEngine()).records:
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
