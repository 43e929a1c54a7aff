"""What is found once for all spans alike is what each of them says itself."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from punie.trace import semconv
from punie.trace.analysis.calls.posts_beside import may_be_a_request
from punie.trace.analysis.foreign.agents import is_conventional, translated
from punie.trace.analysis.foreign.calls_around_tools import may_be_callers_work
from punie.trace.analysis.foreign.messages import input_messages, instructions, quotes_input, tool_definitions
from punie.trace.analysis.foreign.operations import (
    looks_like_a_call,
    may_look_like_a_call,
    operation_of,
    operation_of_shape,
)
from punie.trace.analysis.foreign.servers import may_report_phases, with_foreign_phases
from punie.trace.analysis.trees.roles import Role, role_of, written
from punie.trace.analysis.trees.shapes import shape_of
from punie.trace.model import Attributes, Event, Span, SpanKind

_NAMES = st.sampled_from(
    (
        *(semconv.OPERATION, semconv.PHASE, semconv.PHASE_PROVENANCE, semconv.SGLANG_MODULE),
        *(semconv.HTTP_METHOD[1], semconv.MESSAGE_TEMPLATE, semconv.TOOL_NAME, semconv.REQUEST_MODEL),
        *(semconv.AGENT_NAME[0], semconv.OUTPUT_TOKENS[0], semconv.FINISH_REASONS, semconv.LATENCY_PREFILL),
        *(semconv.INPUT_MESSAGES, semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_DEFINITIONS, "llm.tools.0.name"),
        *("gen_ai.prompt.0.content", "input.value", "openinference.span.kind", "acme.run_type"),
        *("acme.usage.completion", "output.value", "time_per_token", "inference_time", "what.ever"),
    )
)
_VALUES = st.sampled_from(
    (
        *(None, True, 1, 2.5, ["chat"], "", "x", "1ms", "POST", "sglang::request", "Agent run: {name!r}"),
        *(semconv.OPERATION_CHAT[0], semconv.OPERATION_TOOL, semconv.OPERATION_AGENT, "tool", "evaluator"),
        *("decode", "http", "server", '[{"role": "system", "content": "be brief"}]'),
    )
)
_SPANS = st.builds(
    Span,
    trace_id=st.just("t"),
    span_id=st.just("s"),
    parent_id=st.none(),
    name=st.sampled_from(("chat m", "workflow.run", "execute_tool x", "langchain4j.tools.x", "decode_loop")),
    start_ns=st.just(10),
    end_ns=st.just(99),
    kind=st.sampled_from(SpanKind),
    attributes=st.dictionaries(_NAMES, _VALUES, max_size=5),
    events=st.sampled_from(((), (Event("LLMChatStartEvent", 11),), (Event("exception", 12),))),
    scope=st.sampled_from(("", "sglang", "llamaindex.opentelemetry.registrar")),
)
_SETTINGS = settings(deadline=None, max_examples=500)


def plain(attributes: Attributes) -> Span:
    return Span("t", "s", None, "chat m", 10, 99, attributes=attributes)


@_SETTINGS
@given(_SPANS)
@example(plain({semconv.OPERATION: ["chat"]}))
def test_role_phase_and_operation_are_those_of_the_span(span: Span) -> None:
    shape = shape_of(span)
    assert (shape.role or role_of(span)) is role_of(span)
    assert shape.known == written(span)
    assert shape.names == set(span.attributes)
    assert operation_of_shape(shape, span) == operation_of(span)


@_SETTINGS
@given(_SPANS)
@example(plain({semconv.OPERATION: semconv.OPERATION_CHAT[0], "openinference.span.kind": "prompt"}))
def test_what_no_shape_asks_for_changes_nothing(span: Span) -> None:
    shape = shape_of(span)
    if is_conventional(shape):
        assert translated(span) == span
    if not may_report_phases(shape):
        assert with_foreign_phases([span]) == (span,)
    if not may_be_callers_work(shape):
        assert role_of(span) not in (Role.TOOL, Role.AGENT)
    if not may_be_a_request(shape):
        assert role_of(span) is not Role.HTTP
    if not may_look_like_a_call(shape):
        assert not looks_like_a_call(span)
    if not quotes_input((*span.attributes,)):
        assert (input_messages(span), instructions(span), tool_definitions(span)) == ((), None, None)


@_SETTINGS
@given(_SPANS)
def test_spans_that_differ_in_other_values_are_of_one_shape(span: Span) -> None:
    words = (semconv.OPERATION, semconv.PHASE, semconv.PHASE_PROVENANCE)
    attributes = {name: value if name in words else "other" for name, value in span.attributes.items()}
    other = Span(
        "t2", "s2", "s", span.name, 5, 6, span.kind, attributes, events=span.events, scope=span.scope
    )
    assert shape_of(other) is shape_of(span)
