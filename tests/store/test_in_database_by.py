"""A line a day or a model: the same from ClickHouse, from either writer's table, as from the spans."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chdb_engine import session
from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import JAEGER_SPANS, OTEL_TRACES, exporter_row, jaeger_row, make_database
from msgspec.structs import asdict, replace
from query_trees import NOW_NS, Tree, seeded

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.analysis.statistics.spread import spread
from punie.trace.analysis.summary.parts import GroupBy
from punie.trace.commands import report
from punie.trace.model import PHASES, AttributeValue, Span, SpanKind

HOUR_NS = 3_600 * 10**9
LONG = "somebody/a-model-with-a-name-that-is-longer-than-half-a-line-of-text"
MODELS = ("", "small", LONG)
WRITERS: dict[str, tuple[str, Callable[[Span], dict[str, Any]], str]] = {
    "collector": (OTEL_TRACES, exporter_row, "otel_traces"),
    "jaeger": (JAEGER_SPANS, jaeger_row, "spans"),
}


def hours(count: int = 72) -> list[Span]:
    """A query every hour, some wrong, some to warm up; of one model, every fifth of two, some as their server says."""
    spans: list[Span] = []
    for number in range(count):
        query, *rest = Tree(number, seeded(number), MODELS[number % 3]).spans
        if number % 5 == 0:
            rest = [_asks(span, MODELS[1 + i % 2]) for i, span in enumerate(rest)]
        if number % 4 == 0:
            rest = [_served(span) for span in rest]
        more: dict[str, AttributeValue] = {semconv.QUERY_OK: number % 7 != 0}
        if number % 11 == 0:
            more[semconv.QUERY_WARMUP] = True
        query = replace(query, attributes={**query.attributes, **more})
        spans += [_later(span, number * HOUR_NS) for span in (query, *rest)]
    return spans


def _asks(span: Span, model: str) -> Span:
    if span.attributes.get(semconv.OPERATION) != "chat":
        return span
    return replace(
        span, attributes={**span.attributes, semconv.RESPONSE_MODEL: model, semconv.REQUEST_MODEL: model}
    )


def _served(span: Span) -> Span:
    if span.kind is not SpanKind.SERVER:
        return span
    return replace(span, attributes={**span.attributes, semconv.RESPONSE_MODEL: "served"})


def _later(span: Span, by_ns: int) -> Span:
    return replace(span, start_ns=span.start_ns + by_ns, end_ns=span.end_ns + by_ns)


@pytest.fixture(scope="module")
def front() -> Iterator[int]:
    """The port of the engine's front."""
    with clickhouse_front() as port:
        yield port


