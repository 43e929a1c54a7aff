"""Zstandard: in the standard library from Python 3.14, before that an extra."""

from __future__ import annotations

import sys

from punie.trace.errors import InputError
from punie.trace.extras import install_hint
from punie.trace.store.files.limit import PACKED_BYTES, PIECE_BYTES, UnpackedLimit


def decompress_zstd(data: bytes, name: str, limit: UnpackedLimit) -> tuple[bytes, str]:
    """All frames that can be read, and why not the rest ("" if all).

    Raises `InputError` that names the extra if this Python has no Zstandard, or past the limit.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError as error:
        raise InputError(
            f"{name}: is compressed with zstd, and this Python can't read that",
            remedy=f"{install_hint('zstd')}, or unpack the file with `zstd -d`",
        ) from error
    plain: list[bytes] = []
    at = 0
    while at < len(data):
        frame = zstd.ZstdDecompressor()
        try:
            while not frame.eof and (at < len(data) or not frame.needs_input):
                piece = data[at : at + PACKED_BYTES] if frame.needs_input else b""
                plain.append(frame.decompress(piece, PIECE_BYTES))
                limit.count(len(plain[-1]))
                at += len(piece)
            at -= len(frame.unused_data) if frame.eof else 0
        except zstd.ZstdError as error:
            return b"".join(plain), f"damaged zstd: {error}"
        if not frame.eof:
            return b"".join(plain), "torn zstd: it has no end"
    return b"".join(plain), ""
