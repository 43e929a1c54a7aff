"""Langfuse's export of a trace with its observations, and of observations alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest

from punie.trace.analysis.pipeline import read_queries
from punie.trace.model import SpanSet, StatusCode
from punie.trace.store.sources import read_source

TRACE: Final = "0123456789abcdef0123456789abcdef"
AGENT: Final[dict[str, Any]] = {
    "id": "aaaaaaaaaaaaaaaa",
    "traceId": TRACE,
    "type": "AGENT",
    "name": "helper",
    "startTime": "2025-11-24T16:00:00.000Z",
    "endTime": "2025-11-24T16:00:10.000Z",
    "parentObservationId": None,
    "level": "DEFAULT",
}
GENERATION: Final[dict[str, Any]] = {
    "id": "bbbbbbbbbbbbbbbb",
    "traceId": TRACE,
    "type": "GENERATION",
    "name": "ask",
    "startTime": "2025-11-24T16:00:01.000Z",
    "endTime": "2025-11-24T16:00:09.000Z",
    "completionStartTime": "2025-11-24T16:00:03.500Z",
    "parentObservationId": "aaaaaaaaaaaaaaaa",
    "model": "model-a",
    "usageDetails": {"input": 90, "input_cached_tokens": 6, "output": 10, "total": 106},
    "metadata": {"finish_reason": "length"},
}


def read(folder: Path, document: object) -> SpanSet:
    file = folder / "langfuse.json"
    file.write_text(json.dumps(document))
    return read_source(str(file))


def snake(raw: dict[str, Any]) -> dict[str, Any]:
    names = {"traceId": "trace_id", "startTime": "start_time", "endTime": "end_time"}
    names |= {"completionStartTime": "completion_start_time", "usageDetails": "usage_details"}
    names |= {"parentObservationId": "parent_observation_id", "model": "provided_model_name"}
    return {names.get(key, key): value for key, value in raw.items()}


@pytest.mark.parametrize(
    "document",
    [
        {"id": TRACE, "name": "t", "observations": [AGENT, GENERATION], "scores": []},
        {"trace": {"id": TRACE, "name": "t"}, "observations": [AGENT, GENERATION]},
        {"data": [AGENT, GENERATION], "meta": {"page": 1}},
        [AGENT, GENERATION],
        [{"id": TRACE, "observations": [AGENT, GENERATION]}],
        [snake(AGENT), snake(GENERATION)],
    ],
    ids=["API", "page", "observations' API", "list", "traces", "bucket"],
)
def test_a_trace_in_each_form_of_the_export(tmp_path: Path, document: object) -> None:
    found = read(tmp_path, document)
    assert (len(found.spans), found.unreadable, found.resolution_ns) == (2, (), 1_000_000)
    account = read_queries(found)
    (record,) = account.records
    assert record.ledger.wall_ns == 10_000_000_000
    assert (record.model_requests, record.input_tokens, record.cached_tokens, record.output_tokens) == (
        1,
        96,
        6,
        10,
    )
    assert record.time_to_first_chunk_ns == (2_500_000_000,)
    assert record.truncated == 1


def test_lines_of_observations(tmp_path: Path) -> None:
    file = tmp_path / "langfuse.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in (AGENT, GENERATION)))
    assert [span.name for span in read_source(str(file)).spans] == ["helper", "ask"]


def test_several_roots_get_their_trace_around_them(tmp_path: Path) -> None:
    second = {**GENERATION, "parentObservationId": None, "endTime": "2025-11-24T16:00:12.000Z"}
    around, *below = read(tmp_path, {"id": TRACE, "name": "question", "observations": [AGENT, second]}).spans
    assert (around.name, around.parent_id, around.duration_ns) == ("question", None, 12_000_000_000)
    assert [span.parent_id for span in below] == [around.span_id] * 2


def test_ids_of_any_text_are_digested_and_uuids_are_their_digits(tmp_path: Path) -> None:
    uuid = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
    changed = {"traceId": uuid, "id": "my observation"}
    (span,) = read(tmp_path, [{**AGENT, **changed}]).spans
    assert span.trace_id == uuid.replace("-", "")
    assert span.span_id == hashlib.sha256(b"my observation").hexdigest()[:16]


def test_errors_events_and_what_never_ended(tmp_path: Path) -> None:
    failed = {**GENERATION, "level": "ERROR", "statusMessage": "refused", "endTime": None}
    event = {**GENERATION, "id": "cccccccccccccccc", "type": "EVENT", "endTime": None}
    _, first, second = read(tmp_path, [AGENT, failed, event]).spans
    assert (first.status, first.status_message, first.end_ns) == (StatusCode.ERROR, "refused", 0)
    assert (second.status, second.duration_ns) == (StatusCode.UNSET, 0)


@pytest.mark.parametrize(
    ("changed", "why"), [({"startTime": "soon"}, "startTime 'soon' is no time"), ({"id": ""}, "no id")]
)
def test_what_can_not_be_read_is_named(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    found = read(tmp_path, [AGENT, {**GENERATION, **changed}])
    assert len(found.spans) == 1
    (record,) = found.unreadable
    assert record.reason.startswith(f"[1]: {why}")
