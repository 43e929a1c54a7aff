"""What spans are taken for: ours by their word, everybody's by the conventions."""

from __future__ import annotations

from typing import Any

import pytest
from phased import classify

from punie.trace import semconv
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.model import Phase, Provenance, Span, SpanKind, StatusCode

T = "a" * 32


def span(
    name: str,
    parent: str | None,
    start: int = 0,
    end: int = 100,
    *,
    trace: str = T,
    kind: SpanKind = SpanKind.INTERNAL,
    status: StatusCode = StatusCode.UNSET,
    scope: str = "",
    **attributes: Any,  # noqa: ANN401 # attributes have values of many types
) -> Span:
    """A span whose id is its name; attributes with `__` for the dots."""
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span(trace, name, parent, name, start, end, kind, named, status, scope=scope)


def chat(name: str, parent: str | None, start: int = 0, end: int = 100) -> Span:
    return span(name, parent, start, end, kind=SpanKind.CLIENT, gen_ai__operation__name="chat")


def tool(name: str, parent: str, start: int = 0, end: int = 100) -> Span:
    return span(name, parent, start, end, gen_ai__operation__name="execute_tool")


def agent(name: str, parent: str | None, start: int = 0, end: int = 100) -> Span:
    return span(name, parent, start, end, gen_ai__operation__name="invoke_agent")


def post(name: str, parent: str, start: int = 0, end: int = 100, **more: Any) -> Span:  # noqa: ANN401 # as for span
    return span(name, parent, start, end, kind=SpanKind.CLIENT, **({"http__request__method": "POST"} | more))


def server(name: str, parent: str | None, start: int = 0, end: int = 100, **more: Any) -> Span:  # noqa: ANN401 # as for span
    return span(name, parent, start, end, kind=SpanKind.SERVER, **more)


def written(name: str, parent: str, phase: Phase | str, provenance: Provenance = Provenance.SERVER) -> Span:
    more = {semconv.PHASE: str(phase), semconv.PHASE_PROVENANCE: str(provenance)}
    return Span(T, name, parent, name, 0, 100, attributes=more)


def known(*spans: Span) -> dict[str, tuple[Phase, Provenance]]:
    return {one.span_id: (one.phase, one.provenance) for one in classify(spans)}


def by_id(*spans: Span) -> dict[str, PhasedSpan]:
    return {one.span_id: one for one in classify(spans)}


MODEL = (Phase.MODEL, Provenance.INFERRED)
HTTP = (Phase.HTTP, Provenance.CLIENT)
TOOL = (Phase.TOOL, Provenance.CLIENT)
FRAMEWORK = (Phase.FRAMEWORK, Provenance.CLIENT)
SERVE = (Phase.SERVE, Provenance.SERVER)


def test_our_tree_with_the_server_in_sight() -> None:
    found = known(
        span("query", None, punie__query__id="views"),
        agent("agent", "query"),
        chat("chat", "agent"),
        post("POST", "chat"),
        server("server", "POST"),
        written("queue", "server", Phase.QUEUE),
        written("prefill", "server", Phase.PREFILL),
        written("decode", "server", Phase.DECODE),
        written("parse", "chat", Phase.PARSE, Provenance.CLIENT),
        tool("tool", "agent"),
    )
    assert found == {
        "query": FRAMEWORK,
        "agent": FRAMEWORK,
        "chat": FRAMEWORK,
        "POST": HTTP,
        "server": SERVE,
        "queue": (Phase.QUEUE, Provenance.SERVER),
        "prefill": (Phase.PREFILL, Provenance.SERVER),
        "decode": (Phase.DECODE, Provenance.SERVER),
        "parse": (Phase.PARSE, Provenance.CLIENT),
        "tool": TOOL,
    }


def test_a_server_that_we_cannot_see_into_is_model_inferred() -> None:
    found = known(agent("agent", None), chat("chat", "agent"), post("POST", "chat"), span("tcp", "POST"))
    assert found == {"agent": FRAMEWORK, "chat": FRAMEWORK, "POST": MODEL, "tcp": MODEL}


