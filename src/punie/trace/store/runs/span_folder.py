"""A folder of files with spans, also in subfolders: every file whose name says that it may hold some.

Of a run folder below it the spans are taken, not what else is kept there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from punie.trace.errors import InputError
from punie.trace.model import SpanSet
from punie.trace.store.file_formats import read_file
from punie.trace.store.files.place import Place
from punie.trace.store.runs.run_folder import RunFolder, holds_run
from punie.trace.store.runs.server_log import notes_of
from punie.trace.store.files.span_files import (
    ENDINGS,
    PACKED,
    is_hidden,
    is_report,
    may_hold_spans,
    refused,
)
from punie.trace.store.gathering import merge
from punie.trace.store.source import Source


def recognises(place: Place) -> bool:
    """Whether it is a folder."""
    return place.is_folder


def read(place: Place) -> SpanSet:
    """The spans of all its files; one that can't be read is an unreadable record, its line 0.

    Raises `InputError` if no file has an ending that we look for.
    """
    found = list(_read_below(place.path))
    if not found:
        raise InputError(
            f"{place.text}: neither a run folder (no run.json, no spans/*.jsonl) nor one with files of spans",
            remedy=f"Files are taken by their endings: {' '.join(ENDINGS)}, each also with {' '.join(PACKED)}",
        )
    together = merge(found)
    return replace(together, notes=(*together.notes, *notes_of(place.path)))


SPAN_FOLDER: Final = Source("a folder of such files", recognises, read)


def _read_below(folder: Path) -> Iterator[SpanSet]:
    for path in sorted(folder.iterdir()):
        if is_hidden(path):
            continue
        if path.is_dir():
            if holds_run(path):
                yield RunFolder(path).load_spans()
            elif not path.is_symlink():  # it may lead back to here
                yield from _read_below(path)
        elif path.is_file() and may_hold_spans(path):
            yield _read_file(path)


def _read_file(path: Path) -> SpanSet:
    """Its spans; if it can't be read, that is an unreadable record, its line 0. Reports of ours hold none."""
    try:
        return read_file(Place(str(path)))
    except InputError as error:
        return SpanSet(()) if is_report(path) else SpanSet((), (refused(path, error),))
