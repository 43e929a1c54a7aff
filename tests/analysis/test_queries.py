"""One record a query: what its root says, what its model requests add up to, and its ledger."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.pipeline import QueryRecords, read_queries
from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.model import Attributes, Phase, Span, SpanKind, SpanSet, StatusCode

T: Final = "a" * 32
SAID: Final[Attributes] = {
    semconv.QUERY_ID: "views",
    semconv.QUERY_REPEAT: 2,
    semconv.QUERY_SERVER_START: 1,
    semconv.QUERY_POSITION: 7,
    semconv.QUERY_EXPECTED: "tool",
    semconv.QUERY_CACHE: "off",
    semconv.QUERY_OK: False,
    semconv.QUERY_FAILURES: ("wrong-tool", "leak"),
    semconv.QUERY_FAILURE_DETAILS: ("called read_file", "a tag in the answer"),
}


def span(
    name: str,
    parent: str | None,
    start: int,
    end: int,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    status: StatusCode = StatusCode.UNSET,
) -> Span:
    return Span(T, name, parent, name, start, end, kind, attributes or {}, status)


def chat(name: str, parent: str, start: int, end: int, **usage: int | float | str | tuple[str, ...]) -> Span:
    more = {key.replace("__", "."): value for key, value in usage.items()}
    return span(name, parent, start, end, {semconv.OPERATION: "chat", **more})


def tool(name: str, parent: str, start: int, end: int) -> Span:
    return span(name, parent, start, end, {semconv.OPERATION: "execute_tool"})


def read(*spans: Span, planned: tuple[PlannedQuery, ...] = ()) -> QueryRecords:
    return read_queries(SpanSet(spans), planned)


def only(*spans: Span) -> QueryRecord:
    (record,) = read(*spans).records
    return record


def full() -> tuple[Span, ...]:
    return (
        span("query", None, 0, 100, SAID),
        chat(
            "one",
            "query",
            10,
            40,
            gen_ai__usage__input_tokens=100,
            gen_ai__usage__output_tokens=20,
            gen_ai__usage__cache_read__input_tokens=80,
            gen_ai__client__operation__time_to_first_chunk=0.000000012,
            gen_ai__response__finish_reasons=("tool_call",),
        ),
        span("POST", "one", 12, 38, {"http.request.method": "POST"}, kind=SpanKind.CLIENT),
        span("server", "POST", 15, 35, {"gen_ai.usage.input_tokens": 100}, kind=SpanKind.SERVER),
        span("decode", "server", 20, 35, {semconv.PHASE: "decode", semconv.PHASE_PROVENANCE: "server"}),
        tool("tool", "query", 45, 60),
        chat(
            "two",
            "query",
            60,
            90,
            gen_ai__usage__prompt_tokens=200,
            gen_ai__usage__completion_tokens=5,
            gen_ai__usage__details__cached_tokens=0,
            gen_ai__response__finish_reasons=("length",),
        ),
    )


def test_everything_that_the_spans_say_is_on_the_record() -> None:
    record = only(*full())
    assert record == QueryRecord(
        query_id="views",
        trace_id=T,
        ledger=record.ledger,
        critical_path=record.critical_path,
        repeat=2,
        server_start=1,
        start_in_run=1,
        position=7,
        expected="tool",
        ok=False,
        failures=("wrong-tool", "leak"),
        failure_details=("called read_file", "a tag in the answer"),
        cache="off",
        model_requests=2,
        tool_calls=1,
        input_tokens=300,
        cached_tokens=80,
        output_tokens=25,
        time_to_first_chunk_ns=(12,),
        truncated=1,
        network_known=False,
    )
    # decode 20..35 · serve 15..20 · http 12..15, 35..38 · model 60..90 (nothing below the second chat) · tool 45..60
    assert {phase.value: ns for phase, ns in record.ledger.phases_ns.items() if ns} == {
        "decode": 15,
        "serve": 5,
        "http": 6,
        "model": 30,
        "tool": 15,
        "framework": 10 + 2 + 2 + 5 + 10,
    }
    assert record.critical_path is not None
    assert record.critical_path.phases_ns == record.ledger.phases_ns  # nothing ran in parallel
    assert not record.succeeded


def test_the_order_of_the_spans_and_copies_change_nothing() -> None:
    assert only(*reversed(full()), *full()[2:5]) == only(*full())


@pytest.mark.parametrize(("arm", "cached"), [("server", 0), ("off", 0), ("unknown", None), (None, None)])
def test_silence_about_the_cache_is_zero_from_a_server_of_the_run(
    arm: str | None, cached: int | None
) -> None:
    said = {key: value for key, value in SAID.items() if key != semconv.QUERY_CACHE}
    root = span("query", None, 0, 100, said if arm is None else {**said, semconv.QUERY_CACHE: arm})
    assert only(root, chat("one", "query", 10, 40, gen_ai__usage__input_tokens=9)).cached_tokens == cached
    assert only(root, chat("one", "query", 10, 40)).cached_tokens is None  # no usage at all


def test_the_server_s_own_cached_tokens_go_before_the_client_s() -> None:
    served = {semconv.CACHED_TOKENS[0]: 7, semconv.INPUT_TOKENS[0]: 50, semconv.OUTPUT_TOKENS[0]: 4}
    failed = {semconv.CACHED_TOKENS[0]: 3}
    record = only(
        span("query", None, 0, 100, SAID),
        chat(
            "one", "query", 10, 60, gen_ai__usage__input_tokens=49, gen_ai__usage__cache_read__input_tokens=5
        ),
        span("again", "one", 30, 50, served, kind=SpanKind.SERVER),
        span("first", "one", 12, 20, failed, kind=SpanKind.SERVER),
    )
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (49, 7, 4)


@pytest.mark.parametrize(("arm", "slugs"), [("off", ["cache-not-off"]), ("server", []), ("unknown", [])])
def test_cached_tokens_with_the_cache_off_are_a_flaw(arm: str, slugs: list[str]) -> None:
    usage = {"gen_ai__usage__input_tokens": 9, "gen_ai__usage__output_tokens": 1}
    root = span("query", None, 0, 100, {**SAID, semconv.QUERY_CACHE: arm})
    hit = chat("one", "query", 10, 40, gen_ai__usage__cache_read__input_tokens=8, **usage)
    found = read(root, hit, chat("two", "query", 50, 60, **usage)).findings
    assert [finding.slug for finding in found] == slugs
    assert [(finding.effect, finding.examples) for finding in found] == [
        (Effect.DOWNGRADED, (f"{T}/one",)) for _ in slugs
    ]


def test_counts_are_unknown_where_one_request_does_not_tell() -> None:
    root, *rest = full()
    attached = replace(root, attributes={**SAID, semconv.QUERY_CACHE: "unknown"})
    silent = only(attached, *rest, chat("three", "query", 91, 95, gen_ai__usage__input_tokens=1))
    assert (silent.input_tokens, silent.cached_tokens, silent.output_tokens) == (301, None, None)
    nobody = only(span("query", None, 0, 10, SAID))
    assert (nobody.input_tokens, nobody.model_requests, nobody.network_known) == (None, 0, False)


def test_a_sub_agents_requests_count_and_wrappers_do_not() -> None:
    record = only(
        *full()[:1],
        tool("tool", "query", 1, 50),
        chat("wrapper", "tool", 2, 49, gen_ai__usage__input_tokens=7, gen_ai__usage__output_tokens=2),
        chat("inner", "wrapper", 3, 48, gen_ai__usage__input_tokens=7, gen_ai__usage__output_tokens=2),
        chat("other", "query", 60, 70, gen_ai__usage__input_tokens=3, gen_ai__usage__output_tokens=1),
    )
    assert (record.model_requests, record.input_tokens, record.output_tokens) == (2, 10, 3)


def test_the_network_is_known_where_every_request_shows_its_server() -> None:
    spans = full()[:6]
    assert only(*spans).network_known
    assert not only(*spans[:3]).network_known


def test_of_a_server_alone_each_turn_is_a_query_with_its_own_window_and_tokens() -> None:
    def turn(name: str, start: int, end: int, output: int) -> tuple[Span, Span]:
        said = {semconv.INPUT_TOKENS[0]: 10, semconv.CACHED_TOKENS[0]: 4, semconv.OUTPUT_TOKENS[0]: output}
        phase = {semconv.PHASE: "decode", semconv.PHASE_PROVENANCE: "server"}
        asked = span(name, f"client's {name}", start, end, said, kind=SpanKind.SERVER)
        return asked, span(f"decode {name}", name, start + 1, end, phase)

    for turns in ((turn("one", 100, 200, 5),), (turn("one", 100, 200, 5), turn("two", 500, 900, 7))):
        found = read(*(one for spans in turns for one in spans))
        assert [finding.slug for finding in found.findings] == []
        assert [
            (record.wall_ns, record.model_requests, record.input_tokens, record.output_tokens)
            for record in found.records
        ] == [(100, 1, 10, 5), (400, 1, 10, 7)][: len(turns)]
        assert [record.ledger.phases_ns[Phase.DECODE] for record in found.records] == [99, 399][: len(turns)]


@pytest.mark.parametrize(("end_ns", "known"), [(95, True), (9, False)], ids=["the model's", "a token's"])
def test_a_server_that_answered_only_a_small_part_of_the_call_does_not_show_the_network(
    end_ns: int, known: bool
) -> None:
    post = span("POST", "chat", 2, end_ns, {"http.request.method": "POST"}, kind=SpanKind.CLIENT)
    server = span("server", "POST", 3, end_ns - 1, kind=SpanKind.SERVER)
    record = only(full()[0], chat("chat", "query", 0, 100), post, server)
    assert record.network_known is known


@pytest.mark.parametrize("reason", ["length", ("stop", "max_tokens")])
def test_truncation_is_read_from_one_reason_or_several(reason: str | tuple[str, ...]) -> None:
    spans = (full()[0], chat("one", "query", 1, 2, gen_ai__response__finish_reasons=reason))
    assert only(*spans).truncated == 1


@pytest.mark.parametrize(
    ("attributes", "status", "message", "error"),
    [
        ({}, StatusCode.UNSET, "", None),
        ({semconv.QUERY_ERROR: "TimeoutError: 60 s"}, StatusCode.ERROR, "", "TimeoutError: 60 s"),
        ({}, StatusCode.ERROR, "no server", "no server"),
        ({semconv.ERROR_TYPE: "ValueError"}, StatusCode.ERROR, "", "ValueError"),
        ({}, StatusCode.ERROR, "", "error"),
    ],
)
def test_what_ended_a_query_early(
    attributes: Attributes, status: StatusCode, message: str, error: str | None
) -> None:
    record = only(Span(T, "q", None, "q", 0, 9, attributes=attributes, status=status, status_message=message))
    assert record.error == error
    assert record.succeeded is (error is None)


def test_an_error_type_without_a_status_is_a_failure_too() -> None:
    assert only(span("q", None, 0, 9, {semconv.QUERY_ID: "a", "error.type": "400"})).error == "400"


def served(name: str, parent: str | None, start: int, **said: int | str) -> tuple[Span, ...]:
    """A server's span with its decode, as a traced server writes them."""
    phase = {semconv.PHASE: "decode", semconv.PHASE_PROVENANCE: "server"}
    request = {"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 7, **said}
    return (
        span(name, parent, start, start + 9, request, kind=SpanKind.SERVER),
        span(f"{name} decode", name, start + 2, start + 8, phase),
    )


def test_a_server_s_own_spans_are_model_requests_where_no_client_tells_of_any() -> None:
    found = only(span("loop", None, 0, 50), *served("one", "loop", 10), *served("two", "loop", 30))
    assert (found.model_requests, found.input_tokens, found.output_tokens) == (2, 60, 14)
    (alone,) = read(*served("one", None, 10, **{semconv.CACHED_TOKENS[0]: 4})).requests
    assert (alone.tokens.input, alone.tokens.cached, alone.tokens.output) == (30, 4, 7)
    beside = (span("loop", None, 0, 50), chat("c", "loop", 9, 20), *served("one", "c", 10))
    assert only(*beside, *served("two", "loop", 30)).model_requests == 1


def test_a_web_server_s_span_is_no_model_request() -> None:
    web = span("web", None, 0, 9, {"http.request.method": "POST"}, kind=SpanKind.SERVER)
    assert only(web).model_requests == 0
    assert only(web, chat("c", "web", 1, 8)).model_requests == 1


def test_a_warm_up_is_marked() -> None:
    record = only(span("warm-up", None, 0, 9, {semconv.QUERY_ID: "warm-up", semconv.QUERY_WARMUP: True}))
    assert record.warmup
    assert not record.succeeded


def test_queries_of_others_are_named_by_their_trace() -> None:
    agent = {semconv.OPERATION: "invoke_agent"}
    assert only(span("a", None, 0, 9, agent)).query_id == T
    several = read(span("a", None, 0, 9, agent), span("b", None, 20, 30, agent)).records
    assert [record.query_id for record in several] == [f"{T}/a", f"{T}/b"]
    assert [record.ok for record in several] == [None, None]


@pytest.mark.parametrize(("start", "queries"), [(10, 1), (25, 1), (30, 2)])
def test_an_agent_that_lost_its_parent_inside_another_is_no_query_of_its_own(
    start: int, queries: int
) -> None:
    agent = {semconv.OPERATION: "invoke_agent"}
    found = read(span("a", None, 0, 30, agent), span("sub", "absent", start, start + 10, agent))
    assert len(found.records) == queries
    assert sum(record.wall_ns for record in found.records) == (30 if queries == 1 else 40)


def test_a_killed_run_yields_no_number_of_the_query_that_it_left() -> None:
    planned = (PlannedQuery("views", 2, 1, 7), PlannedQuery("forms", 0, 0, 8))
    left = Span(
        "b" * 32, "agent", "query", "invoke_agent", 200, 300, attributes={semconv.OPERATION: "invoke_agent"}
    )
    found = read(*full(), left, planned=planned)
    assert [record.query_id for record in found.records] == ["views"]
    assert found.missing == planned[1:]
    assert found.findings[0].slug == "missing-query"


def test_nothing_is_an_empty_account() -> None:
    assert read() == QueryRecords(records=(), missing=(), findings=())


def test_every_record_adds_up() -> None:
    ledger = only(*full()).ledger
    assert sum(ledger.phases_ns.values()) == ledger.wall_ns == 100
    assert set(ledger.phases_ns) == set(Phase)
