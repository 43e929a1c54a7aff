"""Each flaw of a trace has its slug, its effect and its examples; a sound trace has none."""

from __future__ import annotations

from typing import Final

import pytest
from flaws import find_flaws
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.analysis.records import PlannedQuery
from punie.trace.model import Attributes, Span, SpanKind, SpanSet, UnreadableRecord

T: Final = "a" * 32
USAGE: Final[Attributes] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
CHAT: Final[Attributes] = {semconv.OPERATION: "chat", **USAGE}


def span(
    name: str,
    parent: str | None,
    start: int,
    end: int,
    attributes: Attributes | None = None,
    *,
    trace: str = T,
    kind: SpanKind = SpanKind.INTERNAL,
    scope: str = "",
) -> Span:
    return Span(trace, name, parent, name, start, end, kind, attributes or {}, scope=scope)


def query(name: str = "query", start: int = 1000, end: int = 2000, *, trace: str = T) -> Span:
    said: Attributes = {semconv.QUERY_ID: name, semconv.QUERY_REPEAT: 0, semconv.QUERY_SERVER_START: 0}
    return span(name, None, start, end, said, trace=trace)


def flaws(
    *spans: Span, planned: tuple[PlannedQuery, ...] = (), unreadable: tuple[UnreadableRecord, ...] = ()
) -> dict[str, IntegrityFinding]:
    found = find_flaws(read_traces(SpanSet(spans, unreadable), planned))
    return {finding.slug: finding for finding in found}


def sound() -> tuple[Span, ...]:
    return (
        query(),
        span("chat", "query", 1100, 1500, CHAT),
        span("POST", "chat", 1110, 1490, {"http.request.method": "POST"}, kind=SpanKind.CLIENT),
    )


def test_a_sound_trace_has_no_flaw() -> None:
    assert flaws(*sound(), planned=(PlannedQuery("query", 0, 0, 0),)) == {}


def test_nothing_at_all_has_no_flaw() -> None:
    assert flaws() == {}


BROKEN: Final = {
    "missing-parent": (span("orphan", "lost", 1200, 1300), Effect.DOWNGRADED, (f"{T}/lost",)),
    "inverted-span": (span("odd", "query", 1300, 1200), Effect.DOWNGRADED, (f"{T}/odd",)),
    "unended-span": (span("odd", "query", 1300, 0), Effect.DOWNGRADED, (f"{T}/odd",)),
    "cycle": (span("odd", "odd", 1300, 1400), Effect.NO_VERDICT, (f"{T}/odd",)),
    "several-roots": (span("odd", None, 1300, 1400), Effect.SHOWN, (T,)),
    "unknown-phase": (
        span("odd", "query", 1300, 1400, {semconv.PHASE: "?"}),
        Effect.DOWNGRADED,
        (f"{T}/odd",),
    ),
    "outside-parent": (span("odd", "POST", 1300, 1600), Effect.SHOWN, (f"{T}/odd",)),
    "missing-usage": (
        span("odd", "query", 1300, 1400, {semconv.OPERATION: "chat"}),
        Effect.SHOWN,
        (f"{T}/odd",),
    ),
    "counts-disagree": (
        span("odd", "POST", 1120, 1480, {"gen_ai.usage.output_tokens": 999}, kind=SpanKind.SERVER),
        Effect.DOWNGRADED,
        (f"{T}/chat: output 5 and 999",),
    ),
    "truncated-answer": (
        span("odd", "query", 1300, 1400, {**CHAT, semconv.FINISH_REASONS: ("length",)}),
        Effect.DOWNGRADED,
        (f"{T}/odd",),
    ),
}


@pytest.mark.parametrize("slug", BROKEN)
def test_each_flaw_is_found(slug: str) -> None:
    broken, effect, examples = BROKEN[slug]
    finding = flaws(*sound(), broken)[slug]
    assert (finding.effect, finding.count, finding.examples) == (effect, 1, examples)
    assert finding.message


@pytest.mark.parametrize("slug", sorted(set(BROKEN) - {"cycle", "missing-parent", "several-roots"}))
def test_a_warm_up_has_no_flaws_of_its_own(slug: str) -> None:
    warmup = replace(sound()[0], attributes={semconv.QUERY_WARMUP: True})
    assert slug not in flaws(warmup, *sound()[1:], BROKEN[slug][0])


@pytest.mark.parametrize(("start", "end"), [(1000, 0), (1000, 900)])
def test_a_root_without_a_duration_forbids_a_verdict(start: int, end: int) -> None:
    finding = flaws(query(start=start, end=end))["broken-root"]
    assert (finding.effect, finding.examples) == (Effect.NO_VERDICT, (f"{T}/query",))


def test_a_root_that_stands_in_for_another_forbids_a_verdict() -> None:
    assert flaws(span("early", "lost", 1, 9), span("late", "lost", 2, 3))["broken-root"].examples == (
        f"{T}/early",
    )


