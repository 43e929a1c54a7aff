"""Files of spans in folders: which may be some, and one of them read by whatever source recognises it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from punie.trace.errors import InputError
from punie.trace.model import SpanSet, UnreadableRecord
from punie.trace.store.files.place import Place
from punie.trace.store.sources import read_source

ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".pb", ".binpb", ".bin", ".proto", ".otlp", ".parquet")
PACKED: Final = (".gz", ".zst", ".zstd")
_OURS: Final = "punie.trace."  # how the schema of every report of ours starts


def is_hidden(path: Path) -> bool:
    """Whether its own name hides it."""
    return path.name.startswith(".")


def may_hold_spans(path: Path) -> bool:
    """Whether the file's name says that it may hold spans."""
    name = path.with_suffix("").name if path.suffix.lower() in PACKED else path.name
    return Path(name).suffix.lower() in ENDINGS


def read_file(path: Path) -> SpanSet:
    """Its spans; if it can't be read, that is an unreadable record, its line 0. Reports of ours hold none."""
    try:
        return read_source(str(path))
    except InputError as error:
        return SpanSet(()) if _is_report(path) else SpanSet((), (refused(path, error),))


def refused(path: Path, error: InputError) -> UnreadableRecord:
    """Why nothing of `path` can be read, as a record."""
    return UnreadableRecord(str(path), 0, error.message.removeprefix(f"{path}: "))


def _is_report(path: Path) -> bool:
    try:
        values = [document.value for document in Place(str(path)).json]
    except (InputError, ValueError):
        return False
    schemas = [str(value.get("schema")) for value in values if isinstance(value, dict)]
    return bool(schemas) and all(schema.startswith(_OURS) for schema in schemas)
