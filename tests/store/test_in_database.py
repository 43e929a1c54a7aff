"""The ledger added up inside ClickHouse: what is counted is Python's to the nanosecond, the rest is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import pytest
from changed_trees import SAID_OTHERWISE, changed, linked_cases, said_otherwise, with_named
from chdb_engine import session
from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import OTEL_TRACES, exporter_row, make_database
from msgspec.structs import replace
from query_trees import LENGTH_NS, NOW_NS, Tree, forty_queries, seeded

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.analysis.ledger.phases import phased_spans
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.analysis.summary.parts import part_of
from punie.trace.errors import InputError
from punie.trace.model import PHASE_RANK, AttributeValue, Event, Provenance, Span, SpanSet
from punie.trace.store.clickhouse.in_database import total
from punie.trace.store.clickhouse.tables import EXPORTER
from punie.trace.store.clickhouse.texts import survey_sql, traces_sql
from punie.trace.store.sources import read_source


@pytest.fixture(scope="module")
def front() -> Iterator[int]:
    """The port of the engine's front."""
    with clickhouse_front() as port:
        yield port


def fill(front: int, spans: Sequence[Span], more: str = "") -> str:
    """The URL of a database with the Collector's table."""
    session().query("DROP DATABASE IF EXISTS added SYNC")
    make_database("added", OTEL_TRACES, map(exporter_row, spans), "otel_traces")
    return f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{front}/added{more}"


def judged() -> dict[str, tuple[str, set[tuple[int | None, ...]]]]:
    """State and members of every trace in the table."""
    table = f"SELECT {EXPORTER.exporter_columns} FROM added.otel_traces"  # noqa: S608
    attributes, _ = json.loads(str(session().query(survey_sql(table), "JSONCompactEachRow")))
    sql = traces_sql(attributes).replace("otel_spans", f"({table})")
    found = str(session().query(f"SELECT TraceId, state, ids, members FROM ({sql})", "JSONCompactEachRow"))  # noqa: S608
    rows = [json.loads(line) for line in found.splitlines()]
    return {
        trace_id: (state, {_with_ids(list(map(int, ids)), list(map(int, one))) for one in members})
        for trace_id, state, ids, members in rows
    }


def _with_ids(ids: Sequence[int], member: Sequence[int]) -> tuple[int | None, ...]:
    number, above, *others = member
    return (ids[number - 1], ids[above - 1] if above else None, *others, int(not above))


def _number(span_id: str) -> int:
    return int.from_bytes(bytes.fromhex(span_id), "little", signed=False)


def expected(spans: Sequence[Span]) -> set[tuple[int | None, ...]]:
    """What Python reads off the same spans."""
    traces = read_traces(SpanSet(tuple(spans)))
    assert not traces.skew.shifts
    return {
        (
            _number(span.span_id),
            None if span.parent_id is None else _number(span.parent_id),
            span.start_ns,
            span.end_ns,
            PHASE_RANK[span.phase],
            list(Provenance).index(span.provenance),
            int(span.is_root),
        )
        for span in phased_spans(traces.forest, traces.queries, traces.calls)
    }


def test_every_span_of_a_plain_query_gets_the_phase_that_python_gives_it(front: int) -> None:
    random = seeded(5)
    trees = [Tree(number, random) for number in range(200)]
    fill(front, [span for tree in trees for span in tree.spans])
    found = judged()
    for tree in trees:
        assert found[tree.trace_id] == ("counted", expected(tree.spans))


@pytest.mark.parametrize("tag", [{"error": "timed out"}, {"otel.status_code": "ERROR"}])
def test_a_status_in_a_tag_needs_the_tree(front: int, tag: dict[str, str]) -> None:
    root, *rest = Tree(0, seeded(1)).spans
    fill(front, [replace(root, attributes={**root.attributes, **tag}), *rest])
    assert [state for state, _ in judged().values()] == ["tree"]


def test_an_exception_without_a_status_needs_the_tree(front: int) -> None:
    root, *rest = Tree(0, seeded(1)).spans
    at = next(
        n for n, one in enumerate(rest) if one.attributes.get(semconv.OPERATION) in semconv.OPERATION_CHAT
    )
    rest[at] = replace(rest[at], events=(Event("exception", rest[at].end_ns),))
    fill(front, [root, *rest])
    assert [state for state, _ in judged().values()] == ["tree"]


@pytest.mark.parametrize("said", [{semconv.ERROR_TYPE: "x"}, {semconv.QUERY_WARMUP: True}])
def test_copies_of_a_query_that_contradict_each_other_in_its_state_need_the_tree(
    front: int, said: dict[str, AttributeValue]
) -> None:
    root, *rest = Tree(0, seeded(1)).spans
    fill(front, [root, replace(root, attributes={**root.attributes, **said}), *rest])
    assert [state for state, _ in judged().values()] == ["tree"]


def test_a_trace_of_any_other_shape_is_left_aside_or_read_as_python_reads_it(front: int) -> None:
    random = seeded(6)
    traces = [changed(Tree(number, random, open_ended=number % 2 > 0).spans, random) for number in range(800)]
    fill(front, [span for spans in traces for span in spans])
    found = judged()
    states = {"counted": 0, "failed": 0, "tree": 0}
    for spans in traces:
        state, members = found[spans[0].trace_id]
        states[state] += 1
        if state != "tree":
            assert members == expected(spans)
    assert all(count > 1 for count in states.values()), states


