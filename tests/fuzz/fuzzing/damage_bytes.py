"""Damage to bytes that knows nothing of what they mean, and packings that are sound or not."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from random import Random
from types import MappingProxyType
from typing import Final

Damage = Callable[[bytes, Random], bytes]
_PIECES: Final = (
    b"\0",
    b"\xff" * 8,
    b"\n",
    b"\r\n",
    b'"',
    b"}",
    b"]",
    b",",
    b"\\u0000",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"1e999",
)


def flip(content: bytes, random: Random) -> bytes:
    """Some bits are others."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 2, 8))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(content: bytes, random: Random) -> bytes:
    """The file ends, or begins, somewhere within."""
    at = random.randrange(len(content) + 1)
    return content[:at] if random.random() < 0.8 else content[at:]


def insert(content: bytes, random: Random) -> bytes:
    """A piece of something else."""
    at = random.randrange(len(content) + 1)
    return content[:at] + random.choice(_PIECES) * random.choice((1, 1, 50)) + content[at:]


def remove(content: bytes, random: Random) -> bytes:
    """A stretch goes."""
    at = random.randrange(len(content) + 1)
    return content[:at] + content[at + random.choice((1, 4, 40)) :]


def repeat(content: bytes, random: Random) -> bytes:
    """A stretch stands there again."""
    start = random.randrange(len(content) + 1)
    end = min(len(content), start + random.choice((1, 20, 300)))
    return content[:end] + content[start:end] * random.choice((1, 3)) + content[end:]


def move_lines(content: bytes, random: Random) -> bytes:
    """Lines in another order, one of them twice."""
    lines = content.split(b"\n")
    random.shuffle(lines)
    return b"\n".join([*lines, random.choice(lines)])


def recode(content: bytes, random: Random) -> bytes:
    """The text in another encoding."""
    text = content.decode("utf-8", "replace")
    return text.encode(random.choice(("utf-16", "utf-16-le", "utf-8-sig", "utf-32", "utf-7")))


DAMAGES: Final[Mapping[str, Damage]] = MappingProxyType(
    {damage.__name__: damage for damage in (flip, cut, insert, remove, repeat, move_lines, recode)}
)


def damage(content: bytes, random: Random) -> bytes:
    """One of them, or a few."""
    for _ in range(random.choice((1, 1, 2, 3))):
        content = random.choice([*DAMAGES.values()])(content, random)
    return content


def pack(content: bytes, random: Random) -> bytes:
    """As the Collector's file exporter may write it, or as somebody sent it; now and then damaged on the way."""
    packed = random.choice((_gzip, _twice, _framed, _zstd))(content)
    return damage(packed, random) if random.random() < 0.4 else packed


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _twice(content: bytes) -> bytes:
    return _gzip(_gzip(content))


def _framed(content: bytes) -> bytes:
    return b"".join(len(line).to_bytes(4, "big") + line for line in content.splitlines())


def _zstd(content: bytes) -> bytes:
    zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    return bytes(zstd.compress(content))
