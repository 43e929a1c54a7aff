"""A real run in ClickHouse's engine, put there as each writer would, adds up as its journal, to the nanosecond."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import JAEGER_SPANS, OTEL_TRACES, exporter_row, jaeger_row, make_database

from punie.trace.__main__ import main
from punie.trace.store.run_folder import RunFolder

TOTALS = ("answers", "wall_ns", "wall", "phases", "groups", "network_known")


@pytest.fixture(scope="module")
def run(finished: tuple[Path, str]) -> Path:
    """The folder of one run of the default suite on the demo model."""
    return finished[0]


@pytest.fixture(scope="module", params=["collector", "jaeger"])
def url(request: pytest.FixtureRequest, run: Path) -> Iterator[str]:
    """The URL of a database with the run's journal in one writer's table."""
    spans = RunFolder.open(run).load_spans().spans
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
