"""What a query is in traces that others wrote: which span, in which trace, and what is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace
from small_traces import T, agent, chat, findings, only, phases_ms, post, read, server, span, tool, walls_ms

from punie.trace import semconv
from punie.trace.analysis.calls.calls import find_calls
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.roots import find_candidates
from punie.trace.analysis.records import PlannedQuery
from punie.trace.analysis.trees.tree import grow
from punie.trace.model import Attributes, Span, SpanKind, SpanSet, StatusCode

OTHER = "b" * 32
WORKFLOW = {"gen_ai.operation.name": "invoke_workflow"}


def run(name: str, parent: str | None, start: float, end: float, trace: str = T) -> tuple[Span, Span]:
    """An agent's run that asks a model all the time but for its last millisecond."""
    return agent(name, parent, start, end, trace=trace), chat(
        f"{name} asks", name, start, end - 1, trace=trace
    )


@pytest.mark.parametrize(
    "around",
    [
        server("all", None, 0, 100, {"http.request.method": "POST"}),
        span("all", None, 0, 100, kind=SpanKind.CONSUMER),
        span("all", None, 0, 100, WORKFLOW),
        span("all", None, 0, 100, {"gen_ai.operation.name": "conversation"}),
        span("all", None, 0, 100, {"gen_ai.operation.name": "invoke_swarm"}),
        span("all", None, 0, 100, {"traceloop.span.kind": "workflow"}),
        span("all", None, 0, 100, {"openinference.span.kind": "CHAIN"}),
        span("all", None, 0, 100, {"mastra.span.type": "workflow_run"}),
    ],
)
def test_runs_below_one_request_workflow_or_conversation_are_one_query(around: Span) -> None:
    record = only(around, *run("plan", "all", 0, 40), *run("write", "all", 50, 90))
    assert (record.wall_ns, record.model_requests) == (around.duration_ns, 2)
    assert phases_ms(record) == {"model": 78, "framework": 22}


@pytest.mark.parametrize(("around", "wall"), [(server, 80), (span, 80), (agent, 100)])
def test_a_single_run_below_a_request_is_the_query(around: Callable[..., Span], wall: float) -> None:
    assert walls_ms(around("all", None, 0, 100), *run("a", "all", 10, 90)) == [wall]


@pytest.mark.parametrize("above", [None, "request"])
def test_a_single_run_below_a_workflow_is_part_of_it(above: str | None) -> None:
    request = [server("request", None, 0, 120)] if above else []
    workflow = span("all", above, 5, 105, {"openinference.span.kind": "CHAIN"})
    assert walls_ms(*request, workflow, *run("a", "all", 10, 90)) == [100]


def test_questions_over_a_connection_without_agents_are_a_query_each() -> None:
    asked = [chat(f"c{at}", "s", at, at + 20) for at in (10, 50)]
    assert walls_ms(server("s", None, 0, 100, {"http.scheme": "wss"}), *asked) == [20, 20]
    assert walls_ms(server("s", None, 0, 100), *asked) == [100]


def test_calls_around_a_tool_on_a_connection_are_one_question() -> None:
    steps = chat("c", "s", 10, 30), tool("t", "s", 32, 40), chat("d", "s", 41, 60)
    record = only(server("s", None, 0, 100, {"http.scheme": "ws"}), *steps)
    assert (record.wall_ns / 1e6, record.model_requests, record.tool_calls) == (100, 2, 1)


def test_what_is_above_calls_in_calls_is_walked_once() -> None:
    """A chain of 20,000 calls, each in the one before, took time by its square."""
    calls = [chat(f"c{at}", f"c{at - 1}" if at else None, at / 1e6, 100 - at / 1e6) for at in range(20_000)]
    forest = grow(calls)
    found = find_calls(forest)
    began = time.process_time()
    find_candidates(forest, found)
    assert time.process_time() - began < 5


def test_a_run_with_a_call_beside_it_below_one_request_is_one_query_with_it() -> None:
    beside = chat("route", "all", 0, 9)
    record = only(server("all", None, 0, 100), beside, *run("a", "all", 10, 90))
    assert (record.wall_ns / 1e6, record.model_requests) == (100, 2)


