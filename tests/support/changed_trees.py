"""Traces that are nearly as a run writes them: each with some change that a report has to know or to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from msgspec.structs import replace
from query_trees import LENGTH_NS, Tree

from punie.trace import semconv
from punie.trace.model import AttributeValue, Event, Span, SpanKind
from punie.trace.model import StatusCode as Status

_NAMES: Final = ("workflow.run", "langchain4j.tools.x", "receiving_stream", "execute_tool x")
_SPELLED: Final[Sequence[Mapping[str, AttributeValue]]] = (
    {"acme's.span.kind": "embedding"},
    {"acme\\span_type": "tool"},
    {"acme.run_type": "evaluator"},
    {"acme.usage.completion": 5, "gen_ai.request.model": "m"},
    {"gen_ai.usage.output_tokens": 5, "gen_ai.request.model": "m"},
    {"acme.stop_reason": "error"},
    {"output.value": '{"finish_reason": "error"}'},
    {"time_per_token": "1ms", "inference_time": "10ns"},
    {"gen_ai.tool.name": "x"},
    {"logfire.msg_template": "Function: {name}"},
)
"""What rules of spelling tell, not lists of names; what a template of Logfire's tells, or a server in its own words."""


def with_named(span: Span, **attributes: AttributeValue) -> Span:
    """The span with an attribute more, by a short name."""
    names = {
        "foreign": "traceloop.span.kind",
        "reference": semconv.PARENT_REFERENCE,
        "query": semconv.QUERY_ID,
    }
    return replace(span, attributes={**span.attributes, **{names[key]: v for key, v in attributes.items()}})


def _any_change(span: Span, other: Span, random: Random) -> Span:
    """A span that somebody else might have written, or one that went wrong."""
    changes: list[Callable[[], Span]] = [
        lambda: replace(span, parent_id="f" * 16),
        lambda: replace(span, parent_id=None),
        lambda: replace(span, parent_id=other.span_id),
        lambda: replace(span, end_ns=span.start_ns - 1),
        lambda: replace(span, end_ns=0),
        lambda: replace(span, start_ns=span.start_ns - LENGTH_NS),
        lambda: replace(span, end_ns=span.end_ns + LENGTH_NS),
        lambda: replace(span, kind=random.choice(list(SpanKind))),
        lambda: replace(span, attributes={}),
        lambda: replace(span, attributes=other.attributes),
        lambda: replace(span, status=Status.ERROR),
        lambda: replace(span, scope="opentelemetry.instrumentation.httpx2"),
        lambda: replace(span, scope="sglang"),
        lambda: replace(span, resource={"host.name": "there", "host.id": "1"}),
        lambda: replace(span, resource={"host.name": "here", "host.id": random.choice("12")}),
        lambda: with_named(span, foreign=random.choice(("tool", "prompt"))),
        lambda: with_named(span, reference=semconv.FOLLOWS_FROM),
        lambda: with_named(span, query="q"),
        lambda: replace(span, events=(Event("exception", span.start_ns),)),
        lambda: replace(span, name=random.choice(_NAMES)),
        lambda: replace(span, attributes={**span.attributes, **random.choice(_SPELLED)}),
        lambda: replace(span, attributes={**span.attributes, **random.choice(_SPELLED)}),
    ]
    return random.choice(changes)()


def changed(spans: list[Span], random: Random) -> list[Span]:
    """The trace as somebody else might have written it, or as it comes out where something went wrong."""
    found = list(spans)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        place = random.randrange(len(found))
        found[place] = _any_change(found[place], random.choice(found), random)
    if random.random() < 0.2:
        found.append(random.choice(found))
    if random.random() < 0.1:
        found.append(replace(found[-1], end_ns=found[-1].end_ns - 1))
    return found


SAID_OTHERWISE: Final[Sequence[tuple[str, AttributeValue, str]]] = (
    (semconv.QUERY_DISTURBED, "rain", "answers"),
    (semconv.QUERY_DISTURBED, "clock-step", "failed"),
    (semconv.QUERY_OK, "False", "failed"),
    (semconv.QUERY_OK, "0", "failed"),
    (semconv.QUERY_OK, "TRUE", "answers"),
    (semconv.QUERY_OK, "perhaps", "needs_tree"),
    (semconv.ERROR_TYPE, "Timeout", "failed"),
    (semconv.QUERY_ERROR, "", "answers"),
    (semconv.QUERY_ERROR, "Timeout", "failed"),
    (semconv.QUERY_WARMUP, "True", "warmup"),
    (semconv.QUERY_WARMUP, "False", "answers"),
    (semconv.HTTP_STATUS[0], "302", "answers"),
    (semconv.HTTP_STATUS[1], 200, "answers"),
    (semconv.HTTP_STATUS[1], "moved", "needs_tree"),
)
"""What a query or each of its requests may say in words of its own, and what becomes of the query."""

NO_TEXT: Final[Sequence[tuple[str, AttributeValue, str]]] = (
    (semconv.QUERY_ID, ["q"], "needs_tree"),
    (semconv.QUERY_ERROR, 1, "needs_tree"),
    (semconv.ERROR_TYPE, 429, "needs_tree"),
)
"""The same, where attributes have types: a report takes none of these for an id or an error."""


def said_otherwise(spans: Sequence[Span], name: str, value: AttributeValue) -> list[Span]:
    """The trace with the attribute on each request, if it is one of theirs, else on its query."""
    names = semconv.HTTP_METHOD if name in semconv.HTTP_STATUS else (semconv.QUERY_ID,)
    return [
        replace(span, attributes={**span.attributes, name: value})
        if any(one in span.attributes for one in names)
        else span
        for span in spans
    ]


def linked_cases(random: Random) -> Mapping[str, tuple[list[Span], tuple[int, int]]]:
    """Two traces and more, by what links them; with each how many queries are answered, and how many need the tree."""
    query, other = Tree(0, random).spans, Tree(1, random).spans
    top, *below = Tree(2, random).spans
    run = [
        replace(span, parent_id=None if span.parent_id == top.span_id else span.parent_id) for span in below
    ]
    to_run, to_query = (run[0].trace_id,), (query[0].trace_id,)
    return {
        "nothing": ([*query, *run], (1, 1)),
        "the query": ([*query[:-1], replace(query[-1], linked=to_run), *run], (0, 2)),
        "the run": ([*query, replace(run[0], linked=to_query), *run[1:]], (0, 2)),
        "what isn't there": ([replace(query[0], linked=("e" * 32,)), *query[1:], *run], (1, 1)),
        "two queries": ([*query, replace(other[0], linked=to_query), *other[1:]], (2, 0)),
    }
