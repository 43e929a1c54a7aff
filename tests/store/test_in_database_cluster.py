"""A `Distributed` table over two shards in one engine: ClickHouse's own planner, each shard with its own rows.

Both shards are this engine (nothing listens), so a view shows each of them, by its number, what a server of its own
would hold. What goes over the network between real servers is not tried here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from changed_trees import linked_cases
from chdb_engine import session
from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import JAEGER_SPANS, OTEL_TRACES, exporter_row, jaeger_row, make_database
from msgspec import structs
from query_trees import Tree, forty_queries, seeded

from punie.trace.__main__ import main
from punie.trace.analysis.summary.database_totals import DatabaseTotals, Where
from punie.trace.analysis.summary.parts import GroupBy
from punie.trace.model import Span
from punie.trace.store.clickhouse.cluster import Distributed, parse_engine
from punie.trace.store.clickhouse.in_database import SETTINGS, total
from punie.trace.store.clickhouse.source import settings_sql

# The weights of the shards are 1 and 2, so of three remainders the first is the first shard's.
BY_TRACE = "if(cityHash64({trace}) % 3 < 1, 1, 2) = shardNum()"
BY_SPAN = "if(cityHash64({span}) % 3 < 1, 1, 2) = shardNum()"


@pytest.fixture(scope="module")
def front() -> Iterator[int]:
    """The port of the engine's front."""
    with clickhouse_front() as port:
        yield port


def fill(
    front: int,
    spans: Sequence[Span],
    *,
    placed: str = BY_TRACE,
    key: str = "",
    cluster: str = "two_shards",
    jaeger: bool = False,
) -> str:
    """The URL of a database whose table is distributed by `key`, its rows `placed` on the shards."""
    trace, span = ("trace_id", "id") if jaeger else ("TraceId", "SpanId")
    name = "spans" if jaeger else "otel_traces"
    key = key or f"cityHash64({trace})"
    session().query("DROP DATABASE IF EXISTS spread SYNC")
    definition, row = (JAEGER_SPANS, jaeger_row) if jaeger else (OTEL_TRACES, exporter_row)
    make_database(
        "spread", definition.replace(f"TABLE {name} ", "TABLE every_row "), map(row, spans), "every_row"
    )
    condition = placed.format(trace=trace, span=span)
    session().query(f"CREATE VIEW spread.local AS SELECT * FROM spread.every_row WHERE {condition}")  # noqa: S608
    session().query(
        f"CREATE TABLE spread.{name} AS spread.every_row ENGINE = Distributed('{cluster}', 'spread', 'local', {key})"
    )
    return f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{front}/spread"


def alone(front: int, spans: Sequence[Span]) -> str:
    """The URL of the same spans in one table."""
    session().query("DROP DATABASE IF EXISTS alone SYNC")
    make_database("alone", OTEL_TRACES, map(exporter_row, spans), "otel_traces")
    return f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{front}/alone"


def figures(totals: DatabaseTotals) -> DatabaseTotals:
    """The same without where it comes from."""
    return replace(totals, source="", where=Where.ONE_SERVER)


def on_shards(table: str) -> list[int]:
    """How many rows each shard has."""
    sql = f"SELECT count() FROM cluster('two_shards', view(SELECT 1 FROM {table})) GROUP BY _shard_num"  # noqa: S608
    return [int(line) for line in str(session().query(sql)).split()]


@pytest.fixture(scope="module")
def expected(front: int) -> DatabaseTotals:
    """Of forty queries in one table, by day."""
    found = total(alone(front, forty_queries(seeded(3))), GroupBy.DAY)
    assert (found.where, found.total.answers) == (Where.ONE_SERVER, 40)
    return found


@pytest.mark.parametrize("jaeger", [False, True])
def test_each_shard_adds_up_its_own_traces(front: int, expected: DatabaseTotals, *, jaeger: bool) -> None:
    spans = forty_queries(seeded(3))
    found = total(fill(front, spans, jaeger=jaeger), GroupBy.DAY)
    assert min(on_shards("spread.local")) > 100
    assert sum(on_shards("spread.local")) == len(spans)
    assert found.where is Where.EACH_SHARD
    assert figures(found) == figures(expected)


