"""Pages of every kind of report, and one browser that opens them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from drawn_reports import PAGES, document, query
from html_pages import Shown, write
from query_trees import forty_queries, seeded
from sample_reports import DOCUMENTS

from browser import Page, browser
from punie.trace import semconv
from punie.trace.model import SpanSet
from punie.trace.report.builders.run import build_run
from punie.trace.usecases.load import LoadedSource
from punie.trace.usecases.run_report import VerdictTargets, build_report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it is a step of its own."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Shown]:
    """Every kind of report: of nothing, of one query, of many, of what went wrong."""
    folder = tmp_path_factory.mktemp("pages")
    return {name: write(make(), folder, name) for name, make in {**DOCUMENTS, **PAGES}.items()}


@pytest.fixture(scope="session")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Forty queries with their waterfalls."""
    spans = SpanSet(tuple(forty_queries(seeded(7))))
    report = build_report(LoadedSource.of("forty", spans), VerdictTargets())
    return write(build_run(report), tmp_path_factory.mktemp("forty"), "forty")


@pytest.fixture(scope="session")
def very_many(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Ten thousand queries with their spans, a fiftieth of them wrong."""
    wrong = {semconv.QUERY_OK: False, semconv.QUERY_FAILURES: ("ungrounded",)}
    spans = (
        span
        for number in range(10_000)
        for span in query(number, 101 * number, name=f"q{number}", **({} if number % 50 else wrong))
    )
    return write(document(spans), tmp_path_factory.mktemp("very-many"), "very many")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a real run of the demo model."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "punie.trace", "run", "--runs", str(folder / "runs"), "--no-export"]
    done = subprocess.run(
        [*command, "-o", str(folder / "report.html")],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return folder / "report.html"
