"""A folder of files with spans, also in subfolders: every file whose name says that it may hold some.

Of a run folder below it the spans are taken, not what else is kept there. Files that are passed over are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from punie.trace.errors import InputError
from punie.trace.model import SourceNote, SpanSet
from punie.trace.store.file_formats import read_file
from punie.trace.store.files.place import Place
from punie.trace.store.files.regular import is_folder
from punie.trace.store.files.span_files import (
    ENDINGS,
    PACKED,
    is_hidden,
    is_report,
    may_hold_spans,
    refused,
)
from punie.trace.store.gathering import merge
from punie.trace.store.runs.run_folder import RunFolder, holds_run
from punie.trace.store.runs.server_log import SERVER_LOG, notes_of
from punie.trace.store.source import Source

_LOCKED: Final = InputError("can't be read: no right to look into it")
PASSED_OVER: Final = "passed-over-file"


def recognises(place: Place) -> bool:
    """Whether it is a folder."""
    return place.is_folder


def read(place: Place) -> SpanSet:
    """The spans of all its files; one that can't be read is an unreadable record, its line 0.

    Raises `InputError` if no file has an ending that we look for.
    """
    files = [path for path in _files_below(place.path) if not is_hidden(path)]
    found = [_read(path) for path in files]
    if all(one is None for one in found):
        raise InputError(
            f"{place.text}: neither a run folder (no run.json, no spans/*.jsonl) nor one with files of spans",
            remedy=f"Files are taken by their endings: {' '.join(ENDINGS)}, each also with {' '.join(PACKED)}",
        )
    together = merge(one for one in found if one is not None)
    passed_over = (
        SourceNote(PASSED_OVER, str(path))
        for path, one in zip(files, found, strict=True)
        if one is None and path.name != SERVER_LOG
    )
    return replace(together, notes=(*together.notes, *passed_over, *notes_of(place.path)))


SPAN_FOLDER: Final = Source("a folder of such files", recognises, read)


def _files_below(folder: Path) -> Iterator[Path]:
    """Its files and its run folders, and those below it; itself if nobody may look into it."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    for path in inside:
        if not is_folder(path) or holds_run(path):
            yield path
        elif not path.is_symlink() and not is_hidden(path):  # a link may lead back to here
            yield from _files_below(path)


def _read(path: Path) -> SpanSet | None:
    """Its spans; None if its name says that it holds none. A file that can't be read is a record, its line 0."""
    if is_folder(path):
        return RunFolder(path).load_spans() if holds_run(path) else SpanSet((), (refused(path, _LOCKED),))
    if not may_hold_spans(path):
        return None
    try:
        return read_file(Place(str(path)))
    except InputError as error:
        return SpanSet(()) if is_report(path) else SpanSet((), (refused(path, error),))