def fill(front: int, spans: Sequence[Span], writer: str = "collector") -> str:
    """The URL of a database with a writer's table."""
    definition, row, name = WRITERS[writer]
    session().query("DROP DATABASE IF EXISTS parts SYNC")
    make_database("parts", definition, map(row, spans), name)
    return f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{front}/parts"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `report` prints."""
    assert main(["report", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("by", ["day", "model"])
def test_every_part_is_that_of_the_spans(
    front: int, by: str, writer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = fill(front, hours(), writer)
    found = json.loads(printed(capsys, url, "--by", by, "--in-database", "--format", "json"))
    expected = json.loads(printed(capsys, url, "--by", by, "--format", "json"))
    names = {part["name"] for part in found["parts"]}
    assert len(names) == 4 if by == "day" else names == {*MODELS, f"small, {LONG}", "served"}
    for name in expected.keys() - {"schema", "source", "integrity", "missing"}:
        assert found[name] == expected[name], name
    for count in ("answers", "failed", "warmup", "wall_ns"):
        assert found[count] == sum(part[count] for part in found["parts"])
    assert found["wall"]["p95_ns"] is not None


def test_a_query_belongs_to_the_day_on_which_it_began(front: int, capsys: pytest.CaptureFixture[str]) -> None:
    query, *rest = Tree(0, seeded(1)).spans
    midnight_ns = 1_763_942_400 * 10**9  # 2025-11-24
    query = replace(query, start_ns=midnight_ns - 1, end_ns=midnight_ns + HOUR_NS)
    after = Tree(1, seeded(1)).spans[0]
    after = replace(after, start_ns=midnight_ns, end_ns=midnight_ns + 1)
    inside = [replace(span, start_ns=midnight_ns + 5, end_ns=midnight_ns + 9) for span in rest[:1]]
    url = fill(front, [query, *inside, after])
    rows = csv.DictReader(
        io.StringIO(printed(capsys, url, "--by", "day", "--in-database", "--format", "csv"))
    )
    assert [(row["part"], row["answers"], row["wall_ns"]) for row in rows] == [
        ("2025-11-23", "1", str(HOUR_NS + 1)),
        ("2025-11-24", "1", "1"),
    ]


@pytest.mark.parametrize("by", ["day", "model"])
def test_text_has_a_line_a_part_and_fits_80_columns(
    front: int, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = fill(front, hours())
    said = printed(capsys, url, "--by", by, "--in-database")
    assert max(map(len, said.splitlines()[1:])) <= 80
    wanted = {"day": ("2025-11-24", "2025-11-27"), "model": ("no model named", "small", "somebody/")}
    for part in (*wanted[by], "generation", "p95", "Seconds a query, by phase", "all", "in no figure"):
        assert part in said
    for phase in PHASES:
        assert phase.value in said


def test_csv_holds_exact_nanoseconds_and_markdown_the_tables(
    front: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = fill(front, hours())
    document = json.loads(printed(capsys, url, "--by", "model", "--in-database", "--format", "json"))
    assert main(["report", url, "--by", "model", "--in-database", "-o", str(tmp_path / "by.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "by.csv").read_text())))
    assert [row["part"] for row in rows] == [part["name"] for part in document["parts"]]
    for row, part in zip(rows, document["parts"], strict=True):
        assert (
            int(row["wall_ns"]) == sum(int(row[f"{phase.value}_ns"]) for phase in PHASES) == part["wall_ns"]
        )
        assert int(row["median_ns"]) == part["wall"]["median_ns"]
    capsys.readouterr()
    text = printed(capsys, url, "--by", "model", "--in-database", "--format", "md")
    assert "## By model" in text
    assert "| small |" in text
    (whole,) = csv.DictReader(io.StringIO(printed(capsys, url, "--in-database", "--format", "csv")))
    assert (whole["part"], int(whole["wall_ns"])) == ("all", document["wall_ns"])


def test_the_local_text_says_what_is_wrong_before_any_figure(
    front: int, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = hours(3)
    said = printed(
        capsys, fill(front, [*spans, replace(spans[1], span_id="e" * 16, parent_id="f" * 16)]), "--by", "day"
    )
    assert said.index("missing-parent") < said.index("By day")


def test_wall_times_of_few_queries_are_those_of_a_sorted_list(
    front: int, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = (1, 2, 19, 20, 99, 100)  # a day each
    walls = [
        [(7 * number) % 101 + day for number in range(count)] for day, count in enumerate(counts, start=1)
    ]
    spans = [
        _later(replace(query, end_ns=query.start_ns + wall), day * 24 * HOUR_NS)
        for day, of_day in enumerate(walls)
        for number, wall in enumerate(of_day)
        for query in (replace(Tree(1000 * day + number, seeded(1)).spans[0], start_ns=NOW_NS),)
    ]
    found = json.loads(
        printed(capsys, fill(front, spans), "--by", "day", "--in-database", "--format", "json")
    )
    for part, of_day in zip(found["parts"], walls, strict=True):
        expected = spread(of_day)
        assert expected is not None
        assert part["wall"] == asdict(expected)


def test_the_flag_takes_what_the_analysis_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(GroupBy) == report.BY
    assert main(["report", "somewhere", "--by", "day", "--gate", "target"]) == 2
    assert "--by gives no verdicts" in capsys.readouterr().err