def test_a_server_span_that_shows_nothing_of_its_inside_is_model_inferred() -> None:
    found = known(chat("chat", None), post("POST", "chat"), server("llm", "POST"), span("step", "llm"))
    assert found == {"chat": FRAMEWORK, "POST": HTTP, "llm": MODEL, "step": MODEL}


def test_a_proxy_serves_and_the_server_behind_it_is_the_model() -> None:
    found = known(
        chat("chat", None),
        post("POST", "chat"),
        server("proxy", "POST"),
        post("onward", "proxy"),
        server("llm", "onward"),
    )
    assert found == {"chat": FRAMEWORK, "POST": HTTP, "proxy": SERVE, "onward": HTTP, "llm": MODEL}


def test_a_chat_with_nothing_below_it_is_model_inferred() -> None:
    assert known(agent("agent", None), chat("chat", "agent"))["chat"] == MODEL


def test_a_chat_that_wraps_another_is_framework() -> None:
    assert known(chat("outer", None), chat("inner", "outer")) == {"outer": FRAMEWORK, "inner": MODEL}


def test_an_http_span_that_ends_at_the_headers_leaves_the_chat_as_the_model() -> None:
    request = span(
        "POST",
        "chat",
        kind=SpanKind.CLIENT,
        scope="opentelemetry.instrumentation.httpx2",
        http__method="POST",
    )
    assert known(chat("chat", None), request) == {"chat": MODEL, "POST": MODEL}


def get(name: str, parent: str, start: int = 0, end: int = 100) -> Span:
    return post(name, parent, start, end, http__request__method="GET")


@pytest.mark.parametrize(
    "below",
    [
        [get("models", "chat", 5, 6)],
        [get("models", "chat", 0, 95)],
        [post("token", "chat", 5, 6)],
        [post("token", "chat", 98, 99)],
        [post("headers", "chat", 2, 89)],
        [get("models", "chat", 1, 2), post("headers", "chat", 3, 40), post("log", "chat", 98, 100)],
        [post("token", "chat", 1, 2, http__response__status_code=401)],
        [post("token", "chat", 5, 6), server("login", "token", 5, 6)],
        [post("POST", "chat", 2, 50), server("ended at its headers", "POST", 3, 49)],
    ],
    ids=lambda below: " ".join(span.span_id for span in below),
)
def test_a_call_that_outlasts_its_requests_is_the_model(below: list[Span]) -> None:
    assert known(chat("chat", None), *below)["chat"] == MODEL


@pytest.mark.parametrize(
    "below",
    [
        [post("POST", "chat", 0, 90)],
        [post("POST", "chat", 50, 100)],
        [post("outer", "chat", 0, 99), post("inner", "outer", 1, 5)],
        [get("models", "chat", 0, 45), post("POST", "chat", 55, 100)],
        [post("first", "chat", 0, 5, http__response__status_code=503), post("again", "chat", 70, 95)],
        [post("cut", "chat", 0, 5), written("decode", "cut", Phase.DECODE, Provenance.STREAM)],
        [post("cut", "chat", 0, 5), server("served", "cut", 4, 95)],
        [post("read_whole", "chat", 0, 55, punie__http__ends_at="last_byte")],
    ],
    ids=lambda below: " ".join(span.span_id for span in below),
)
def test_a_call_whose_requests_tell_what_it_waited_for_is_framework(below: list[Span]) -> None:
    assert known(chat("chat", None), *below)["chat"] == FRAMEWORK


def test_generation_read_off_the_wire_stands_where_no_server_is_seen() -> None:
    found = known(
        chat("chat", None), post("POST", "chat"), written("decode", "POST", Phase.DECODE, Provenance.STREAM)
    )
    assert found["decode"] == (Phase.DECODE, Provenance.STREAM)
    assert found["POST"] == MODEL


