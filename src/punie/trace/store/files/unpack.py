"""A file's content without compression and framing, told by its bytes, not by its name.

The Collector's file exporter writes protobuf, and whatever it compresses, as messages behind a length of four
bytes, big-endian: `|length|message|length|message|…`. Protobuf and JSON never start with a byte below 8 (that
would be a field with the number 0), and a length does, up to 128 MB.
Source: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from punie.trace.store.files.zstd import decompress_zstd

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW: Final = 31  # zlib's way to say: a gzip header, the largest window
_LENGTH_BYTES: Final = 4
_LOWEST_TAG: Final = 8  # of protobuf's field 1
_DEEPEST: Final = 4  # a file can be made that unpacks to itself

Fault = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The messages of a file (one, where it has no frames), and what could not be unpacked: message and why."""

    messages: tuple[bytes, ...]
    faults: tuple[Fault, ...] = ()


def unpack(content: bytes, name: str) -> Unpacked:
    """Take off compression and frames. `name` is said if a package is missing. Raises `InputError` for that."""
    return _unpack(content, name, 1, 0)


def _unpack(content: bytes, name: str, number: int, depth: int) -> Unpacked:
    if depth > _DEEPEST:
        return Unpacked((), ((number, f"packed more than {_DEEPEST} times"),))
    decompress = _decompressor(content, name)
    if decompress is not None:
        plain, why = decompress(content)
        inner = _unpack(plain, name, number, depth + 1)
        return Unpacked(inner.messages, inner.faults + (((number, why),) if why else ()))
    if content and content[0] < _LOWEST_TAG:
        return _join(_frames(content, name, depth))
    return Unpacked((content,))


def _decompressor(content: bytes, name: str) -> Callable[[bytes], tuple[bytes, str]] | None:
    if content.startswith(_GZIP):
        return _decompress_gzip
    if content.startswith(_ZSTD):
        return lambda data: decompress_zstd(data, name)
    return None


def _frames(content: bytes, name: str, depth: int) -> Iterator[Unpacked]:
    at, number = 0, 1
    while at < len(content):
        start = at + _LENGTH_BYTES
        end = start + int.from_bytes(content[at:start], "big")
        if start > len(content) or end > len(content):
            yield Unpacked((), ((number, f"torn message at byte {at}"),))
            return
        if start == end:
            yield Unpacked((), ((number, f"empty message at byte {at}: the rest is not read"),))
            return
        yield _unpack(content[start:end], name, number, depth + 1)
        at, number = end, number + 1


def _join(parts: Iterator[Unpacked]) -> Unpacked:
    found = tuple(parts)
    return Unpacked(
        tuple(message for part in found for message in part.messages),
        tuple(fault for part in found for fault in part.faults),
    )


def _decompress_gzip(data: bytes) -> tuple[bytes, str]:
    """All members that can be read, and why not the rest: a file that is still being written has no end."""
    plain: list[bytes] = []
    while data.startswith(_GZIP):
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            plain.append(member.decompress(data))
        except zlib.error as error:
            return b"".join(plain), f"damaged gzip: {error}"
        if not member.eof:
            return b"".join(plain), "torn gzip: it has no end"
        data = member.unused_data
    return b"".join(plain), "bytes after the end of the gzip" if data.strip(b"\0") else ""