def test_a_plain_root_keeps_runs_that_follow_each_other_apart_and_joins_those_in_parallel() -> None:
    root = span("loop", None, 0, 100)
    assert walls_ms(root, *run("a", "loop", 0, 40), *run("b", "loop", 40, 90)) == [40, 50]
    assert walls_ms(root, *run("a", "loop", 0, 40), *run("b", "loop", 39, 90)) == [100]


def test_parallel_runs_are_joined_by_what_is_right_above_them() -> None:
    spans = [span("loop", None, 0, 100)]
    for case, start in (("one", 0), ("two", 50)):
        spans.append(span(case, "loop", start, start + 45))
        for name in "ab":
            spans.extend(run(f"{case} {name}", case, start, start + 40))
    assert walls_ms(*spans) == [45, 45]


def test_each_workflow_of_a_loop_is_a_query() -> None:
    spans = [span("loop", None, 0, 100)]
    for name, start in (("one", 0), ("two", 50)):
        spans.append(span(name, "loop", start, start + 45, WORKFLOW))
        spans.extend(
            [*run(f"{name} a", name, start, start + 10), *run(f"{name} b", name, start + 20, start + 40)]
        )
    assert walls_ms(*spans) == [45, 45]


@pytest.mark.parametrize("parent", ["loop", "absent", None])
def test_a_run_in_the_time_of_another_belongs_to_it_wherever_it_hangs(parent: str | None) -> None:
    caller = (agent("plan", "loop", 0, 90), chat("asks", "plan", 0, 9), tool("ask helper", "plan", 10, 80))
    record = only(span("loop", None, 0, 95), *caller, *run("helper", parent, 20, 70))
    assert (record.wall_ns / 1e6, record.model_requests) == (90, 2)
    assert phases_ms(record) == {"model": 58, "tool": 21, "framework": 11}


@pytest.mark.parametrize(
    "said",
    [
        {"gen_ai.operation.name": "chat"},
        {"gen_ai.operation.name": "execute_tool"},
    ],
)
def test_a_call_or_a_tool_that_hangs_beside_a_query_belongs_to_it(said: Attributes) -> None:
    stray = span("stray", "loop", 30, 40, said)
    record = only(span("loop", None, 0, 95), *run("a", "loop", 0, 90), stray)
    assert record.model_requests + record.tool_calls == 2


@pytest.mark.parametrize(
    "root",
    [
        server("probe", None, 0, 2, {"http.request.method": "GET"}, trace=OTHER),
        span("create", None, 0, 2, {"gen_ai.operation.name": "create_agent"}, trace=OTHER),
        span("set up", None, 0, 2, trace=OTHER),
        agent("user", None, 0, 2, trace=OTHER),
    ],
)
def test_a_root_that_asks_no_model_is_no_query_where_another_does(root: Span) -> None:
    assert walls_ms(root, *run("a", None, 10, 90)) == [80]
    assert findings(root, *run("a", None, 10, 90)) == {"trace-without-model-call": 1}
    assert walls_ms(root) == [2]


def test_a_run_that_failed_before_it_asked_a_model_is_a_failed_query() -> None:
    failed = agent("b", None, 0, 2, trace=OTHER, status=StatusCode.ERROR)
    assert [record.succeeded for record in read(failed, *run("a", None, 10, 90)).records] == [False, True]


def test_a_run_that_counts_tokens_asked_a_model_although_no_call_is_there() -> None:
    said: Attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.output_tokens": 5}
    untraced = span("b", None, 0, 5, said, trace=OTHER)
    assert walls_ms(untraced, *run("a", None, 10, 90)) == [5, 80]
    assert findings(untraced, *run("a", None, 10, 90)) == {"unrecognised-model-call": 1}


