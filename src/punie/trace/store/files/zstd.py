"""Zstandard: in the standard library from Python 3.14, before that an extra."""

from __future__ import annotations

import sys

from punie.trace.errors import InputError
from punie.trace.extras import install_hint
from punie.trace.store.files.limit import PIECE_BYTES, UnpackedLimit


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
    while data:
        frame = zstd.ZstdDecompressor()
        try:
            plain.append(frame.decompress(data, PIECE_BYTES))
            limit.count(len(plain[-1]))
            while not (frame.eof or frame.needs_input):
                plain.append(frame.decompress(b"", PIECE_BYTES))
                limit.count(len(plain[-1]))
        except zstd.ZstdError as error:
            return b"".join(plain), f"damaged zstd: {error}"
        if not frame.eof:
            return b"".join(plain), "torn zstd: it has no end"
        data = frame.unused_data
    return b"".join(plain), ""