def test_generation_read_off_the_wire_yields_to_the_servers_own_account() -> None:
    found = known(
        chat("chat", None),
        post("POST", "chat"),
        written("seen", "POST", Phase.DECODE, Provenance.STREAM),
        server("server", "POST"),
        written("decode", "server", Phase.DECODE),
    )
    assert "seen" not in found
    assert found["decode"] == (Phase.DECODE, Provenance.SERVER)


def test_a_tools_own_requests_are_the_tools_time() -> None:
    found = known(
        agent("agent", None),
        tool("tool", "agent"),
        post("POST", "tool"),
        server("elsewhere", "POST"),
        span("sql", "tool"),
    )
    assert found == {"agent": FRAMEWORK, "tool": TOOL, "POST": TOOL, "elsewhere": TOOL, "sql": TOOL}


def test_a_sub_agent_in_a_tool_still_generates() -> None:
    found = known(
        agent("agent", None),
        chat("outer", "agent"),
        tool("tool", "agent"),
        agent("sub", "tool"),
        chat("inner", "sub"),
        post("POST", "inner"),
    )
    assert found["sub"] == FRAMEWORK
    assert found["POST"] == MODEL
    assert found["outer"] == MODEL


def test_requests_in_a_tool_below_a_chat_do_not_make_the_chat_framework() -> None:
    found = known(chat("outer", None), tool("tool", "outer"), chat("inner", "tool"), post("POST", "inner"))
    assert found == {"outer": MODEL, "tool": TOOL, "inner": FRAMEWORK, "POST": MODEL}


@pytest.mark.parametrize(("method", "phase"), [("POST", MODEL), ("post", MODEL), ("GET", HTTP)])
def test_only_a_post_can_ask_a_model(method: str, phase: tuple[Phase, Provenance]) -> None:
    assert (
        known(chat("chat", None), post("request", "chat", http__request__method=method))["request"] == phase
    )


def test_requests_of_nobody_are_http_and_their_servers_serve() -> None:
    found = known(agent("agent", None), post("POST", "agent"), server("remote", "POST"))
    assert found == {"agent": FRAMEWORK, "POST": HTTP, "remote": SERVE}


@pytest.mark.parametrize("code", [200, 400])
def test_a_failed_request_that_was_tried_again_is_a_retry(code: int) -> None:
    found = known(
        chat("chat", None, 0, 50),
        post("first", "chat", 0, 10, http__response__status_code=503),
        post("second", "chat", 20, 30, status=StatusCode.ERROR),
        post("third", "chat", 40, 50, http__response__status_code=code),
    )
    retry = (Phase.RETRY, Provenance.CLIENT)
    own, last = (FRAMEWORK, MODEL) if code == 200 else (retry, retry)  # nothing came of any: the call failed
    assert found == {"chat": own, "first": retry, "second": retry, "third": last}


def test_a_request_that_worked_is_no_retry() -> None:
    found = known(chat("chat", None), post("first", "chat", 0, 10), post("second", "chat", 20, 30))
    assert (found["first"], found["second"]) == (MODEL, MODEL)


def test_a_trace_of_a_model_server_alone() -> None:
    assert known(server("llm", None, gen_ai__operation__name="chat")) == {"llm": MODEL}


def test_an_unknown_phase_is_taken_by_its_name_and_an_unknown_provenance_as_the_clients() -> None:
    odd = Span(T, "odd", "tool", "odd", 0, 100, attributes={semconv.PHASE: "thinking"})
    other = Span(
        T, "other", "tool", "other", 0, 9, attributes={semconv.PHASE: "decode", semconv.PHASE_PROVENANCE: "?"}
    )
    found = known(agent("agent", None), tool("tool", "agent"), odd, other)
    assert found["odd"] == TOOL
    assert found["other"] == (Phase.DECODE, Provenance.CLIENT)


# --- which query a span belongs to ---


def keys(*spans: Span) -> dict[str, str]:
    return {one.span_id: one.query_key.removeprefix(f"{T}/") for one in classify(spans)}


def test_our_query_span_is_the_query_and_a_span_called_query_is_not() -> None:
    spans = (
        span("web", None),
        span("mine", "web", punie__query__id="x"),
        agent("agent", "mine"),
        span("query", "web"),
    )
    assert keys(*spans) == {"mine": "mine", "agent": "mine"}


