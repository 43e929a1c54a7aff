"""A real run in ClickHouse's engine, put there as each writer would, adds up as its journal, to the nanosecond.

And put there by the Collector itself, with the configuration that ships.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chdb_engine import session
from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import JAEGER_SPANS, OTEL_TRACES, exporter_row, jaeger_row, make_database

from punie.trace.__main__ import main
from punie.trace.model import Span
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.store.sources import read_source
from punie.trace.usecases.in_database import added_up
from stack import SCALE, start_collector

_RUNS = 4
TOTALS = ("answers", "wall_ns", "wall", "phases", "groups", "network_known")


@pytest.fixture(scope="module")
def run(finished: tuple[Path, str], another_run: Callable[[], Path]) -> Path:
    """The folder of one run of the default suite on the demo model, all of which a database can add up.

    On a busy machine a server's span may end after its request's: that trace needs the tree, and is left aside.
    """
    found = finished[0]
    for _ in range(_RUNS):
        make_database("judged", OTEL_TRACES, map(exporter_row, spans_of(found)), "otel_traces")
        with clickhouse_front() as port:
            url = f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{port}/judged"
            if not added_up([url], None).total.needs_tree:
                return found
        found = another_run()
    pytest.fail(f"{_RUNS} runs, each with a trace that needs the tree")


def spans_of(run: Path) -> tuple[Span, ...]:
    """What its journal holds."""
    return tuple(RunFolder.open(run).load_spans().spans)


@pytest.fixture(scope="module", params=["collector", "jaeger"])
def url(request: pytest.FixtureRequest, run: Path) -> Iterator[str]:
    """The URL of a database with the run's journal in one writer's table."""
    spans = spans_of(run)
    assert len(spans) > 100
    if request.param == "collector":
        make_database("of_run", OTEL_TRACES, map(exporter_row, spans), "otel_traces")
    else:
        make_database("of_run_jaeger", JAEGER_SPANS, map(jaeger_row, spans), "spans")
    with clickhouse_front() as port:
        name = "of_run" if request.param == "collector" else "of_run_jaeger"
        yield f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{port}/{name}"


def reported(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:  # noqa: ANN401 - JSON
    """What `report` says, as JSON."""
    assert main(["report", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_database_adds_up_what_the_journal_holds(
    url: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reported(capsys, url, "--in-database")
    expected = reported(capsys, str(run))
    for name in TOTALS:
        assert found[name] == expected["totals"][name], name
    assert found["answers"] == 5
    assert (found["failed"], found["warmup"], found["needs_tree"]) == (0, len(expected["warmup"]), 0)


@pytest.mark.parametrize("by", ["day", "model"])
def test_its_days_and_models_are_those_of_the_journal(
    by: str, url: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reported(capsys, url, "--in-database", "--by", by)
    expected = reported(capsys, str(run), "--by", by)
    assert expected["parts"]
    assert found["parts"] == expected["parts"]
    if by == "model":
        assert [Path(part["name"]).name for part in found["parts"]] == ["target"]  # the demo's folder


@pytest.fixture(scope="module")
def url_of_collector(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the database that the Collector's own exporter made and filled with what `ship` sent of the run."""
    session().query("DROP DATABASE IF EXISTS otel SYNC")
    with clickhouse_front() as port:
        environment = {
            "PUNIE_CLICKHOUSE": f"http://127.0.0.1:{port}?compress=none",
            "PUNIE_CLICKHOUSE_USER": USER,
            "PUNIE_CLICKHOUSE_PASSWORD": PASSWORD,
        }
        folder = tmp_path_factory.mktemp("collector")
        with start_collector(folder, overlays=[SCALE], environment=environment) as otlp_http:
            assert main(["ship", str(run), "--otlp", otlp_http, "--again"]) == 0
            url = f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{port}/otel"
            wait_for_rows(url, len(spans_of(run)))
            yield url
    session().query("DROP DATABASE IF EXISTS otel SYNC")


def wait_for_rows(url: str, count: int, *, within_s: float = 30.0) -> None:
    """Return once the database has `count` spans."""
    deadline = time.monotonic() + within_s
    while len(read_source(url).spans) < count:
        assert time.monotonic() < deadline, f"not {count} spans after {within_s:g} s"
        time.sleep(0.2)


def test_what_the_collector_wrote_is_reported_as_the_run(
    url_of_collector: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = ("--max-memory", "8GB")  # which limit there was, says the folder's run.json alone
    of_run = reported(capsys, str(run), *limit)
    of_database = reported(capsys, url_of_collector, *limit)
    of_run.pop("about")  # of the folder's run.json: the plan, versions, the machine
    assert PASSWORD not in of_database.pop("about")["source"]
    assert of_database == of_run
    assert len(of_run["queries"]) == 5


def test_the_database_adds_up_what_the_collector_wrote(
    url_of_collector: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reported(capsys, url_of_collector, "--in-database")
    expected = reported(capsys, str(run))["totals"]
    assert {name: found[name] for name in TOTALS} == {name: expected[name] for name in TOTALS}
    assert found["needs_tree"] == 0


def test_the_rows_of_our_tests_are_those_that_the_collector_writes(url_of_collector: str) -> None:
    make_database(
        "by_hand", OTEL_TRACES, map(exporter_row, read_source(url_of_collector).spans), "otel_traces"
    )
    theirs, ours = (f"(SELECT * EXCEPT ScopeVersion FROM {name}.otel_traces)" for name in ("otel", "by_hand"))  # noqa: S608
    for some, others in ((theirs, ours), (ours, theirs)):
        assert str(session().query(f"{some} EXCEPT {others}", "JSONEachRow")) == ""
    described = [str(session().query(f"DESCRIBE {rows}")) for rows in (theirs, ours)]
    assert described[0] == described[1] != ""