def test_a_tool_that_lost_its_caller_is_part_of_the_run_around_it() -> None:
    lost = (tool("lookup", None, 20, 60, trace=OTHER), chat("inside", "lookup", 30, 40, trace=OTHER))
    caller = (agent("a", None, 10, 90), chat("asks", "a", 10, 19))
    record = only(*lost, *caller)
    assert (record.wall_ns / 1e6, record.tool_calls, record.model_requests) == (80, 1, 2)
    assert phases_ms(record) == {"model": 19, "tool": 30, "framework": 31}
    assert findings(*lost, *caller) == {"part-of-other-trace": 1}
    assert walls_ms(*lost) == [40]  # nothing else asks a model


def test_a_tool_that_lost_its_caller_in_the_time_of_two_runs_is_in_none() -> None:
    lost = tool("lookup", None, 20, 60, trace=OTHER)
    found = read(lost, *run("a", None, 10, 90), *run("b", None, 15, 95, trace="c" * 32)).records
    assert [(record.wall_ns / 1e6, record.tool_calls) for record in found] == [(80, 0), (80, 0)]


def test_a_call_that_lost_its_caller_is_part_of_the_run_around_it_that_has_none() -> None:
    lost = chat("asks", None, 20, 60, trace=OTHER)
    record = only(agent("a", None, 10, 90), lost)
    assert (record.model_requests, phases_ms(record)) == (1, {"model": 40, "framework": 40})
    assert walls_ms(lost, *run("a", None, 10, 90)) == [80, 40]  # that run asks for itself


def served(name: str, parent: str | None, trace: str, start: float = 20, end: float = 80) -> Span:
    return server(name, parent, start, end, {"gen_ai.usage.output_tokens": 1}, trace=trace)


@pytest.mark.parametrize("parent", [None, "a client's"])
def test_a_server_s_trace_is_no_query_where_a_client_tells_of_its_call(parent: str | None) -> None:
    beside = served("request", parent, OTHER)
    assert walls_ms(beside, *run("a", None, 10, 90)) == [80]
    assert findings(beside, *run("a", None, 10, 90)) == {"part-of-other-trace": 1}
    assert walls_ms(beside) == [60]


@pytest.mark.parametrize(("kind", "wall"), [("invoke_workflow", 100), ("ponder", 40)])
def test_a_tool_beside_the_only_run_of_a_workflow_is_in_its_query(kind: str, wall: float) -> None:
    graph = span("graph", None, 0, 100, {"gen_ai.operation.name": kind})
    assert walls_ms(graph, *run("node", "graph", 0, 40), tool("lookup", "graph", 50, 60)) == [wall]


@pytest.mark.parametrize(
    "said",
    [
        {"langfuse.observation.type": "evaluator"},
        {"openinference.span.kind": "EVALUATOR"},
        {"braintrust.span_attributes": '{"type": "score"}'},
        {"mastra.span.type": "scorer_run"},
        {"logfire.msg_template": "evaluator: {evaluator_name}"},
    ],
)
def test_a_judge_s_run_is_no_query(said: Attributes) -> None:
    asked = run("a", "case", 0, 50)
    beside = (
        span("case", None, 0, 100),
        *asked,
        span("judges", "case", 20, 90, said),
        *run("j", "judges", 20, 90),
    )
    assert walls_ms(*beside) == [50]
    plain = (span("case", None, 0, 100), chat("c", "case", 0, 60), beside[-3], *run("j", "judges", 20, 90))
    assert walls_ms(*plain) == [60]
    apart = (span("judges", None, 60, 90, said, trace=OTHER), chat("why", "judges", 60, 90, trace=OTHER))
    assert walls_ms(*run("a", None, 0, 50), *apart) == [50]
    linked = [replace(one, linked=(OTHER,)) for one in run("j", None, 60, 80, trace="c" * 32)]
    assert walls_ms(*run("a", None, 0, 50), apart[0], *linked) == [50]
    assert walls_ms(*apart) == [30]  # nothing else was asked


def gateway(trace: str, model: str = "m", tokens: int = 1) -> tuple[Span, Span]:
    counts: Attributes = {"gen_ai.request.model": model, "gen_ai.usage.output_tokens": tokens}
    return server("proxy", None, 20, 80, trace=trace), chat("passes on", "proxy", 21, 79, counts, trace=trace)


