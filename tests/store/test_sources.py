"""A new source, a new format of files and a new kind of JSON are a file and a line each: these tests add one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from punie.trace.errors import InputError
from punie.trace.model import Span, SpanSet
from punie.trace.store.file_formats import FILE_FORMATS, read_file
from punie.trace.store.files.json_documents import JsonDocument
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.json_files import JSON_FORMATS, read_document
from punie.trace.store.otlp.values import Unreadable
from punie.trace.store.source import JsonFormat, Source
from punie.trace.store.sources import SOURCES, read_source

SPAN = Span("a" * 32, "b" * 16, None, "query", 1, 2)


def of_memory(place: Place) -> bool:
    return place.text.startswith("memory://")


MEMORY = Source("memory (memory://)", of_memory, lambda _: SpanSet((SPAN,)))


def test_a_source_is_one_line() -> None:
    assert read_source("memory://", (MEMORY, *SOURCES)).spans == (SPAN,)
    with pytest.raises(InputError, match="no source has the scheme 'memory'"):
        read_source("memory://")


def test_a_format_of_files_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "spans.zip"
    file.write_bytes(b"PK")
    zipped = Source("ZIP", lambda place: place.head.startswith(b"PK"), lambda _: SpanSet((SPAN,)))
    assert read_file(Place(str(file)), (zipped, *FILE_FORMATS)).spans == (SPAN,)


def test_a_kind_of_json_is_one_line() -> None:
    def read(document: object, line: int, into: SpanGatherer) -> None:
        if document != {"mine": 1}:
            raise Unreadable("mine is not 1")
        into.take(line, "mine", lambda: SPAN)

    mine = JsonFormat("mine", lambda document: isinstance(document, dict) and "mine" in document, read)
    into = SpanGatherer("file")
    for line, number in enumerate((1, 2), start=1):
        read_document(JsonDocument(line, {"mine": number}), into, (*JSON_FORMATS, mine))
    found = into.result()
    assert found.spans == (SPAN,)
    assert [(record.line, record.reason) for record in found.unreadable] == [(2, "mine is not 1")]


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_may_have_no_end_is_not_read(tmp_path: Path, kind: str) -> None:
    place = str(tmp_path / "pipe") if kind == "pipe" else "/dev/zero"
    if kind == "pipe":
        os.mkfifo(place)
    with pytest.raises(InputError, match="neither a file nor a folder"):
        read_source(place)
