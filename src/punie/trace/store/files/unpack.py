"""A file's content without compression and framing, recognised by its bytes, not by its name.

The Collector's file exporter writes protobuf, and whatever it compresses, as messages behind a length of four
bytes, big-endian: `|length|message|length|message|…`. Protobuf and JSON never start with a byte below 8 (that
would be a field with the number 0), and a length does, up to 128 MB.
Source: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from punie.trace.store.files.encoding import encoding_of
from punie.trace.store.files.limit import PACKED_BYTES, PIECE_BYTES, UnpackedLimit
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
    """Take off compression and frames.

    Raises `InputError` that names the file `name` if a package is missing, or it unpacks to more than its limit.
    """
    return _Unpacker(name, UnpackedLimit(name, len(content))).unpack(content, 1, 0)


@dataclass(frozen=True, slots=True)
class _Unpacker:
    name: str
    limit: UnpackedLimit

    def unpack(self, content: bytes, number: int, depth: int) -> Unpacked:
        if depth > _DEEPEST:
            return Unpacked((), ((number, f"packed more than {_DEEPEST} times"),))
        if content.startswith((_GZIP, _ZSTD)):
            plain, why = self._decompress(content)
            inner = self.unpack(plain, number, depth + 1)
            return Unpacked(inner.messages, inner.faults + (((number, why),) if why else ()))
        encoding = encoding_of(content)
        if encoding:
            return _in_utf_8(content, encoding, number)
        if content and content[0] < _LOWEST_TAG:
            return _join(self._frames(content, depth))
        return Unpacked((content,))

    def _decompress(self, content: bytes) -> tuple[bytes, str]:
        if content.startswith(_GZIP):
            return _decompress_gzip(content, self.limit)
        return decompress_zstd(content, self.name, self.limit)

    def _frames(self, content: bytes, depth: int) -> Iterator[Unpacked]:
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
            yield self.unpack(content[start:end], number, depth + 1)
            at, number = end, number + 1


def _in_utf_8(content: bytes, encoding: str, number: int) -> Unpacked:
    try:
        return Unpacked((content.decode(encoding).encode(),))
    except UnicodeDecodeError as error:
        name = encoding.upper().removesuffix("-SIG")
        return Unpacked((), ((number, f"damaged {name}: {error.reason} at byte {error.start}"),))


def _join(parts: Iterator[Unpacked]) -> Unpacked:
    found = tuple(parts)
    return Unpacked(
        tuple(message for part in found for message in part.messages),
        tuple(fault for part in found for fault in part.faults),
    )


def _decompress_gzip(data: bytes, limit: UnpackedLimit) -> tuple[bytes, str]:
    """All members that can be read, and why not the rest: a file that is still being written has no end."""
    plain: list[bytes] = []
    at = 0
    while data.startswith(_GZIP, at):
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            while at < len(data) and not member.eof:
                piece = data[at : at + PACKED_BYTES]
                plain.append(member.decompress(piece, PIECE_BYTES))
                limit.count(len(plain[-1]))
                at += len(piece) - len(member.unconsumed_tail) - len(member.unused_data)
        except zlib.error as error:
            return b"".join(plain), f"damaged gzip: {error}"
        if not member.eof:
            return b"".join(plain), "torn gzip: it has no end"
    return b"".join(plain), "bytes after the end of the gzip" if data[at:].strip(b"\0") else ""
