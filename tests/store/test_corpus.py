"""Traces that others recorded: read to the last span, or refused with one clear line that names the file.

The folder is named by the environment variable PUNIE_CORPUS; its files belong to other projects.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from punie.trace.analysis.pipeline import read_queries
from punie.trace.errors import InputError
from punie.trace.store.sources import read_source

SPANS = {
    "crisp_case_1.json": 1,
    "crisp_case_4.json": 3,
    "crisp_case_9.json": 4,
    "crisp_err1_1.json": 2,
    "crisp_err3_1.json": 3,
    "jaeger_integration_example_trace.json": 5,
    "jaegerui_overlapChildrenLongerThanParent.json": 4,
    "otlp_in_error.json": 1,
    "otlp_spec_example_trace.json": 1,
    "tempo_otlp_queue_database.json": 19,
}
MICROSECONDS = ("crisp", "jaegerui")


@pytest.fixture
def corpus() -> Path:
    folder = os.environ.get("PUNIE_CORPUS")
    if not folder:
        pytest.skip("PUNIE_CORPUS names no folder with recorded traces")
    return Path(folder)


@pytest.mark.parametrize("name", SPANS)
def test_a_file_is_read_to_the_last_span_and_its_ledger_adds_up(corpus: Path, name: str) -> None:
    source = read_source(str(corpus / name))
    assert (len(source.spans), source.unreadable) == (SPANS[name], ())
    assert source.resolution_ns == (1000 if name.startswith(MICROSECONDS) else 1)
    records = read_queries(source).records
    assert records
    for record in records:
        record.ledger.check()
        assert record.wall_ns > 0


def test_the_count_of_spans_is_that_of_the_ids_in_the_text(corpus: Path) -> None:
    for name, count in SPANS.items():
        text = (corpus / name).read_text()
        ids = text.count('"operationName"') or text.count('"startTimeUnixNano"')
        assert ids == count, name


def test_every_other_file_is_refused_with_one_line(corpus: Path) -> None:
    others = [path for path in corpus.iterdir() if path.is_file() and path.name not in SPANS]
    assert others
    for path in others:
        with pytest.raises(InputError) as caught:
            read_source(str(path))
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message


def test_the_folder_as_a_whole(corpus: Path) -> None:
    source = read_source(str(corpus))
    assert (len(source.spans), source.unreadable) == (sum(SPANS.values()), ())
    assert source.resolution_ns == 1000