@pytest.mark.parametrize(
    ("service", "tokens", "queries"), [("proxy", 1, 1), ("agent", 1, 2), ("proxy", 2, 2)]
)
def test_a_gateway_s_trace_is_no_query_where_a_client_of_another_service_tells_of_the_same_call(
    service: str, tokens: int, queries: int
) -> None:
    counts: Attributes = {"gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 1}
    mine = {"resource": {"service.name": "agent"}}
    client = (agent("a", None, 0, 100, **mine), chat("asks", "a", 10, 90, counts, **mine))
    from_proxy = [replace(one, resource={"service.name": service}) for one in gateway(OTHER, tokens=tokens)]
    assert len(read(*client, *from_proxy).records) == queries


@pytest.mark.parametrize(
    ("model", "tokens", "start", "queries"),
    [("m", 1, 11, 1), ("org/m", 1, 11, 1), ("m", 2, 11, 2), ("m", 1, 5, 2)],
)
@pytest.mark.parametrize("service", ["agent", "proxy"])
def test_a_call_that_another_library_shows_alone_is_no_query(
    service: str, model: str, tokens: int, start: float, queries: int
) -> None:
    def told(name: str, tokens: int = 1) -> Attributes:
        counts = {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": tokens}
        return {"gen_ai.request.model": name, **counts}

    mine = {"resource": {"service.name": "agent"}}
    here = (agent("a", None, 0, 100, **mine), chat("asks", "a", 10, 90, told("m"), **mine))
    again = chat("litellm_request", None, start, 89, told(model, tokens), trace=OTHER, scope="litellm")
    assert len(read(*here, replace(again, resource={"service.name": service})).records) == queries


def test_a_server_that_tells_its_route_alone_answers_as_a_model_by_it() -> None:
    said: Attributes = {"http.request.method": "POST", "http.route": "/v1/chat/completions"}
    assert phases_ms(only(server("POST", None, 0, 100, said))) == {"model": 100}


def test_where_the_root_is_missing_the_first_top_that_asks_a_model_stands_in() -> None:
    found = read(span("early", "lost", 0, 1), chat("one", "lost", 10, 50), chat("two", "lost", 60, 90))
    assert [record.wall_ns / 1e6 for record in found.records] == [40]


def test_an_http_root_around_its_server_is_outside_of_the_run() -> None:
    spans = (post("POST", None, 0, 100), server("web", "POST", 1, 99), *run("a", "web", 10, 90))
    assert walls_ms(*spans) == [80]


@pytest.mark.parametrize(
    ("service", "start", "queries"), [("app", 11, 1), ("another", 11, 2), ("app", 60, 2), ("app", 20, 1)]
)
def test_a_post_that_lost_its_calls_context_is_no_query(service: str, start: float, queries: int) -> None:
    url = "http://gpu:8000/v1/chat/completions"
    lost = post("POST", None, start, start + 59, url, trace=OTHER, resource={"service.name": service})
    spans = (agent("a", None, 0, 100), chat("one", "a", 10, 90))
    here = [replace(one, resource={"service.name": "app"}) for one in spans]
    assert len(walls_ms(*here, lost)) == queries


def delegating() -> tuple[Span, ...]:
    """A run of 90 ms that asks a model for 9 ms, and then waits 60 ms for a tool."""
    return agent("a", None, 0, 90), chat("asks", "a", 0, 9), tool("delegate", "a", 10, 70)


@pytest.mark.parametrize("is_backward", [False, True])
@pytest.mark.parametrize(("start", "walls"), [(20, [90]), (60, [90, 40]), (100, [90, 40])])
def test_a_run_that_is_linked_to_a_query_in_whose_time_it_lies_is_part_of_it(
    start: float, walls: Sequence[float], is_backward: bool
) -> None:
    first, *others = run("sub", None, start, start + 40, trace=OTHER)
    caller, *work = delegating()
    if is_backward:
        caller = replace(caller, linked=(OTHER,))
    else:
        first = replace(first, linked=(T,))
    spans = (caller, *work, first, *others)
    assert walls_ms(*spans) == walls
    if len(walls) == 1:
        assert phases_ms(only(*spans)) == {"model": 9 + 39, "tool": 60 - 39, "framework": 90 - 9 - 60}
        assert (only(*spans).model_requests, findings(*spans)) == (2, {"part-of-other-trace": 1})


@pytest.mark.parametrize("is_backward", [False, True])
@pytest.mark.parametrize(("start", "model_ms"), [(20, 9 + 39), (60, 9), (100, 9)])
def test_with_a_run_s_plan_a_linked_run_is_part_of_a_query_and_none_of_its_own(
    start: float, model_ms: float, is_backward: bool
) -> None:
    caller, *work = delegating()
    top = span("query", None, 0, 90, {semconv.QUERY_ID: "q"})
    first, *others = run("sub", None, start, start + 40, trace=OTHER)
    if is_backward:
        top = replace(top, linked=(OTHER,))
    else:
        first = replace(first, linked=(T,))
    spans = SpanSet((top, replace(caller, parent_id=top.span_id), *work, first, *others))
    (record,) = read_queries(spans, [PlannedQuery("q", 0, 0, 0)]).records
    assert phases_ms(record)["model"] == model_ms
    if model_ms > 9:
        assert record.ledger == read_queries(spans).records[0].ledger


def test_links_lead_to_the_outermost_query_and_make_one_of_what_asks_through_others() -> None:
    """A workflow whose steps run in traces of their own, one of which asks another run."""
    third = "c" * 32
    top, *tools = (span("flow", None, 0, 100, WORKFLOW), tool("step", "flow", 10, 90))
    step = [replace(one, linked=(T,)) for one in run("step runs", None, 20, 80, trace=OTHER)]
    inner = [replace(one, linked=(OTHER,)) for one in run("helper", None, 30, 40, trace=third)]
    found = read(top, *tools, *step, *inner)
    assert [(one.wall_ns / 1e6, one.model_requests) for one in found.records] == [(100, 2)]
    assert {one.slug: one.count for one in found.findings} == {"part-of-other-trace": 2}


def test_two_runs_of_the_same_time_that_are_linked_with_each_other_are_one_query() -> None:
    one = [replace(part, linked=(OTHER,)) for part in run("a", None, 0, 40)]
    other = [replace(part, linked=(T,)) for part in run("b", None, 0, 40, trace=OTHER)]
    assert walls_ms(*one, *other) == [40]


@pytest.mark.parametrize(
    ("name", "other", "start", "count"),
    [("gen_ai.conversation.id", "x", 20, 1), ("session.id", "x", 20, 1), ("session.id", "y", 20, 0)]
    + [("session.id", "x", start, 0) for start in (60, 100)],
)
def test_a_run_in_the_time_of_another_of_its_conversation_is_a_query_that_is_named(
    name: str, other: str, start: float, count: int
) -> None:
    def of(conversation: str, run: Span) -> Span:
        return replace(run, attributes={**run.attributes, name: conversation})

    caller, *work = delegating()
    first, *others = run("sub", None, start, start + 40, trace=OTHER)
    spans = (of("x", caller), *work, of(other, first), *others)
    assert walls_ms(*spans) == [90, 40]
    assert findings(*spans) == ({"perhaps-part-of-other-trace": count} if count else {})


@pytest.mark.parametrize(
    ("said", "walls"),
    [
        ({"http.scheme": "ws"}, [40, 40]),
        ({"url.full": "wss://chat.example/ws"}, [40, 40]),
        ({"http.response.status_code": 101}, [40, 40]),
        ({"url.scheme": "http"}, [100]),
    ],
)
def test_the_questions_of_one_connection_are_a_query_each(said: Attributes, walls: list[float]) -> None:
    runs = (agent("a", "s", 0, 40), chat("c", "a", 0, 40), agent("b", "s", 50, 90), chat("d", "b", 50, 90))
    assert walls_ms(server("s", None, 0, 100, said), *runs) == walls


def test_a_trace_that_an_attribute_alone_names_is_linked_with_it() -> None:
    outer, (inner, asks) = run("a", None, 0, 90), run("b", None, 20, 60, OTHER)
    assert walls_ms(*outer, inner, asks) == [90, 40]
    named = replace(inner, attributes={**inner.attributes, "trace_id": T})
    assert walls_ms(*outer, named, asks) == [90]


def test_a_gateway_s_trace_is_known_by_the_counts_of_the_server_behind_it() -> None:
    counts = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1}

    def behind(start: float, said: Attributes) -> tuple[Span, ...]:
        spans = (
            server("g", None, start, start + 60, {"http.request.method": "POST"}, trace=OTHER),
            post("p", "g", start + 1, start + 59, "http://vllm/v1/chat/completions", trace=OTHER),
            server("s", "p", start + 2, start + 58, said, trace=OTHER),
        )
        return tuple(replace(one, resource={"service.name": "gateway"}) for one in spans)

    asked = (agent("a", None, 0, 90), chat("c", "a", 0, 80))
    assert walls_ms(*asked, *behind(10, counts)) == [90]
    assert walls_ms(*asked, *behind(10, {**counts, "gen_ai.usage.output_tokens": 2})) == [90, 60]
    assert walls_ms(*asked, *behind(40, counts)) == [90, 60]


@pytest.mark.parametrize(
    ("client", "received", "walls"),
    [
        ("https://mcp.example.com/mcp", {"server.address": "agents.example.com"}, [100, 48]),
        ("https://mcp.example.com/mcp", {"server.address": "mcp.example.com", "server.port": 443}, [100]),
        ("https://mcp.example.com/mcp", {"server.address": "10.0.0.7"}, [100]),
        ("https://mcp.example.com/mcp", {"server.address": "mcp.default.svc.cluster.local"}, [100]),
        ("http://mcp:8000/mcp", {"server.address": "agents.example.com"}, [100]),
    ],
)
def test_a_run_behind_the_same_path_of_another_domain_is_a_query(
    client: str, received: Attributes, walls: list[float]
) -> None:
    asked = tool("t", "a", 20, 80), post("p", "t", 21, 79, client)
    root = server("s", None, 24, 74, {"url.path": "/mcp", **received}, trace=OTHER)
    behind = root, *run("b", "s", 25, 73, OTHER)
    assert walls_ms(*run("a", None, 0, 100), *asked, *behind) == walls


@pytest.mark.parametrize(
    ("path", "start", "twice", "walls"),
    [
        ("/a2a", 24, False, [100]),
        ("/other", 24, False, [100, 48]),
        ("/a2a", 60, False, [100, 48]),  # it ends after the request
        ("/a2a", 24, True, [100, 48, 48]),
    ],
)
def test_a_run_behind_a_tool_s_request_to_its_path_is_part_of_the_query(
    path: str, start: float, twice: bool, walls: list[float]
) -> None:
    asked = tool("t", "a", 20, 80), post("p", "t", 21, 79, "http://helper:9000/a2a")

    def behind(trace: str) -> tuple[Span, ...]:
        root = server("s", None, start, start + 50, {"url.path": path}, trace=trace)
        return root, *run("b", "s", start + 1, start + 49, trace)

    others = (*behind(OTHER), *(behind("c" * 32) if twice else ()))
    assert walls_ms(*run("a", None, 0, 100), *asked, *others) == walls


def test_whose_a_run_behind_a_path_is_may_not_be_known() -> None:
    """Two tools that ask there, a server's span that shows who answered, a client whose span is missing."""

    def query(trace: str, *more: Span) -> tuple[Span, ...]:
        asked = tool("t", "a", 20, 80, trace=trace), post("p", "t", 21, 79, "http://x/a2a", trace=trace)
        return *run("a", None, 0, 100, trace), *asked, *more

    def behind(parent: str | None) -> tuple[Span, ...]:
        root = server("s", parent, 24, 74, {"url.path": "/a2a"}, trace=OTHER)
        return root, *run("b", "s", 25, 73, OTHER)

    shown = server("shown", "p", 22, 78)
    assert walls_ms(*query(T), *behind(None)) == [100]
    assert walls_ms(*query(T), *query("c" * 32), *behind(None)) == [100, 100, 48]
    assert walls_ms(*query(T, shown), *behind(None)) == [100, 48]
    assert walls_ms(*query(T), *behind("missing")) == [100, 48]