@pytest.mark.parametrize(
    "wrong",
    [
        lambda span: replace(span, parent_id="f" * 16),
        lambda span: replace(span, parent_id=None),
        lambda span: replace(span, end_ns=span.end_ns + LENGTH_NS),
        lambda span: replace(span, end_ns=0),
        lambda span: replace(span, attributes={}),
        lambda span: with_named(span, reference=semconv.FOLLOWS_FROM),
    ],
)
def test_a_wrong_trace_is_counted_and_named(front: int, wrong: Callable[[Span], Span]) -> None:
    random = seeded(1)
    right, broken = Tree(0, random).spans, Tree(1, random).spans
    totals = total(fill(front, [*right, broken[0], wrong(broken[1]), *broken[2:]]))
    assert (totals.total.answers, totals.total.needs_tree, totals.named) == (1, 1, (broken[0].trace_id,))


@pytest.mark.parametrize(("name", "value", "becomes"), SAID_OTHERWISE)
def test_what_is_said_in_other_words_is_read_as_a_report_reads_it(
    front: int, name: str, value: AttributeValue, becomes: str
) -> None:
    url = fill(front, said_otherwise(Tree(4, seeded(4)).spans, name, value))
    found = total(url).total
    assert getattr(found, becomes) == 1
    assert found.needs_tree or found == part_of("", read_queries(read_source(url)).records)


@pytest.mark.parametrize(
    ("status", "becomes"), [("500", "failed"), ("200", "answers"), ("bad", "needs_tree")]
)
def test_a_query_with_the_status_of_an_error_has_failed(front: int, status: str, becomes: str) -> None:
    top, *others = sorted(Tree(4, seeded(4)).spans, key=lambda span: span.parent_id is not None)
    marked = replace(top, attributes={**top.attributes, semconv.HTTP_STATUS[0]: status})
    url = fill(front, [marked, *others])
    found = total(url).total
    assert getattr(found, becomes) == 1
    assert found.needs_tree or found == part_of("", read_queries(read_source(url)).records)


@pytest.mark.parametrize("by", linked_cases(seeded(1)))
def test_a_query_that_may_have_a_part_in_a_linked_trace_needs_the_tree(front: int, by: str) -> None:
    spans, expected = linked_cases(seeded(1))[by]
    found = total(fill(front, spans)).total
    assert (found.answers, found.needs_tree) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"start_ns": 900_000_000 * 10**9},
        {"end_ns": NOW_NS + 4000 * 86_400 * 10**9},
        {"start_ns": NOW_NS - 31 * 86_400 * 10**9},
    ],
)
def test_a_trace_with_times_that_can_not_be_needs_the_tree(front: int, change: dict[str, int]) -> None:
    sound, odd = Tree(0, seeded(1)).spans, Tree(1, seeded(1)).spans
    totals = total(fill(front, [*sound, replace(odd[0], **change), *odd[1:]])).total
    assert (totals.answers, totals.needs_tree) == (1, 1)


def test_the_sums_are_those_of_a_report(front: int, capsys: pytest.CaptureFixture[str]) -> None:
    spans = forty_queries(seeded(3))
    url = fill(front, spans)
    assert main(["report", url, "--in-database", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["report", url, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    for name in ("answers", "wall_ns", "wall", "phases", "groups", "network_known"):
        assert found[name] == report["totals"][name]
    assert (found["answers"], found["failed"], found["warmup"], found["needs_tree"]) == (40, 2, 2, 0)
    records = read_queries(SpanSet(tuple(spans))).records
    assert found["wall_ns"] == sum(record.wall_ns for record in records if record.succeeded)


def test_the_limit_takes_the_newest_and_says_that_there_may_be_more(front: int) -> None:
    old, new = Tree(0, seeded(1)).spans, Tree(1, seeded(1)).spans
    later = [replace(s, start_ns=s.start_ns + LENGTH_NS, end_ns=s.end_ns + LENGTH_NS) for s in new]
    totals = total(fill(front, [*old, *later], "?limit=1"))
    assert (totals.total.answers, totals.total.wall_ns, totals.may_be_cut) == (1, later[0].duration_ns, True)
    assert not total(fill(front, [*old, *later])).may_be_cut


def test_the_text_says_what_was_not_computed(front: int, capsys: pytest.CaptureFixture[str]) -> None:
    spans = forty_queries(seeded(3))
    assert (
        main(
            [
                "report",
                fill(front, [*spans, replace(spans[0], trace_id="e" * 32, attributes={})]),
                "--in-database",
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    for part in ("40 answered queries", "2 warm-up, 2 failed", "1 trace more", "e" * 32, "Not computed here"):
        assert part in said
    assert PASSWORD not in said
    assert max(map(len, said.splitlines()[1:])) <= 80


def test_without_an_answered_query_there_are_no_figures(
    front: int, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = [replace(span, parent_id="f" * 16) for span in Tree(0, seeded(1)).spans]
    assert main(["report", fill(front, spans), "--in-database"]) == 0
    assert "No answered query among them" in capsys.readouterr().out


def test_no_spans_are_refused(front: int) -> None:
    with pytest.raises(InputError, match="holds no spans"):
        total(fill(front, []))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jaeger://h:1"], "is neither Parquet nor a clickhouse:// URL"),
        (["clickhouse://h/d", "--gate", "target"], "gives no verdicts"),
        (["clickhouse://h/d", "-o", "there.pdf"], "no report format has this ending"),
    ],
)
def test_what_a_database_can_not_give_is_refused_before_it_is_asked(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *arguments, "--in-database"]) == 2
    assert said in capsys.readouterr().err