@pytest.mark.parametrize(
    ("placed", "key"),
    [(BY_SPAN, "cityHash64(SpanId)"), (BY_SPAN, "cityHash64(TraceId)"), (BY_TRACE, "rand()")],
    ids=["by span", "put elsewhere than its key says", "by no key"],
)
def test_traces_that_may_be_spread_are_brought_together(
    front: int, expected: DatabaseTotals, placed: str, key: str
) -> None:
    found = total(fill(front, forty_queries(seeded(3)), placed=placed, key=key), GroupBy.DAY)
    assert found.where is Where.GATHERED
    assert figures(found) == figures(expected)


@pytest.mark.parametrize("by", linked_cases(seeded(1)))
def test_traces_that_are_linked_over_shards_are_brought_together(front: int, by: str) -> None:
    spans, expected = linked_cases(seeded(1))[by]
    found = total(fill(front, spans))
    assert found.where is (Where.EACH_SHARD if by == "nothing" else Where.GATHERED)
    assert (found.total.answers, found.total.needs_tree) == expected


@pytest.mark.parametrize(
    ("key", "said"),
    [("rand()", "the spans travelled there from the others"), ("", "added up on each shard")],
)
def test_the_text_says_where_it_was_added_up(
    front: int, key: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", fill(front, Tree(0, seeded(1)).spans, key=key), "--in-database"]) == 0
    assert said in capsys.readouterr().out


def test_shards_see_what_the_url_asks_for(front: int) -> None:
    spans = [
        structs.replace(span, resource={"service.name": "agent" if int(span.trace_id, 16) % 2 else "other"})
        for number in range(20)
        for span in Tree(number, seeded(number)).spans
    ]
    one, url = alone(front, spans), fill(front, spans)
    for more, where, answers in (("", Where.EACH_SHARD, 10), ("&limit=3", Where.GATHERED, 3)):
        found = total(f"{url}?service=agent{more}")
        assert (found.where, found.total.answers) == (where, answers)
        assert figures(found) == figures(total(f"{one}?service=agent{more}"))


def test_a_report_reads_spans_through_the_distributed_table(
    front: int, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = forty_queries(seeded(3))
    found = []
    for url in (alone(front, spans), fill(front, spans)):
        assert main(["report", url, "--format", "json"]) == 0
        report = json.loads(capsys.readouterr().out)
        report["about"].pop("source")
        found.append(report)
    assert found[0] == found[1]


def test_a_shard_that_is_away_is_an_error_whatever_the_server_prefers(
    front: int, capsys: pytest.CaptureFixture[str]
) -> None:
    url = fill(front, Tree(0, seeded(1)).spans, key="rand()", cluster="one_away")
    session().query("SET skip_unavailable_shards = 1")
    try:
        assert str(session().query("SELECT count() FROM spread.otel_traces")).strip() == "0"
        for more in ([], ["--in-database"]):
            assert main(["report", url, *more]) == 5
            assert "All connection tries failed" in capsys.readouterr().err
    finally:
        session().query("SET skip_unavailable_shards = DEFAULT")


def test_settings_that_a_user_may_not_change_are_left_out() -> None:
    free, bound = SimpleNamespace(readonly=0), SimpleNamespace(readonly=1)
    spill, skip = SETTINGS
    assert settings_sql({spill: free, skip: bound}, SETTINGS) == f"\nSETTINGS {spill} = {SETTINGS[spill]}"
    assert settings_sql({spill: bound, "another": free}, SETTINGS) == ""


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        ("Distributed('c', 'db', 't')", Distributed("c", "db", "t", "")),
        ("Distributed('c', '', 't', rand())", Distributed("c", "", "t", "")),
        (
            "Distributed('c', 'db', 't', cityHash64(TraceId))",
            Distributed("c", "db", "t", "cityHash64(TraceId)"),
        ),
        (
            "Distributed('c', 'db', 't', sipHash64(lower(TraceId)), 'policy') SETTINGS fsync_after_insert = 1",
            Distributed("c", "db", "t", "sipHash64(lower(TraceId))"),
        ),
        ("Distributed('c', 'db', 't', cityHash64(TraceId, SpanId))", Distributed("c", "db", "t", "")),
        ("Distributed('c', 'db', 't', cityHash64(ServiceName))", Distributed("c", "db", "t", "")),
        ("MergeTree ORDER BY id", None),
    ],
)
def test_what_stands_behind_a_distributed_table(full: str, expected: Distributed | None) -> None:
    assert parse_engine(full, "TraceId") == expected
