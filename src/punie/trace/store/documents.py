"""Our own JSON files: frozen types to text and back, with errors that name the file and the field.

Unknown fields are ignored, since a newer version may have written them. Text of an older format is raised to the
present one by its owner, between `parse` and `typed`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from punie.trace.errors import CHECK_PATH, InputError, did_you_mean
from punie.trace.store.files.regular import open_regular
from punie.trace.store.files.whole_file import PRIVATE, write_whole

T = TypeVar("T")
_CODE: Final = re.compile("`([^`]*)`")
_UNKNOWN: Final = re.compile("unknown field `([^`]*)`")
_TYPE: Final = re.compile("^[a-z]+")
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "int": "a whole number",
        "float": "a number",
        "str": "text",
        "bool": "true or false",
        "object": "a table",
        "array": "a list",
        "null": "nothing",
    }
)
_MOST: Final = 2**63
_COUNTS: Final = ("_bytes", "_tokens", ".k", ".draft")  # what no document of ours has below 0
_SUSPECT: Final = re.compile(
    r'\d{20}|(?:_bytes|_tokens|"k|"draft)":\s*-'
)  # only such documents are looked through
_NOT_OURS: Final = (
    "It may be cut off or changed: restore it from a copy, or name a file that punie-trace wrote."
)
_CORRECT: Final = "Correct that field, or restore the file from a copy."
MAX_BYTES: Final = 256 * 1024 * 1024
"""A plan of a million queries takes half of it; whatever is larger is no document of ours."""


def encode(value: object) -> str:
    """The text of a file, indented."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2).decode() + "\n"


def write(path: Path, value: object) -> None:
    """Write `value` to `path`, whole or not at all. Raises `InputError`."""
    write_whole(path, encode(value), mode=PRIVATE)


def read(path: Path, kind: type[T], *, version: int | None = None) -> T:
    """The `kind` in the file at `path`; of a mapping or a dataclass with format versions, `version` alone.

    Raises `InputError` that names the file and the field.
    """
    return decode(read_text(path), kind, str(path), version=version)


def decode(text: str, kind: type[T], file: str, *, version: int | None = None) -> T:
    """The `kind` in the text of `file`, as `read`."""
    raw = parse(text, file)
    if version is not None:
        check_version(raw, file, (version,))
    return typed(raw, kind, file)


def read_text(path: Path, *, what: str = "", most_bytes: int = MAX_BYTES) -> str:
    """The text of a regular file of a size that can be ours; errors call it `what`. Raises `InputError`."""
    what = what or str(path)
    try:
        with TextIOWrapper(open_regular(path), encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_size > most_bytes:
                raise InputError(
                    f"{what}: can't be read: larger than {most_bytes} bytes",
                    remedy="Name a file that punie-trace wrote.",
                )
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{what}: can't be read: {error}", remedy=CHECK_PATH) from error


def parse(text: str, file: str) -> Any:  # noqa: ANN401 - JSON
    """The JSON value of the text of `file`. Raises `InputError`, also for a number that none of ours can be."""
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{file}: not JSON: {error}", remedy=_NOT_OURS) from error
    if _SUSPECT.search(text):
        _check_numbers(raw, file)
    return raw


def _check_numbers(raw: object, file: str) -> None:
    pending: list[tuple[str, object]] = [("", raw)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{place}.{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            pending += [(f"{place}[{number}]", item) for number, item in enumerate(value)]
        elif isinstance(value, int) and not (0 if place.endswith(_COUNTS) else -_MOST) <= value < _MOST:
            raise InputError(f"{file}: {place.removeprefix('.')}: out of range", remedy=_CORRECT)


def check_version(raw: object, file: str, known: tuple[int, ...]) -> int:
    """The `format_version` of a document. Raises `InputError` for one that isn't `known`."""
    if not isinstance(raw, dict):
        raise InputError(f"{file}: not an object", remedy=_NOT_OURS)
    version = raw.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InputError(f"{file}: format_version is missing or not a whole number", remedy=_NOT_OURS)
    if version not in known:
        raise InputError(
            f"{file}: format_version {version}, and this punie-trace reads {known[-1]}",
            remedy="Use the version of punie-trace that made it.",
        )
    return version


def typed(raw: object, kind: type[T], file: str, *, lax: bool = False) -> T:
    """The `kind` that the JSON value `raw` describes; `lax` reads numbers and truth values from text too.

    Raises `InputError` that names `file` and the field.
    """
    try:
        return msgspec.convert(raw, kind, strict=not lax)
    except (msgspec.ValidationError, RecursionError) as error:
        problem, _, place = str(error).partition(" - at `$")
        field = place.strip("`.")
        shown = _CODE.sub(lambda code: _in_words(code[1]), problem)
        if unknown := _UNKNOWN.search(problem):
            from msgspec import inspect

            known = set(_field_names(inspect.type_info(kind)))
            name = unknown[1] or '""'
            elsewhere = " here, only in another table" if name in known else did_you_mean(name, known)
            shown = f"{name} is not known{elsewhere}"
        where = f"{field}: " if field else ""
        raise InputError(f"{file}: {where}{shown[:1].lower()}{shown[1:]}", remedy=_CORRECT) from error


def _in_words(code: str) -> str:
    """A type as msgspec names it, perhaps with its bounds or beside null, for people who don't write Python."""
    return _TYPE.sub(lambda name: _TYPES.get(name[0], name[0]), code.removesuffix(" | null"))


def _field_names(part: object) -> Iterator[str]:
    """The names of all fields of a type, and of the types in it."""
    if hasattr(part, "encode_name"):  # msgspec's description of a field
        yield part.encode_name
    parts = (
        part
        if isinstance(part, tuple)
        else (getattr(part, n) for n in getattr(part, "__struct_fields__", ()))
    )
    for one in parts:
        yield from _field_names(one)


def _plain(value: object) -> object:
    """What msgspec doesn't write by itself: a read-only mapping."""
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"a {type(value).__name__} can't be written as JSON")
