"""One file of spans, in whatever format: recognised by its bytes, not by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from punie.trace.errors import InputError
from punie.trace.model import SpanSet
from punie.trace.registered import registered
from punie.trace.store.attribute_values import with_typed_values
from punie.trace.store.files.place import Place
from punie.trace.store.files.regular import exists
from punie.trace.store.other_json import what_it_is
from punie.trace.store.source import Source

FILE_FORMATS: Final = registered(
    Source,
    "punie.trace.store.parquet.reader:PARQUET",
    "punie.trace.store.otlp.protobuf:OTLP_PROTOBUF",
    "punie.trace.store.json_files:JSON",
    "punie.trace.store.parquet.json_rows:ROWS_CSV",
)

_PACKED: Final = {
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "rar",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress",
}
"""By how such a file begins."""


_OTHERS: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        b"PK\x03\x04": "a ZIP archive: unpack it",
        b"SQLite format 3": "a database of SQLite: give its rows as CSV, or the spans that it was made from",
        b"%PDF": "a PDF",
        b"\x89PNG": "a picture",
        b"# HELP": "metrics of Prometheus: give traces",
    }
)
"""How files begin that hold no spans that can be read."""


def read_file(place: Place, formats: Sequence[Source] = FILE_FORMATS) -> SpanSet:
    """The spans of a file, the values of their attributes typed. Raises `InputError` that names it."""
    for one in formats:
        if one.recognises(place):
            return with_typed_values(one.read(place), place.text)
    remedy = "Spans are read from these files: " + ", ".join(one.name for one in formats)
    if not exists(place.path):
        remedy = "Check the path: run folders are in runs/, or where --runs put them."
    raise InputError(f"{place.text}: {_what_is_wrong(place)}", remedy=remedy)


def _what_is_wrong(place: Place) -> str:
    if not place.is_file:
        return "no such file or folder" if not exists(place.path) else "neither a file nor a folder"
    if place.torn:
        return place.torn[0].reason
    if not any(message.strip() for message in place.unpacked.messages):
        return "the file is empty"
    other = next((name for start, name in _OTHERS.items() if place.head.startswith(start)), None)
    if other is not None:
        return f"no spans but {other}"
    if place.head.lstrip()[:1] == b"<":
        return "no JSON but a page of HTML or XML, perhaps the answer of a server that asks to sign in"
    try:
        found = next((document for document in place.json if not document.problem), None)
    except ValueError as error:
        packed = next((how for start, how in _PACKED.items() if place.head.startswith(start)), None)
        if packed:
            return f"packed by {packed}, which isn't read: unpack it (gzip and zstd are read as they are)"
        return f"neither JSON nor a format that we know: {error}"
    return what_it_is(found.value) if found else "not JSON in any line"
