"""Contested time: nobody else is at work because of how spans were recorded."""

from __future__ import annotations

from typing import Final

import pytest
from small_traces import agent, chat, only, server, span

from punie.trace.analysis.ledger.ledger import Stretch, compute_ledgers, stretches
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import Phase, Provenance, SpanKind

POST: Final = {"http.request.method": "POST"}


def contested(record: QueryRecord) -> dict[str, int]:
    return {phase.value: ns for phase, ns in record.ledger.contested_ns.items() if ns}


def test_a_server_that_goes_on_after_the_headers_contests_nothing_with_its_caller() -> None:
    served = {"gen_ai.latency.time_in_model_prefill": 0.02, "gen_ai.latency.time_in_model_decode": 0.06}
    spans = (
        span("post", "call", 11, 30, POST, scope="opentelemetry.instrumentation.httpx"),
        server("served", "post", 12, 95, served),
    )
    record = only(agent("a", None, 0, 100), chat("call", "a", 10, 96), *spans)
    assert record.ledger.phases_ns[Phase.PREFILL] == 20_000_000
    assert contested(record) == {}


def test_two_spans_of_one_request_beside_each_other_contest_nothing() -> None:
    calls = (chat("outer", "a", 9, 91, scope="one"), chat("inner", "a", 10, 90, scope="another"))
    record = only(agent("a", None, 0, 100), *calls)
    assert (record.model_requests, contested(record)) == (1, {})


def test_a_call_that_begins_just_before_the_one_above_it_ends_contests_nothing() -> None:
    record = only(agent("a", None, 0, 100), chat("one", "a", 0, 40), chat("two", "one", 39, 80))
    assert (record.model_requests, contested(record)) == (2, {})


@pytest.mark.parametrize(("end", "is_below"), [(59, True), (61, False)])
def test_it_is_the_callers_once_more_than_half_of_it_is_after_its_end(end: int, is_below: bool) -> None:
    """Whatever is shorter is contested: the time before the end of the span above, or the time after it."""
    spans = (agent("a", None, 0, 100), span("work", "a", 20, end, {"gen_ai.operation.name": "execute_tool"}))
    record = only(*spans, chat("call", "work", 20, 100))
    assert contested(record) == {"model": (end - 20 if is_below else 100 - end) * 1_000_000}


def test_what_goes_on_after_the_query_stays_its_own() -> None:
    record = only(agent("a", None, 0, 100), chat("call", "a", 90, 300, kind=SpanKind.CLIENT))
    assert contested(record) == {}


def test_a_call_whose_parent_is_missing_contests_nothing_with_its_query() -> None:
    record = only(agent("a", None, 0, 100), chat("call", "a span that nobody exported", 10, 90))
    assert (record.ledger.phases_ns[Phase.MODEL], contested(record)) == (80_000_000, {})


def test_a_parents_id_means_a_span_of_the_same_trace() -> None:
    """A tool, and in another trace of the query a call whose own parent there has the tool's id and is missing."""
    how = Provenance.CLIENT
    root = PhasedSpan("q", "one", "root", None, 0, 100, Phase.FRAMEWORK, how, is_root=True)
    tool = PhasedSpan("q", "one", "tool", "root", 10, 50, Phase.TOOL, how)
    other = PhasedSpan("q", "other", "call", "tool", 10, 50, Phase.DECODE, how)
    (beside,) = compute_ledgers([root, tool, other])
    assert beside.contested_ns[Phase.DECODE] == 40
    (below,) = compute_ledgers(
        [root, tool, PhasedSpan("q", "one", "call", "tool", 10, 50, Phase.DECODE, how)]
    )
    assert not any(below.contested_ns.values())


def test_stretches_of_one_phase_are_one_and_none_is_empty() -> None:
    """root |---------|, tools one after the other |--||--|: nothing lies between them."""
    how = Provenance.CLIENT
    root = PhasedSpan("q", "one", "root", None, 0, 100, Phase.FRAMEWORK, how, is_root=True)
    tools = [
        PhasedSpan("q", "one", name, "root", start, end, Phase.TOOL, how)
        for name, start, end in [("a", 10, 30), ("b", 30, 50)]
    ]
    assert [*stretches([root, *tools])] == [
        Stretch(Phase.FRAMEWORK, 0, 10, is_contested=False),
        Stretch(Phase.TOOL, 10, 50, is_contested=False),
        Stretch(Phase.FRAMEWORK, 50, 100, is_contested=False),
    ]
