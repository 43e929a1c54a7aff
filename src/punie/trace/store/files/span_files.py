"""Files in folders: which may hold spans."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from punie.trace.errors import InputError
from punie.trace.model import UnreadableRecord
from punie.trace.store.files.place import Place

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


def refused(path: Path, error: InputError) -> UnreadableRecord:
    """Why nothing of `path` can be read, as a record."""
    return UnreadableRecord(str(path), 0, error.message.removeprefix(f"{path}: "))


def is_report(path: Path) -> bool:
    """Whether it is a report of ours, as JSON: it holds no spans."""
    try:
        values = [document.value for document in Place(str(path)).json]
    except (InputError, ValueError):
        return False
    schemas = [str(value.get("schema")) for value in values if isinstance(value, dict)]
    return bool(schemas) and all(schema.startswith(_OURS) for schema in schemas)