def test_a_server_alone_does_not_miss_its_clients_spans() -> None:
    turns = (
        span("one", "far", 1, 9, USAGE, kind=SpanKind.SERVER),
        span("two", "away", 12, 19, USAGE, kind=SpanKind.SERVER),
    )
    assert flaws(*turns) == {}
    assert flaws(*turns, span("lost", "gone", 13, 14))["missing-parent"].count == 3


def test_copies_are_shown_and_copies_that_differ_downgrade() -> None:
    chat = sound()[1]
    assert flaws(*sound(), chat, chat)["duplicate-span"].count == 2
    differing = flaws(*sound(), replace(chat, end_ns=chat.end_ns - 1))
    assert "duplicate-span" not in differing
    assert differing["conflicting-duplicate"].effect is Effect.DOWNGRADED


@pytest.mark.parametrize(
    ("reach_ns", "effect"), [(1, Effect.SHOWN), (9, Effect.SHOWN), (10, Effect.DOWNGRADED)]
)
def test_reaching_out_of_the_query_downgrades_from_one_percent_of_its_wall_time(
    reach_ns: int, effect: Effect
) -> None:
    finding = flaws(*sound(), span("odd", "query", 1900, 2000 + reach_ns))["outside-window"]
    assert (finding.effect, finding.examples) == (effect, (f"{T}/odd",))


def test_planned_queries_without_a_root_forbid_a_verdict() -> None:
    planned = tuple(PlannedQuery("query", repeat, 0, repeat) for repeat in range(3))
    finding = flaws(*sound(), planned=planned)["missing-query"]
    assert (finding.effect, finding.count) == (Effect.NO_VERDICT, 2)
    assert finding.examples == ("query, repeat 1, server start 0", "query, repeat 2, server start 0")
    assert read_queries(SpanSet(sound()), planned).missing == planned[1:]


def test_a_warm_up_is_none_of_the_planned_queries() -> None:
    warmup = replace(query(), attributes={**query().attributes, semconv.QUERY_WARMUP: True})
    assert "missing-query" in flaws(warmup, planned=(PlannedQuery("query", 0, 0, 0),))


def test_what_a_killed_run_left_is_no_query() -> None:
    left = span("chat", "invoke_agent", 1000, 1500, CHAT)
    found = flaws(left, planned=(PlannedQuery("query", 0, 0, 0),))
    assert found["missing-query"].count == 1
    assert found["missing-parent"].examples == (f"{T}/invoke_agent",)
    assert ": 1 missing parent" in found["missing-parent"].message
    assert found["ambiguous-query"].examples == (f"{T}/chat",)
    assert "broken-root" not in found


def test_an_orphan_in_the_time_of_two_queries_is_placed_in_neither() -> None:
    first, other = replace(query(), end_ns=1500), replace(query(), span_id="other", start_ns=1500)
    for start, counted in ((1150, 0), (1450, 1)):
        found = flaws(first, other, span("lost", "absent", start, start + 100))
        unplaced = found["ambiguous-query"].count if "ambiguous-query" in found else 0
        assert unplaced == counted


def test_spans_beside_queries_and_other_traces_are_shown_apart() -> None:
    beside = span("web", None, 900, 2100)
    nested = replace(query(), parent_id="web")
    found = flaws(
        beside, nested, span("probe", None, 1, 2, trace="b" * 32), planned=(PlannedQuery("query", 0, 0, 0),)
    )
    assert found["outside-query"].examples == (f"{T}/web",)
    assert found["other-trace"].examples == ("b" * 32,)


def request(name: str, parent: str, scope: str, **kinds: SpanKind) -> Span:
    kind = kinds.get("kind", SpanKind.CLIENT)
    return span(name, parent, 1110, 1120, {"http.method": "POST"}, kind=kind, scope=scope)


STOCK: Final = "opentelemetry.instrumentation.httpx2"


@pytest.mark.parametrize("scope", [STOCK, "opentelemetry.instrumentation.aiohttp_client"])
def test_model_requests_that_end_at_the_headers_downgrade(scope: str) -> None:
    finding = flaws(query(), sound()[1], request("POST", "chat", scope))["http-ends-at-headers"]
    assert (finding.effect, finding.examples) == (Effect.DOWNGRADED, (f"{T}/POST",))


@pytest.mark.parametrize(
    "more",
    [
        (request("POST", "chat", STOCK), request("ours", "POST", "punie.trace")),
        (request("ours", "chat", "punie.trace"), request("POST", "ours", STOCK)),
        (request("POST", "chat", STOCK), request("server", "POST", "", kind=SpanKind.SERVER)),
        (request("POST", "query", STOCK),),
        (replace(request("GET", "chat", STOCK), attributes={"http.method": "GET"}),),
    ],
    ids=["a whole one inside", "a whole one around", "a server inside", "no model's", "no POST"],
)
def test_headers_matter_only_where_nothing_else_shows_the_body(more: tuple[Span, ...]) -> None:
    assert "http-ends-at-headers" not in flaws(query(), sound()[1], *more)


