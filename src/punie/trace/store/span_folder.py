"""A folder of files with spans, also in subfolders: every file whose name says that it may hold some."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from punie.trace.errors import InputError
from punie.trace.model import SpanSet, UnreadableRecord
from punie.trace.store.otlp_json import merge
from punie.trace.store.place import Place
from punie.trace.store.server_log import notes_of
from punie.trace.store.sources import read_source

ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".pb", ".binpb", ".bin", ".proto", ".otlp", ".parquet")
_PACKED: Final = (".gz", ".zst", ".zstd")


def recognises(place: Place) -> bool:
    """Whether it is a folder."""
    return place.is_folder


def read(place: Place) -> SpanSet:
    """The spans of all its files; one that can't be read is an unreadable record, its line 0.

    Raises `InputError` if no file has an ending that we look for.
    """
    files = sorted(path for path in place.path.rglob("*") if path.is_file() and _may_hold_spans(path))
    if not files:
        raise InputError(
            f"{place.text}: neither a run folder (no spans/) nor one with files of spans",
            remedy=f"Files are taken by their endings: {' '.join(ENDINGS)}, each also with {' '.join(_PACKED)}",
        )
    found = merge(_read_one(path) for path in files)
    return replace(found, notes=(*found.notes, *notes_of(place.path)))


def _may_hold_spans(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in (path.name, path.parent.name) if part not in (".", ".."))
    name = path.with_suffix("").name if path.suffix.lower() in _PACKED else path.name
    return not hidden and Path(name).suffix.lower() in ENDINGS


def _read_one(path: Path) -> SpanSet:
    try:
        return read_source(str(path))
    except InputError as error:
        reason = error.message.removeprefix(f"{path}: ")
        return SpanSet((), (UnreadableRecord(str(path), 0, reason),))
