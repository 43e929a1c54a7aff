"""From spans to observations."""

from __future__ import annotations

from typing import Any

import pytest

from punie.trace import semconv
from punie.trace.analysis.experiment.drafting import Drafting
from punie.trace.analysis.experiment.observation import TurnOutput
from punie.trace.analysis.experiment.observing import observe
from punie.trace.analysis.pipeline import read_queries
from punie.trace.model import Span, SpanKind, SpanSet


def _span(span_id: str, parent: str | None, name: str, start: int, end: int, a: dict[str, Any]) -> Span:
    kind = SpanKind.SERVER if name == semconv.SPAN_SERVER_REQUEST else SpanKind.INTERNAL
    return Span("t" * 32, span_id, parent, name, start, end, kind, a)


def _turn(number: int, start: int, ids: list[int]) -> list[Span]:
    server = {
        semconv.PHASE: "serve",
        semconv.SERVER_DRAFT_STEPS: 4,
        semconv.SERVER_DRAFTED_TOKENS: 12,
        semconv.SERVER_ACCEPTED_TOKENS: 7 + number,
        semconv.SERVER_ACCEPTED_BY_POSITION: [4, 2 + number, 1],
        semconv.SERVER_TOOL_CALL_DRAFTED: 6,
        semconv.SERVER_TOOL_CALL_ACCEPTED: 5,
        semconv.SERVER_PEAK_MEMORY: 100 * number,
        semconv.SERVER_OUTPUT_TOKEN_IDS: ids,
        semconv.SERVER_OUTPUT_DIGEST: f"d{number}",
    }
    chat = {semconv.OPERATION: "chat"}
    return [
        _span(f"c{number}", "root", "chat m", start, start + 90, a=chat),
        _span(f"s{number}", f"c{number}", semconv.SPAN_SERVER_REQUEST, start + 5, start + 80, a=server),
        _span(f"d{number}", f"s{number}", "decode", start + 30, start + 80, a={semconv.PHASE: "decode"}),
    ]


def _spans(**root: Any) -> SpanSet:  # noqa: ANN401 # attribute values
    said = {
        semconv.QUERY_ID: "find",
        semconv.QUERY_OK: True,
        semconv.BENCH_ARM: "draft0-k3",
        semconv.BENCH_BLOCK: 2,
        semconv.BENCH_SERVER_START: "cell-7",
        semconv.SERVER_PEAK_FOOTPRINT: 900,
        semconv.MACHINE_RECOMMENDED_MEMORY: 1000,
    }
    spans = [
        _span("root", None, "query", 0, 300, a=said | root),
        *_turn(2, 150, [4, 5]),
        *_turn(1, 20, [1, 2, 3]),
    ]
    return SpanSet((*spans, spans[2]))  # a span that was delivered twice


def test_an_observation_is_read_off_the_spans() -> None:
    source = _spans()
    (found,) = observe(source.spans, read_queries(source))
    assert (found.arm, found.block, found.server_start, found.query_id) == ("draft0-k3", 2, "cell-7", "find")
    assert found.outputs == (TurnOutput("d1", (1, 2, 3)), TurnOutput("d2", (4, 5)))
    assert found.drafting == Drafting(8, 24, 17, (8, 7, 2), 12, 10)
    assert (found.peak_bytes, found.footprint_bytes, found.recommended_bytes) == (200, 900, 1000)
    assert (found.wall_ns, found.decode_ns, found.counts) == (300, 100, True)


def test_drafts_that_only_the_body_tells_are_counted() -> None:
    told = {semconv.PHASE: "decode", semconv.SERVER_DRAFTED_TOKENS: 48, semconv.SERVER_ACCEPTED_TOKENS: 20}
    root, *_ = _spans().spans
    chat = _span("c", "root", "chat m", 20, 110, a={semconv.OPERATION: "chat"})
    source = SpanSet((root, chat, _span("d", "c", "decode", 50, 100, a=told)))
    (found,) = observe(source.spans, read_queries(source))
    assert found.drafting == Drafting(0, 48, 20, ())
    assert found.drafting.share == pytest.approx(20 / 48)


@pytest.mark.parametrize("change", [{semconv.QUERY_WARMUP: True}, {semconv.BENCH_ARM: None}])
def test_warm_up_and_other_runs_are_no_observations(change: dict[str, Any]) -> None:
    source = _spans(**change)
    assert observe(source.spans, read_queries(source)) == ()
