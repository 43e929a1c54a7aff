"""Roots that ended before anything below them began."""

from __future__ import annotations

from small_traces import MS, agent, chat, findings, only, phases_ms, server, span, tool

from punie.trace.analysis.trees.handed_on import stretch_what_handed_on
from punie.trace.analysis.trees.tree import grow
from punie.trace.model import Span, SpanKind

WORKFLOW = (
    span("start workflow", None, 0, 5, kind=SpanKind.CLIENT),
    span("run workflow", "start workflow", 20, 20, kind=SpanKind.SERVER),
    span("start one", "run workflow", 30, 30, kind=SpanKind.CLIENT),
    span("run one", "start one", 50, 4050, kind=SpanKind.SERVER),
    chat("chat one", "run one", 60, 4040),
    span("start tool", "run workflow", 4060, 4060, kind=SpanKind.CLIENT),
    span("run tool", "start tool", 4100, 6000, kind=SpanKind.SERVER),
    tool("search", "run tool", 4110, 5990),
    span("start two", "run workflow", 6010, 6010, kind=SpanKind.CLIENT),
    span("run two", "start two", 6050, 10_000, kind=SpanKind.SERVER),
    chat("chat two", "run two", 6060, 9990),
)


def test_a_workflow_of_marks_and_activities_is_one_query_until_its_last_activity_ended() -> None:
    query = only(*WORKFLOW)
    assert query.wall_ns == 10_000 * MS
    assert phases_ms(query) == {"model": 7910, "tool": 1880, "framework": 210}
    assert (query.model_requests, query.tool_calls) == (2, 1)
    assert findings(*WORKFLOW) == {"handed-on": 1}


def test_a_request_that_puts_a_job_into_a_queue_lasts_until_that_is_done() -> None:
    spans = (server("post", None, 0, 5), span("job", "post", 100, 900), chat("chat", "job", 100, 900))
    assert only(*spans).wall_ns == 900 * MS


def test_an_agent_s_run_is_a_query_by_itself_whoever_began_it() -> None:
    run = agent("run", "post", 100, 900)
    query = only(server("post", None, 0, 5), run, chat("chat", "run", 100, 800))
    assert query.wall_ns == 800 * MS


def _stretched(*spans: Span) -> bool:
    return bool(stretch_what_handed_on(grow(spans))[1])


def test_what_began_before_its_root_ended_only_reaches_out_of_it() -> None:
    root, query = span("root", None, 0, 10), span("root", None, 0, 10, {"punie.query.id": "q"})
    assert not _stretched(root, span("child", "root", 9, 20))
    assert not _stretched(root, span("child", "root", 9, 20), span("later", "root", 30, 40))
    assert not _stretched(root)
    assert not _stretched(query, span("child", "root", 20, 30))
    assert _stretched(root, span("child", "root", 20, 30))


def test_what_only_follows_is_not_what_a_root_began() -> None:
    follows = {"punie.parent.reference": "follows_from"}
    assert not _stretched(span("root", None, 0, 10), span("child", "root", 20, 30, follows))
