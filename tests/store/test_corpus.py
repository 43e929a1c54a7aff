"""Traces that others recorded: read to a ledger that adds up, or refused with one clear line.

The folder is named by the environment variable PUNIE_CORPUS; its files belong to other projects.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from punie.trace.analysis.queries import account
from punie.trace.errors import InputError
from punie.trace.model import SpanSet
from punie.trace.store.otlp_json import read_otlp
from punie.trace.store.sqlite import SqliteEngine

SPANS = {
    "otlp_spec_example_trace.json": 1,
    "otlp_in_error.json": 1,
    "tempo_otlp_queue_database.json": 19,
}


@pytest.fixture
def corpus() -> Path:
    folder = os.environ.get("PUNIE_CORPUS")
    if not folder:
        pytest.skip("PUNIE_CORPUS names no folder with recorded traces")
    return Path(folder)


@pytest.mark.parametrize("name", SPANS)
def test_otlp_files_are_read_to_the_last_span(corpus: Path, name: str) -> None:
    source = read_otlp(corpus / name)
    assert (len(source.spans), source.unreadable) == (SPANS[name], ())
    for record in account(source, SqliteEngine()).records:
        assert sum(record.ledger.phases_ns.values()) == record.wall_ns > 0


def test_every_file_is_read_or_refused_with_one_line(corpus: Path) -> None:
    files = sorted(corpus.glob("*.json"))
    assert files
    for path in files:
        found = _read_or_refusal(path)
        if isinstance(found, str):
            assert str(path) in found
            assert "\n" not in found
        else:
            assert (len(found.spans) > 0, found.unreadable) == (True, ())


def _read_or_refusal(path: Path) -> SpanSet | str:
    try:
        return read_otlp(path)
    except InputError as error:
        return error.message
