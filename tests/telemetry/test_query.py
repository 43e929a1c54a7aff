"""The query span ends when the answer was there, and still carries the score made after it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

import punie.trace
from punie.trace.telemetry.provider import Telemetry
from punie.trace.telemetry.query import QueryLabels, query_span

Spans = Callable[[], list[Any]]

LABELS = QueryLabels(
    run_id="r1",
    query_id="views",
    text="Find all views",
    expected="tool",
    repeat=2,
    position=3,
    server_start=1,
    cache="server",
    suite="discrimination",
    suite_hash="abc",
)


def test_it_carries_all_that_a_reader_needs(telemetry: Telemetry, spans: Spans) -> None:
    with query_span(telemetry, LABELS) as query:
        answered_ns = telemetry.clock()
        query.answered(answered_ns, "42")
        query.scored(ok=False, failures=["off-topic"])
    (span,) = spans()
    assert (span.name, span.parent_id, span.end_ns, span.trace_id) == (
        "query",
        None,
        answered_ns,
        query.trace_id,
    )
    ours = {key: value for key, value in span.attributes.items() if key.startswith("punie.")}
    assert ours == {
        "punie.run.id": "r1",
        "punie.query.id": "views",
        "punie.query.text": "Find all views",
        "punie.query.answer": "42",
        "punie.query.expected": "tool",
        "punie.query.repeat": 2,
        "punie.query.position": 3,
        "punie.query.server_start": 1,
        "punie.query.warmup": False,
        "punie.query.cache": "server",
        "punie.suite.name": "discrimination",
        "punie.suite.hash": "abc",
        "punie.score.ok": False,
        "punie.score.failures": ["off-topic"],
    }


def test_it_is_a_root_even_inside_another_span(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.tracer.start_as_current_span("user's own"), query_span(telemetry, LABELS):
        telemetry.tracer.start_span("child").end()
    child, query, outer = spans()
    assert (query.parent_id, child.parent_id) == (None, query.span_id)
    assert query.trace_id != outer.trace_id


def test_an_exception_is_said_and_passes(telemetry: Telemetry, spans: Spans) -> None:
    with pytest.raises(ValueError, match="no"), query_span(telemetry, LABELS):
        raise ValueError("no")
    (span,) = spans()
    assert (span.status, span.attributes["punie.query.error"]) == (2, "ValueError: no")
    assert span.attributes["error.type"] == "ValueError"


def test_a_warm_up_has_a_name_of_its_own(telemetry: Telemetry, spans: Spans) -> None:
    with query_span(telemetry, QueryLabels(run_id="r", query_id="warm-up", text="hello", warmup=True)):
        pass
    (span,) = spans()
    assert (span.name, span.attributes["punie.query.warmup"]) == ("warm-up", True)
    assert "punie.query.expected" not in span.attributes


def test_the_journal_is_synced_once_a_query_and_not_by_the_one_who_asks(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced_by: list[threading.Thread] = []
    fsync = os.fsync

    def noting(fd: int) -> None:
        synced_by.append(threading.current_thread())
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noting)
    for _ in range(3):
        with query_span(telemetry, LABELS):
            pass
    telemetry.shutdown()
    assert (
        sum(thread is not threading.current_thread() for thread in synced_by) == 3
    )  # the end syncs for itself


@pytest.mark.parametrize(
    ("step_ns", "marked"), [(0, False), (90_000_000, False), (3_600 * 10**9, True), (-(10**9), True)]
)
def test_a_query_while_the_clock_was_set_is_marked(
    telemetry: Telemetry, spans: Spans, step_ns: int, *, marked: bool
) -> None:
    offsets = iter([10**18, 10**18 + step_ns])
    with query_span(telemetry, LABELS, offset=lambda: next(offsets)) as query:
        query.answered(telemetry.clock(), "42")
    (span,) = spans()
    assert span.attributes.get("punie.query.disturbed_by") == ("clock-step" if marked else None)
    (record,) = punie.trace.analyse(telemetry.journal.path).analysis.records
    assert (record.disturbed_by is not None) is marked
    assert record.succeeded is not marked