def test_a_call_that_goes_on_after_its_requests_downgrades() -> None:
    stream = request("POST", "chat", "opentelemetry.instrumentation.requests")
    finding = flaws(query(), sound()[1], stream)["uncovered-model-call"]
    assert (finding.effect, finding.examples) == (Effect.DOWNGRADED, (f"{T}/chat",))
    whole = replace(stream, end_ns=1490)
    assert flaws(query(), sound()[1], whole) == {}


@pytest.mark.parametrize(
    ("path", "status", "is_covered"),
    [("/v1/chat/completions", 200, True), ("/token", 200, False), ("/v1/chat/completions", 500, False)],
)
def test_a_busy_client_around_a_model_s_whole_answer_is_no_part_of_it(
    path: str, status: int, is_covered: bool
) -> None:
    told: Attributes = {
        "http.method": "POST",
        "url.full": f"http://127.0.0.1:8080{path}",
        "http.status_code": status,
        semconv.HTTP_ENDS_AT: semconv.HTTP_ENDS_AT_LAST_BYTE,
    }
    late = span("POST", "chat", 1400, 1420, told, kind=SpanKind.CLIENT)
    assert ("uncovered-model-call" not in flaws(query(), sound()[1], late)) is is_covered
    failed = replace(sound()[1], attributes={**sound()[1].attributes, "error.type": "E"})
    assert ("uncovered-model-call" not in flaws(query(), failed, late)) is (path != "/token")


@pytest.mark.parametrize(("draft", "cached", "said"), [("d", 3, True), ("d", 0, False), (None, 3, False)])
def test_a_draft_model_that_meets_the_prompt_cache_downgrades(
    draft: str | None, cached: int, said: bool
) -> None:
    told = {semconv.SERVER_DRAFT_MODEL: draft, semconv.CACHED_TOKENS[0]: cached}
    served = span("served", "POST", 1120, 1480, told, kind=SpanKind.SERVER)
    found = flaws(*sound(), served)
    assert ("draft-with-cache" in found) is said
    assert all(one.effect is Effect.DOWNGRADED and one.examples == (f"{T}/served",) for one in found.values())


def test_unreadable_records_are_named() -> None:
    finding = flaws(*sound(), unreadable=(UnreadableRecord("agent-1.jsonl", 7, "torn line"),))[
        "unreadable-record"
    ]
    assert (finding.effect, finding.examples) == (Effect.DOWNGRADED, ("agent-1.jsonl:7: torn line",))


def test_of_unreadable_records_every_one_is_kept() -> None:
    records = tuple(UnreadableRecord("agent-1.jsonl", line, "torn line") for line in range(1, 8))
    finding = flaws(*sound(), unreadable=records)["unreadable-record"]
    assert finding.examples == tuple(f"agent-1.jsonl:{line}: torn line" for line in range(1, 8))
    assert finding.examples_left_out == 0


def test_a_source_without_nanoseconds_says_so() -> None:
    (finding,) = find_flaws(read_traces(SpanSet(sound(), resolution_ns=1000)))
    assert (finding.slug, finding.effect, finding.examples) == ("coarse-clock", Effect.SHOWN, ("1000 ns",))


def test_the_gravest_comes_first_and_examples_are_few() -> None:
    many = [span(f"odd{n}", "query", 1300, 1200) for n in range(10)]
    found = find_flaws(
        read_traces(SpanSet((*sound(), *many, span("ring", "ring", 1, 2), span("r", None, 1, 2))))
    )
    effects = [finding.effect for finding in found]
    assert effects == sorted(effects, key=["no-verdict", "downgraded", "shown"].index)
    inverted = next(finding for finding in found if finding.slug == "inverted-span")
    assert (inverted.count, len(inverted.examples), inverted.examples_left_out) == (10, 3, 7)


def test_spans_that_miss_the_same_parent_are_one_example() -> None:
    found = flaws(query(), *(span(f"lost{n}", "absent", 1300, 1400) for n in range(5)))["missing-parent"]
    assert (found.count, found.examples, found.examples_left_out) == (5, (f"{T}/absent",), 0)


def test_counts_that_the_server_tells_are_not_missing() -> None:
    usage = {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 1}
    call = span("call", "query", 1100, 1500, {semconv.OPERATION: "chat"})
    server = span("server", "call", 1110, 1490, usage, kind=SpanKind.SERVER)
    assert "missing-usage" in flaws(query(), call)
    assert "missing-usage" not in flaws(query(), call, server)