def test_several_outermost_agents_are_several_queries() -> None:
    spans = (
        span("web", None),
        agent("one", "web", 0, 40),
        chat("ask", "one", 1, 39),
        agent("two", "web", 50, 90),
        agent("sub", "two", 55, 60),
        chat("chat", "sub", 56, 58),
    )
    assert keys(*spans) == {"one": "one", "ask": "one", "two": "two", "sub": "two", "chat": "two"}


def test_an_orphan_belongs_to_the_only_query_of_its_trace() -> None:
    found = by_id(
        agent("agent", None, 0, 50),
        server("server", "lost", 60, 70),
        written("decode", "server", Phase.DECODE),
    )
    assert {one.query_key for one in found.values()} == {f"{T}/agent"}
    assert found["server"].parent_id == "agent"  # what is missing hung below it
    assert found["decode"].parent_id == "server"


def test_an_orphan_among_several_queries_belongs_to_the_one_around_it_or_to_none() -> None:
    spans = (
        agent("one", None, 0, 40),
        agent("two", None, 50, 90),
        span("in two", "lost", 60, 70),
        span("between", "lost", 38, 55),
        span("below between", "between", 60, 65),
    )
    assert keys(*spans) == {"one": "one", "two": "two", "in two": "two"}


def test_an_orphan_above_the_query_stays_outside() -> None:
    assert keys(span("web", "gateway"), agent("agent", "web")) == {"agent": "agent"}


def test_roots_are_queries_where_nothing_says_more() -> None:
    assert keys(span("a", None, 0, 10), span("b", "a"), span("c", None, 10, 19), span("d", None, 12, 15)) == {
        "a": "a",
        "b": "a",
        "c": "c",
    }


def test_the_earliest_span_stands_in_for_a_root_that_is_missing() -> None:
    found = by_id(span("late", "lost", 20, 30), span("early", "lost", 10, 40), span("child", "early", 11, 12))
    assert [one.span_id for one in found.values() if one.is_root] == ["early"]
    assert {one.query_key for one in found.values()} == {f"{T}/early"}


def test_each_request_that_a_server_alone_shows_of_a_trace_is_a_query() -> None:
    spans = (
        server("one", "far", 10, 20),
        span("decode", "one", 12, 18),
        server("two", "away", 30, 40),
        span("in two", "two", 31, 32),
    )
    assert keys(*spans) == {"one": "one", "decode": "one", "two": "two", "in two": "two"}


def test_a_request_that_a_killed_server_left_unwritten_takes_no_others_place() -> None:
    left = written("prefill", "never written", Phase.PREFILL)
    assert keys(server("one", "far", 10, 20), server("two", "far", 30, 40), left) == {
        "one": "one",
        "two": "two",
    }


def test_a_servers_request_beside_what_its_client_left_is_no_query() -> None:
    found = by_id(post("POST", "lost chat", 5, 15), server("other", "lost POST", 10, 20))
    assert [one.span_id for one in found.values() if one.is_root] == ["POST"]


def test_the_same_span_id_in_two_traces_is_two_spans() -> None:
    found = classify([span("a", None), span("b", "a"), span("a", None, trace="b" * 32)])
    assert [(one.trace_id[0], one.span_id) for one in found if one.is_root] == [("a", "a"), ("b", "a")]
    assert len(found) == 3


def test_five_thousand_levels_and_a_cycle_end() -> None:
    deep = [agent("0", None)] + [span(str(n), str(n - 1)) for n in range(1, 5000)]
    assert len(classify(deep)) == 5000
    ring = [span(str(n), str((n + 1) % 3)) for n in range(3)] + [span("tail", "0"), span("self", "self")]
    found = by_id(agent("agent", None), *ring)
    assert set(found) == {"agent", "0", "1", "2", "tail", "self"}
    assert [found[name].parent_id for name in ("0", "1", "2", "self")] == ["agent"] * 4
    assert found["tail"].parent_id == "0"
