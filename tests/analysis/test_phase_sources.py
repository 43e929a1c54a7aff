"""One request known in several ways: whose word counts, what is said when they disagree, and others' servers."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Final

import pytest
from flaws import find_flaws
from msgspec.structs import replace
from phased import classify

from punie.trace import semconv
from punie.trace.analysis.foreign.servers import with_foreign_phases
from punie.trace.analysis.integrity.disagreements import TOLERANCE_NS
from punie.trace.analysis.ledger.ledger import compute_ledgers
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.analysis.records import QueryLedger
from punie.trace.model import Attributes, Event, Phase, Provenance, Span, SpanKind, SpanSet

T: Final = "a" * 32
MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
CLIENT: Final = SpanKind.CLIENT
USAGE: Final[Attributes] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def span(
    name: str,
    parent: str | None,
    start_ms: float,
    end_ms: float,
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    scope: str = "",
) -> Span:
    """Its id is its name."""
    start_ns, end_ns = round(start_ms * MS), round(end_ms * MS)
    return Span(T, name, parent, name, start_ns, end_ns, kind, attributes or {}, scope=scope)


def phase(which: Phase, parent: str, start_ms: float, end_ms: float, how: Provenance) -> Span:
    said: Attributes = {semconv.PHASE: which.value, semconv.PHASE_PROVENANCE: how.value}
    return replace(span(f"{how}.{which}", parent, start_ms, end_ms, said), name=which.value)


def request(
    name: str = "POST", start_ms: float = 1020, end_ms: float = 1480, more: Attributes | None = None
) -> Span:
    return span(name, "chat", start_ms, end_ms, {"http.request.method": "POST", **(more or {})}, CLIENT)


QUERY: Final = span("query", None, 1000, 1500, {semconv.QUERY_ID: "q"})
CHAT: Final = span("chat", "query", 1010, 1490, {semconv.OPERATION: "chat", **USAGE}, CLIENT)
POST: Final = request()
WHOLE: Final = (QUERY, CHAT, POST)
STREAM: Final = (
    phase(Phase.PREFILL, "POST", 1040, 1140, Provenance.STREAM),
    phase(Phase.DECODE, "POST", 1140, 1440, Provenance.STREAM),
)
BODY: Final = (
    phase(Phase.PREFILL, "POST", 1042, 1132, Provenance.BODY),
    phase(Phase.DECODE, "POST", 1132, 1440, Provenance.BODY),
)
SERVER: Final = (
    span(
        "server",
        "POST",
        1030,
        1470,
        {semconv.PHASE: "serve", semconv.PHASE_PROVENANCE: "server"},
        SpanKind.SERVER,
    ),
    phase(Phase.PREFILL, "server", 1041, 1130, Provenance.SERVER),
    phase(Phase.DECODE, "server", 1130, 1430, Provenance.SERVER),
)
ACCOUNTS: Final = {Provenance.SERVER: SERVER, Provenance.BODY: BODY, Provenance.STREAM: STREAM}
LENGTHS_MS: Final = {Provenance.SERVER: (89, 300), Provenance.BODY: (90, 308), Provenance.STREAM: (100, 300)}


def ledger(*spans: Span) -> QueryLedger:
    (found,) = compute_ledgers(classify(spans))
    return found


def flaws(*spans: Span) -> dict[str, int]:
    return {finding.slug: finding.count for finding in find_flaws(read_traces(SpanSet(spans)))}


MIXES: Final = list(chain.from_iterable(combinations(ACCOUNTS, n) for n in (1, 2, 3)))


@pytest.mark.parametrize("mix", MIXES, ids="+".join)
def test_the_best_account_alone_counts(mix: tuple[Provenance, ...]) -> None:
    spans = (*WHOLE, *(one for how in mix for one in ACCOUNTS[how]))
    found, best = ledger(*spans), mix[0]
    prefill_ms, decode_ms = LENGTHS_MS[best]
    assert found.phases_ns[Phase.PREFILL] == prefill_ms * MS
    assert found.phases_ns[Phase.DECODE] == decode_ms * MS
    assert found.provenance[Phase.PREFILL] == found.provenance[Phase.DECODE] == (best,)
    assert set(found.contested_ns.values()) == {0}
    assert flaws(*spans) == {}


@pytest.mark.parametrize("how", [Provenance.BODY, Provenance.STREAM])
def test_without_the_server_the_rest_of_the_request_is_the_models(how: Provenance) -> None:
    found = ledger(*WHOLE, *ACCOUNTS[how])
    assert found.phases_ns[Phase.HTTP] == 0
    assert found.phases_ns[Phase.MODEL] == (460 - sum(LENGTHS_MS[how])) * MS
    assert found.provenance[Phase.MODEL] == (Provenance.INFERRED,)


def test_a_server_that_shows_nothing_of_its_inside_leaves_the_streams_word() -> None:
    found = ledger(*WHOLE, *STREAM, span("llm", "POST", 1030, 1470, kind=SpanKind.SERVER))
    assert found.phases_ns[Phase.PREFILL] == 100 * MS
    assert found.phases_ns[Phase.DECODE] == 300 * MS
    assert found.phases_ns[Phase.MODEL] == 40 * MS
    assert set(found.contested_ns.values()) == {0}


def test_another_request_of_the_query_keeps_its_own_account() -> None:
    late = request("late", 1481, 1489)
    seen = phase(Phase.DECODE, "late", 1483, 1488, Provenance.STREAM)
    spans = (*WHOLE, *SERVER, late, replace(seen, span_id="late decode"))
    assert ledger(*spans).phases_ns[Phase.DECODE] == 305 * MS
    assert ledger(*spans).provenance[Phase.DECODE] == (Provenance.SERVER, Provenance.STREAM)
    assert flaws(*spans) == {"phase-sources-differ": 1}


# --- disagreement ---


def shifted(spans: tuple[Span, ...], by_ns: int) -> tuple[Span, ...]:
    return tuple(replace(one, start_ns=one.start_ns + by_ns, end_ns=one.end_ns + by_ns) for one in spans)


EARLY_ROOM: Final = 10 * MS  # the server began this long after the request was sent
LATE_ROOM: Final = 50 * MS  # the last token was out this long before the last byte arrived


@pytest.mark.parametrize(
    ("by_ns", "count"),
    [
        (-EARLY_ROOM - TOLERANCE_NS, 0),
        (-EARLY_ROOM - TOLERANCE_NS - 1, 1),
        (-SECOND // 2, 3),
        (LATE_ROOM + TOLERANCE_NS, 0),
        (LATE_ROOM + TOLERANCE_NS + 1, 1),
        (0, 0),
    ],
)
def test_clocks_disagree_beyond_the_tolerance(by_ns: int, count: int) -> None:
    found = flaws(*WHOLE, *shifted(SERVER, by_ns))
    assert found.get("clocks-disagree", 0) == count


def test_nothing_is_shifted_only_clipped() -> None:
    early = shifted(SERVER, -200 * MS)  # prefill and a part of decode lie before the query
    found = ledger(*WHOLE, *early)
    assert found.phases_ns[Phase.PREFILL] == 0
    assert found.phases_ns[Phase.DECODE] == 230 * MS


@pytest.mark.parametrize("more", [{semconv.HTTP_ENDS_AT: "close"}, {"http.response.status_code": 500}])
def test_a_server_may_work_on_after_a_client_that_left(more: Attributes) -> None:
    assert "clocks-disagree" not in flaws(QUERY, CHAT, request(end_ms=1200, more=more), *SERVER)
    whole = request(end_ms=1200, more={semconv.HTTP_ENDS_AT: semconv.HTTP_ENDS_AT_LAST_BYTE})
    assert "clocks-disagree" in flaws(QUERY, CHAT, whole, *SERVER)


def test_a_request_that_is_shorter_than_its_answers_making_ended_at_the_headers() -> None:
    assert "clocks-disagree" not in flaws(QUERY, CHAT, request(end_ms=1200), *SERVER)


def test_a_server_may_tidy_up_after_the_last_byte() -> None:
    longer = replace(SERVER[0], end_ns=1495 * MS)
    assert "clocks-disagree" not in flaws(*WHOLE, longer, *SERVER[1:])


@pytest.mark.parametrize(("told_ms", "is_flaw"), [(90, False), (91, False), (91.001, True), (5000, True)])
def test_timings_that_the_request_had_no_room_for_are_counted(told_ms: float, is_flaw: bool) -> None:
    said = replace(BODY[0], attributes={**BODY[0].attributes, semconv.BODY_REPORTED_NS: round(told_ms * MS)})
    assert ("timings-too-long" in flaws(*WHOLE, said, BODY[1])) is is_flaw


# --- other servers' own spans ---

VLLM: Final[Attributes] = {
    "gen_ai.latency.time_to_first_token": 0.110,
    "gen_ai.latency.e2e": 0.430,
    "gen_ai.latency.time_in_queue": 0.007,
    "gen_ai.latency.time_in_model_prefill": 0.089,
    "gen_ai.latency.time_in_model_decode": 0.300,
    "gen_ai.latency.time_in_model_inference": 0.389,
    "gen_ai.usage.prompt_tokens": 10,
    "gen_ai.usage.completion_tokens": 5,
    "gen_ai.request.id": "r",
}


def vllm(attributes: Attributes = VLLM) -> Span:
    return span("llm_request", "POST", 1030, 1470, attributes, SpanKind.SERVER, "vllm.llm_engine")


def children(*spans: Span) -> list[tuple[str, float, float]]:
    added = with_foreign_phases(spans)[len(spans) :]
    return [(one.name, one.start_ns / MS, one.end_ns / MS) for one in added]


def test_vllm_as_known_from_its_source_alone() -> None:
    assert children(vllm()) == [("queue", 1044, 1051), ("prefill", 1051, 1140), ("decode", 1140, 1440)]
    found = ledger(*WHOLE, vllm(), *STREAM)
    assert found.phases_ns[Phase.PREFILL] == 89 * MS
    assert found.phases_ns[Phase.DECODE] == 300 * MS
    assert found.phases_ns[Phase.QUEUE] == 7 * MS
    assert found.phases_ns[Phase.SERVE] == (440 - 396) * MS
    assert found.phases_ns[Phase.HTTP] == 20 * MS
    assert found.phases_ns[Phase.MODEL] == 0
    assert found.provenance[Phase.DECODE] == (Provenance.SERVER,)
    assert flaws(*WHOLE, vllm()) == {}


def test_told_phases_without_a_first_token_lie_from_the_start_and_never_reach_out() -> None:
    told = {key: value for key, value in VLLM.items() if "first_token" not in key}
    assert children(vllm(told)) == [("queue", 1030, 1037), ("prefill", 1037, 1126), ("decode", 1126, 1426)]
    long = {**told, "gen_ai.latency.time_in_model_decode": 0.5}
    assert children(vllm(long))[-1] == ("decode", 1126, 1470)
    assert children(vllm({**told, "gen_ai.latency.time_in_model_decode": 9.0})) == []  # in another unit


@pytest.mark.parametrize("odd", [-1.0, float("nan"), float("inf"), "0.1", True, None])
def test_what_is_no_duration_is_not_told(odd: float | str | bool | None) -> None:
    attributes: Attributes = {"gen_ai.latency.time_in_model_prefill": odd}
    assert children(vllm(attributes)) == []


def test_a_span_that_names_its_phase_and_a_clients_are_left_as_they_are() -> None:
    ours = replace(SERVER[0], attributes={**SERVER[0].attributes, **VLLM})
    assert children(ours, *SERVER[1:]) == []
    assert children(span("chat", None, 0, 1000, VLLM, CLIENT)) == []


def test_a_copy_of_a_span_tells_nothing_twice() -> None:
    assert len(children(vllm(), vllm())) == 3


def test_vllm_0_tells_its_phases_by_its_first_token_and_its_end() -> None:
    told = {key: value for key, value in VLLM.items() if "model" not in key}
    assert children(vllm(told)) == [("queue", 1030, 1037), ("prefill", 1037, 1140), ("decode", 1140, 1460)]
    without_end = {key: value for key, value in told.items() if "e2e" not in key}
    assert children(vllm(without_end)) == []


def test_triton_as_known_from_its_source_alone() -> None:
    queued = Event("QUEUE_START", 1_010 * MS)

    def triton(name: str, parent: str | None, start_ms: float, end_ms: float, *events: Event) -> Span:
        made = span(name, parent, start_ms, end_ms, {}, SpanKind.SERVER, "triton-server")
        return replace(made, events=events)

    found = ledger(
        triton("InferRequest", None, 1000, 1500),
        triton("llama", "InferRequest", 1005, 1495, queued),
        triton("compute", "llama", 1110, 1490),
    )
    assert {one: ns // MS for one, ns in found.phases_ns.items() if ns} == {
        Phase.MODEL: 380,
        Phase.QUEUE: 100,
        Phase.SERVE: 20,
    }
    around = triton("InferRequest", None, 1000, 1500), triton("llama", "InferRequest", 1005, 1495, queued)
    twice = [triton("compute", "llama", *times) for times in ((1110, 1200), (1300, 1490))]
    twice[1] = replace(twice[1], span_id="again")
    for computed in (twice, twice[::-1]):
        assert ledger(*around, *computed).phases_ns[Phase.QUEUE] == 100 * MS


@pytest.mark.parametrize(
    ("path", "phase"), [("/v1/chat/completions", Phase.MODEL), ("/health", Phase.FRAMEWORK)]
)
def test_dynamo_s_frontend_as_known_from_its_source_alone(path: str, phase: Phase) -> None:
    found = ledger(span("http-request", None, 1000, 1500, {"method": "POST", "uri": path}))
    assert found.phases_ns[phase] == 500 * MS


def test_a_client_s_request_of_the_same_name_is_no_server_s() -> None:
    request = {"method": "POST", "uri": "/v1/chat/completions"}
    found = ledger(span("http-request", None, 1000, 1500, request, SpanKind.CLIENT))
    assert found.phases_ns[Phase.FRAMEWORK] == 500 * MS


def sglang(
    name: str, parent: str, start_ms: float, end_ms: float, attributes: Attributes | None = None
) -> Span:
    return span(name, parent, start_ms, end_ms, attributes, scope="sglang server")


SGLANG_REQUEST: Final = sglang(
    " Req 1234", "POST", 1030, 1470, {"rid": "1234", "module": "sglang::request", **VLLM}
)
SGLANG: Final = (
    SGLANG_REQUEST,
    sglang("Tokenizer", " Req 1234", 1030, 1040, {"thread_label": "Tokenizer"}),
    sglang("tokenize", "Tokenizer", 1031, 1036),
    sglang("api_server_dispatch", "Tokenizer", 1036, 1038),
    sglang("Scheduler [TP 0]", " Req 1234", 1039, 1450, {"thread_label": "Scheduler"}),
    sglang("request_process", "Scheduler [TP 0]", 1039, 1041),
    sglang("prefill_waiting", "Scheduler [TP 0]", 1041, 1050),
    sglang("prefill_forward", "Scheduler [TP 0]", 1050, 1130),
    sglang("chunked_prefill", "prefill_forward", 1050, 1090),
    sglang("decode_waiting", "Scheduler [TP 0]", 1130, 1132),
    sglang("decode_forward", "Scheduler [TP 0]", 1132, 1440),
    sglang("decode_loop", "decode_forward", 1132, 1240),
)


def test_sglang_as_known_from_its_source_alone() -> None:
    found = ledger(*WHOLE, *SGLANG, *STREAM)
    assert {one: ns // MS for one, ns in found.phases_ns.items() if ns} == {
        Phase.DECODE: 308,
        Phase.PREFILL: 80,
        Phase.QUEUE: 11,
        Phase.TEMPLATE: 5,
        Phase.SERVE: 440 - 404,
        Phase.HTTP: 20,
        Phase.FRAMEWORK: 40,
    }
    assert found.provenance[Phase.DECODE] == (Provenance.SERVER,)
    assert set(found.contested_ns.values()) == {0}
    assert flaws(*WHOLE, *SGLANG) == {}


def test_sglang_without_its_steps_is_read_by_its_durations() -> None:
    assert [name for name, _, _ in children(SGLANG_REQUEST)] == ["queue", "prefill", "decode"]
    assert children(*SGLANG) == []
    assert ledger(*WHOLE, SGLANG_REQUEST).phases_ns[Phase.DECODE] == 300 * MS


def test_only_sglangs_own_steps_have_its_names() -> None:
    assert ledger(*WHOLE, span("decode_loop", "POST", 1100, 1200)).phases_ns[Phase.DECODE] == 0


def test_waiting_to_be_sent_elsewhere_is_not_the_models_work() -> None:
    moved = request("moved", 1020, 1120, {"http.response.status_code": 307})
    phases = ledger(QUERY, CHAT, moved, request(start_ms=1120)).phases_ns
    assert (phases[Phase.HTTP], phases[Phase.MODEL]) == (100 * MS, 360 * MS)
