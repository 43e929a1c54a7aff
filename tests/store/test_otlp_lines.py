"""Lines read many at once give exactly the spans and the refusals of lines read one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_damage import OTLP, change, odd, paths
from spans_generator import generate, otlp_lines

from punie.trace.model import Span
from punie.trace.store.json_documents import of_lines
from punie.trace.store.otlp_json import read_documents, read_journal
from punie.trace.store.otlp_lines import LineReader


def agree(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert repr(read_journal(path)) == repr(read_documents(of_lines(content.split(b"\n")), str(path)))


def test_a_journal_is_read_at_once_and_says_the_same(tmp_path: Path) -> None:
    content = "".join(f"{line}\n" for line in otlp_lines(generate(120))).encode()
    found = LineReader().read(content.splitlines())
    assert found is not None
    assert len(found) == content.count(b"\n") > 2_000
    assert all(type(span) is Span for span in found)
    agree(tmp_path / "agent-1.jsonl", content)


def test_a_span_made_so_is_frozen() -> None:
    (line, *_) = otlp_lines(generate(1))
    (span,) = LineReader().read([line.encode()]) or []
    with pytest.raises(AttributeError):
        span.name = "other"  # type: ignore[misc] # the point


def test_one_line_that_needs_care_changes_neither_order_nor_neighbours(tmp_path: Path) -> None:
    lines = [line.encode() for line in otlp_lines(generate(100))]
    lines[7] = lines[7].replace(b'"traceId":"', b'"traceId":"x')
    lines[11] = lines[11].upper().replace(b"RESOURCESPANS", b"resourceSpans")
    lines[20] = lines[20].replace(b'"kind":', b'"kind":"SPAN_KIND_CLIENT","was":')
    agree(tmp_path / "agent-1.jsonl", b"\n".join(lines) + b"\n")


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_is_read_alike(tmp_path: Path, data: st.DataObject) -> None:
    changed: Any = change(OTLP, data.draw(st.sampled_from(paths(OTLP))), data.draw(odd))
    agree(tmp_path / "agent-1.jsonl", json.dumps(changed).encode() + b"\n")


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_read_alike(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(json.dumps(OTLP).encode() + b"\n")
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    agree(tmp_path / "agent-1.jsonl", bytes(content))


@pytest.mark.parametrize(
    "value",
    [
        {"intValue": 2**63},
        {"intValue": 10**25},
        {"intValue": -0.0},
        {"doubleValue": 10**25},
        {"boolValue": 1},
        {"boolValue": "true"},
        {"intValue": "1", "stringValue": "a"},
        {"stringValue": "a", "intValue": "1"},
        {"stringValue": "\ud83dA"},
        {"stringValue": "\U0001f600"},
        {"stringValue": None},
    ],
    ids=repr,
)
def test_values_are_read_alike(tmp_path: Path, value: object) -> None:
    way = ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "attributes", 0, "value")
    agree(tmp_path / "agent-1.jsonl", json.dumps(change(OTLP, way, value)).encode() + b"\n")
