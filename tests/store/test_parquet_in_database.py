"""The ledger of Parquet files added up by DuckDB: what is counted is Python's to the nanosecond, the rest is said."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace as with_field
from pathlib import Path

import pytest
from changed_trees import NO_TEXT, SAID_OTHERWISE, changed, linked_cases, said_otherwise
from msgspec.structs import replace
from parquet_spans import Form, write_parquet
from query_trees import NOW_NS, Tree, forty_queries, seeded

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.summary.database_totals import Where
from punie.trace.analysis.summary.parts import GroupBy, Part, namer, part_of, parts_of
from punie.trace.analysis.trees.absolute_time import DAY_NS
from punie.trace.errors import InputError
from punie.trace.model import AttributeValue, Span, SpanSet
from punie.trace.store.parquet import in_database
from punie.trace.store.parquet.apart import WorkProgress
from punie.trace.store.parquet.in_database import total
from punie.trace.store.sources import read_source


def _on_days(traces: Sequence[Sequence[Span]]) -> list[Span]:
    """Each trace on a day of its own, so that `--by day` gives a part a trace."""
    found = []
    for number, spans in enumerate(traces):
        for span in spans:
            before = number * DAY_NS
            end_ns = span.end_ns - before if span.end_ns > before else span.end_ns
            found.append(replace(span, start_ns=span.start_ns - before, end_ns=end_ns))
    return found


@pytest.mark.parametrize("form", list(Form))
def test_each_trace_is_added_up_as_python_does_or_left_aside(tmp_path: Path, form: Form) -> None:
    random = seeded(6)
    plain = [Tree(number, random).spans for number in range(200)]
    other = [
        changed(Tree(number, random, open_ended=number % 2 > 0).spans, random) for number in range(200, 1000)
    ]
    spans = _on_days([*plain, *other])
    parts = total([write_parquet(tmp_path / "spans.parquet", spans, form)], GroupBy.DAY).parts
    by_trace: dict[str, list[Span]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    expected: dict[str, Part] = {}
    for found in by_trace.values():
        records = read_queries(SpanSet(tuple(found))).records
        expected |= {part.name: part for part in parts_of(records, namer(GroupBy.DAY, found))}
    judged = [part for part in parts if not part.needs_tree]
    for part in judged:
        assert part == expected[part.name]
    assert sum(part.needs_tree for part in parts) + len(judged) >= 1000
    assert len(judged) > 400


@pytest.mark.parametrize("form", list(Form))
def test_each_trace_that_others_recorded_is_added_up_as_python_does_or_left_aside(
    tmp_path: Path, form: Form
) -> None:
    traces = _recorded_traces()
    trees = [tree for spans in traces for tree in _as_queries(spans)]
    added_up: list[Sequence[Span]] = []
    for spans in (*traces, *trees):
        found = total([write_parquet(tmp_path / "spans.parquet", spans, form)])
        if found.total.needs_tree:
            assert (found.total.needs_tree, found.named) == (1, (spans[0].trace_id,))
        else:
            assert found.total == part_of("", read_queries(SpanSet(tuple(spans))).records)
            added_up.append(spans)
    assert len(traces) == 10
    assert max(map(len, added_up)) > 1


def _recorded_traces() -> Sequence[Sequence[Span]]:
    folder = os.environ.get("PUNIE_CORPUS")
    if folder is None:
        pytest.skip("PUNIE_CORPUS is not set: no traces of others to read")
    traces: dict[tuple[Path, str], list[Span]] = {}
    for file in Path(folder).glob("*.json"):
        for span in read_source(str(file)).spans:
            traces.setdefault((file, span.trace_id), []).append(span)
    return list(traces.values())


def _as_queries(spans: Sequence[Span]) -> Iterator[Sequence[Span]]:
    """Each tree of a trace as a run would mark it: a query, agents that call something, tools that call nothing."""
    ids = {span.span_id for span in spans}
    above = {span.parent_id for span in spans}
    later_ns = 0 if spans[0].start_ns > NOW_NS // 2 else NOW_NS  # some are of 1970
    for top in (span for span in spans if span.parent_id not in ids):
        tree = {
            top.span_id: replace(_plain(top, later_ns), parent_id=None, attributes={semconv.QUERY_ID: "q"})
        }
        for _ in spans:
            for span in (span for span in spans if span.parent_id in tree):
                work = semconv.OPERATION_AGENT if span.span_id in above else semconv.OPERATION_TOOL
                tree[span.span_id] = replace(_plain(span, later_ns), attributes={semconv.OPERATION: work})
        yield list(tree.values())


def _plain(span: Span, later_ns: int) -> Span:
    start_ns, end_ns = span.start_ns + later_ns, span.end_ns + later_ns
    return Span(span.trace_id, span.span_id, span.parent_id, span.name, start_ns, end_ns)


@pytest.mark.parametrize("form", list(Form))
def test_the_sums_are_those_of_a_report(
    tmp_path: Path, form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_parquet(tmp_path / "spans.parquet", forty_queries(seeded(3)), form)
    assert main(["report", file, "--in-database", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["report", file, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    for name in ("answers", "wall_ns", "wall", "phases", "groups", "network_known"):
        assert found[name] == report["totals"][name]
    assert (found["answers"], found["failed"], found["warmup"], found["needs_tree"]) == (40, 2, 2, 0)


@pytest.mark.parametrize("by", list(GroupBy))
def test_parts_are_those_of_spans_that_were_read(tmp_path: Path, by: GroupBy) -> None:
    random = seeded(9)
    models = ("", "a", "b, c", "it's")
    spans = _on_days([Tree(number, random, models[number % 4]).spans for number in range(60)])
    file = write_parquet(tmp_path / "spans.parquet", spans)
    records = read_queries(SpanSet(tuple(spans))).records
    totals = total([file], by)
    assert totals.parts == parts_of(records, namer(by, spans))
    assert totals.total == part_of("", records)


def test_blocks_of_few_spans_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_parquet(tmp_path / "spans.parquet", forty_queries(seeded(3)))
    whole = total([file], GroupBy.DAY)
    monkeypatch.setattr(in_database, "_BLOCK", 7)
    sent: list[object] = []
    in_database.send_total(sent.append, file, [file], GroupBy.DAY, in_database.MEMORY, str(tmp_path))
    assert sent[-1] == whole
    assert sum(isinstance(one, WorkProgress) for one in sent) > 7  # it says after each block how far it is


def test_several_files_of_any_form_a_folder_and_a_pattern_are_one(tmp_path: Path) -> None:
    spans = forty_queries(seeded(3))
    whole = total([write_parquet(tmp_path / "all.parquet", spans)]).total
    folder = tmp_path / "odd [name]'s"
    (folder / "below").mkdir(parents=True)
    files = [
        write_parquet(folder / "a.parquet", spans[::3], Form.EXPORTER),
        write_parquet(folder / "below" / "b.parquet", spans[1::3], Form.BYTES),
        write_parquet(folder / "below" / "c.parquet", spans[2::3]),
    ]
    for sources in (files, [str(folder)], [files[0], f"{tmp_path}/odd*/below/*.parquet"]):
        found = total(sources)
        assert (found.total, found.where) == (whole, Where.FILES)


def test_copies_of_a_span_count_once_and_contradicting_ones_need_the_tree(tmp_path: Path) -> None:
    spans = Tree(0, seeded(1)).spans
    once = total([write_parquet(tmp_path / "once.parquet", spans)]).total
    assert total([write_parquet(tmp_path / "twice.parquet", [*spans, *spans])]).total == once
    other = replace(spans[-1], end_ns=spans[-1].end_ns + 1)
    found = total([write_parquet(tmp_path / "other.parquet", [*spans, other])])
    assert (found.total.needs_tree, found.named) == (1, (spans[0].trace_id,))


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize("said", [{semconv.ERROR_TYPE: "x"}, {semconv.QUERY_WARMUP: True}])
def test_copies_of_a_query_that_contradict_each_other_in_its_state_need_the_tree(
    tmp_path: Path, said: dict[str, AttributeValue], is_last: bool
) -> None:
    top, *others = Tree(0, seeded(1)).spans
    tops = [top, replace(top, attributes={**top.attributes, **said})]
    spans = [*(tops if is_last else reversed(tops)), *others]
    assert total([write_parquet(tmp_path / "spans.parquet", spans)]).total.needs_tree == 1


@pytest.mark.parametrize(("name", "value", "becomes"), [*SAID_OTHERWISE, *NO_TEXT])
def test_what_is_said_in_other_words_is_read_as_a_report_reads_it(
    tmp_path: Path, name: str, value: AttributeValue, becomes: str
) -> None:
    spans = said_otherwise(Tree(4, seeded(4)).spans, name, value)
    file = write_parquet(tmp_path / "spans.parquet", spans)
    found = total([file]).total
    assert getattr(found, becomes) == 1
    assert found.needs_tree or found == part_of("", read_queries(read_source(file)).records)


@pytest.mark.parametrize(("status", "becomes"), [(500, "failed"), (200, "answers"), ("bad", "needs_tree")])
def test_a_query_with_the_status_of_an_error_has_failed(
    tmp_path: Path, status: AttributeValue, becomes: str
) -> None:
    top, *others = sorted(Tree(4, seeded(4)).spans, key=lambda span: span.parent_id is not None)
    marked = replace(top, attributes={**top.attributes, semconv.HTTP_STATUS[0]: status})
    file = write_parquet(tmp_path / "spans.parquet", [marked, *others])
    found = total([file]).total
    assert getattr(found, becomes) == 1
    assert found.needs_tree or found == part_of("", read_queries(read_source(file)).records)


@pytest.mark.parametrize("by", linked_cases(seeded(1)))
def test_a_query_that_may_have_a_part_in_a_linked_trace_needs_the_tree(tmp_path: Path, by: str) -> None:
    spans, expected = linked_cases(seeded(1))[by]
    found = total([write_parquet(tmp_path / "spans.parquet", spans, Form.EXPORTER)]).total
    assert (found.answers, found.needs_tree) == expected


@pytest.mark.parametrize("kind", ["VARCHAR", "BLOB[]", "STRUCT(trace_id VARCHAR)[]"])
def test_links_are_read_in_any_form(tmp_path: Path, kind: str) -> None:
    import duckdb

    spans, _ = linked_cases(seeded(1))["the run"]
    file = write_parquet(tmp_path / "spans.parquet", spans)
    linked = str(tmp_path / "linked.parquet")
    trace = spans[0].trace_id
    link = {
        "VARCHAR": f"""'[{{"context": {{"trace_id": "{trace.upper()}"}}}}]'""",
        "BLOB[]": f"[unhex('{trace}')]",
        "STRUCT(trace_id VARCHAR)[]": f"[{{'trace_id': '{trace}'}}]",
    }[kind]
    links = f"CASE WHEN trace_id = '{spans[-1].trace_id}' AND parent_id IS NULL THEN {link} END"
    select = f"SELECT *, CAST({links} AS {kind}) AS links FROM '{file}'"  # noqa: S608
    duckdb.connect().execute(f"COPY ({select}) TO '{linked}' (FORMAT parquet)")
    found = total([linked]).total
    assert (found.answers, found.needs_tree) == (0, 2)


def test_more_time_than_64_bits_hold_is_left_aside_and_said(tmp_path: Path) -> None:
    """Queries of nearly a month, of which a block may hold thousands."""
    month_ns = 29 * DAY_NS
    tops = [
        Span(
            f"{number:032x}",
            "1".zfill(16),
            None,
            "q",
            NOW_NS - month_ns,
            NOW_NS,
            attributes={semconv.QUERY_ID: "q"},
        )
        for number in range(1, 4_001)
    ]
    found = total([write_parquet(tmp_path / "spans.parquet", tops)]).total
    assert found.answers + found.needs_tree == 4_000
    assert found.answers > 1_000
    assert found.wall_ns == found.answers * month_ns


def test_an_id_that_is_none_needs_the_tree(tmp_path: Path) -> None:
    sound, odd = Tree(0, seeded(1)).spans, Tree(1, seeded(1)).spans
    spans = [*sound, *(replace(span, trace_id="nonsense") for span in odd)]
    found = total([write_parquet(tmp_path / "spans.parquet", spans)])
    assert (found.total.answers, found.total.needs_tree, found.named) == (1, 1, ("0" * 32,))


def test_attributes_that_are_no_json_need_the_tree(tmp_path: Path) -> None:
    import duckdb

    file = write_parquet(tmp_path / "spans.parquet", [*Tree(0, seeded(1)).spans, *Tree(1, seeded(2)).spans])
    broken = tmp_path / "broken.parquet"
    trace = f"{1:032x}"
    select = f"SELECT * REPLACE (if(trace_id = '{trace}', '{{', attributes) AS attributes) FROM '{file}'"  # noqa: S608
    duckdb.connect().execute(f"COPY ({select}) TO '{broken}' (FORMAT parquet)")
    found = total([str(broken)])
    assert (found.total.answers, found.total.needs_tree, found.named) == (1, 1, (trace,))


def test_a_struct_of_attributes_is_read(tmp_path: Path) -> None:
    import duckdb

    file = write_parquet(tmp_path / "spans.parquet", Tree(0, seeded(1)).spans)
    other = tmp_path / "struct.parquet"
    names = (
        "punie.query.id",
        "gen_ai.operation.name",
        "punie.phase",
        "punie.phase.provenance",
        "http.method",
        "http.request.method",
        "punie.http.ends_at",
    )
    fields = ", ".join(f'"{name}" := attributes ->> \'$."{name}"\'' for name in names)
    select = f"SELECT * REPLACE (struct_pack({fields}) AS attributes) FROM '{file}'"  # noqa: S608
    duckdb.connect().execute(f"COPY ({select}) TO '{other}' (FORMAT parquet)")
    assert total([str(other)]).total == total([file]).total


def test_the_text_says_where_and_in_how_much_memory_and_what_was_not_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = forty_queries(seeded(3))
    file = write_parquet(
        tmp_path / "spans.parquet", [*spans, replace(spans[0], trace_id="e" * 32, attributes={})]
    )
    assert main(["report", file, "--in-database"]) == 0
    said = capsys.readouterr().out
    for part in ("by DuckDB", in_database.MEMORY, "40 answered queries", "1 trace more", "Not computed here"):
        assert part in said


def test_spans_that_do_not_fit_into_memory_wait_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    seed = write_parquet(tmp_path / "seed.parquet", forty_queries(seeded(3)), Form.EXPORTER)
    file = str(tmp_path / "spans.parquet")
    copies = f"SELECT * REPLACE (md5(TraceId || n) AS TraceId) FROM '{seed}', range(1000) AS r(n)"  # noqa: S608
    duckdb.connect().execute(f"COPY ({copies}) TO '{file}' (FORMAT parquet)")
    whole = total([file])
    monkeypatch.setattr(in_database, "MEMORY", "60MB")
    found = total([file])
    assert with_field(found, memory="") == with_field(whole, memory="")


def test_what_can_not_be_added_up_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "spans.jsonl"
    text.write_text("{}")
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1" + b"x" * 100 + b"PAR1")
    for source, said in (
        (str(text), "is no Parquet"),
        (str(damaged), "damaged Parquet"),
        (str(tmp_path / "none"), "no such file"),
        (str(tmp_path / "*.none"), "holds no Parquet"),
    ):
        assert main(["report", source, "--in-database"]) == 5
        assert said in capsys.readouterr().err


def test_columns_that_are_missing_or_of_another_type_are_named(tmp_path: Path) -> None:
    import duckdb

    file = write_parquet(tmp_path / "spans.parquet", Tree(0, seeded(1)).spans)
    for change, said in (
        ("* EXCLUDE (span_id)", "has no column span_id"),
        ("* REPLACE (5 AS attributes)", "column attributes is INTEGER"),
        ("* REPLACE ('x' AS start_ns)", "column start_ns is VARCHAR"),
    ):
        other = tmp_path / "other.parquet"
        duckdb.connect().execute(f"COPY (SELECT {change} FROM '{file}') TO '{other}' (FORMAT parquet)")  # noqa: S608
        with pytest.raises(InputError, match=said):
            total([str(other)])


@pytest.mark.parametrize("missing", ["duckdb", "numpy"])
def test_without_duckdb_the_error_names_the_command(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_parquet(tmp_path / "spans.parquet", Tree(0, seeded(1)).spans)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match="DuckDB") as raised:
        in_database.send_total(print, file, [file], None, "1GB", str(tmp_path))
    assert "duckdb" in (raised.value.remedy or "")


def test_times_that_can_not_be_need_the_tree(tmp_path: Path) -> None:
    spans = Tree(0, seeded(1)).spans
    for number, change in enumerate(
        ({"start_ns": 900_000_000 * 10**9}, {"end_ns": spans[0].end_ns + 4000 * DAY_NS}, {"end_ns": 0})
    ):
        file = write_parquet(tmp_path / f"{number}.parquet", [replace(spans[0], **change), *spans[1:]])
        assert total([file]).total.needs_tree == 1
