"""A span that only follows another keeps its time, and no answer waited for it."""

from __future__ import annotations

from typing import Final

from flaws import find_flaws

from punie.trace import semconv
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.model import Attributes, Phase, Span, SpanSet

T: Final = "a" * 32
TOOL: Final[Attributes] = {semconv.OPERATION: semconv.OPERATION_TOOL}
FOLLOWS: Final[Attributes] = {semconv.PARENT_REFERENCE: semconv.FOLLOWS_FROM}


def span(name: str, parent: str | None, start: int, end: int, attributes: Attributes | None = None) -> Span:
    return Span(T, name, parent, name, start, end, attributes=attributes or {})


ROOT: Final = span("root", None, 0, 100)
TASK: Final = span("task", "root", 10, 40)
AFTER: Final = span("after", "task", 50, 90, {**TOOL, **FOLLOWS})
INNER: Final = span("inner", "after", 60, 70)


def test_it_counts_in_the_ledger_of_the_query_that_it_follows() -> None:
    (record,) = read_queries(SpanSet((ROOT, TASK, AFTER, INNER))).records
    assert {phase: ns for phase, ns in record.ledger.phases_ns.items() if ns} == {
        Phase.TOOL: 40,
        Phase.FRAMEWORK: 60,
    }


def test_it_is_neither_on_the_critical_path_nor_taken_from_a_self_time() -> None:
    (record,) = read_queries(SpanSet((ROOT, TASK, AFTER, INNER))).records
    assert record.critical_path is not None
    assert {part.name: (part.ns, part.self_ns) for part in record.critical_path.parts} == {
        "root": (70, 70),
        "task": (30, 30),
    }
    as_child = span("after", "task", 50, 90, TOOL)
    (waited,) = read_queries(SpanSet((ROOT, TASK, as_child))).records
    assert waited.critical_path is not None
    assert waited.critical_path.phases_ns[Phase.TOOL] == 40  # the root is still open: it waited


def test_it_is_shown_and_no_lost_child() -> None:
    found = {f.slug: f for f in find_flaws(read_traces(SpanSet((ROOT, TASK, AFTER, INNER))))}
    assert set(found) == {"follows-from"}
    assert (found["follows-from"].effect, found["follows-from"].examples) == (Effect.SHOWN, (f"{T}/after",))


def test_a_chain_of_them_belongs_to_one_query_and_a_ring_to_none() -> None:
    third = span("third", "inner", 75, 80, FOLLOWS)
    queries = read_traces(SpanSet((third, INNER, AFTER, TASK, ROOT))).queries
    assert {key[1] for key in queries.of} == {"root", "task", "after", "inner", "third"}
    ring = (span("a", "b", 1, 2, FOLLOWS), span("b", "a", 1, 2, FOLLOWS))
    traces = read_traces(SpanSet((ROOT, *ring)))
    assert {key[1] for key in traces.queries.outside} == {"a", "b"}


def test_one_that_follows_a_span_that_is_missing_is_an_orphan() -> None:
    found = {f.slug for f in find_flaws(read_traces(SpanSet((ROOT, AFTER))))}
    assert found == {"missing-parent"}


def test_an_agent_that_follows_another_is_a_query_of_its_own() -> None:
    agent: Attributes = {semconv.OPERATION: semconv.OPERATION_AGENT}
    traces = read_traces(
        SpanSet((span("one", None, 0, 50, agent), span("two", "one", 60, 90, {**agent, **FOLLOWS})))
    )
    assert [key[1] for key in traces.queries.roots] == ["one", "two"]
