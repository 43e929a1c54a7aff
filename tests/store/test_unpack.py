"""Compressed files are told by their bytes; what is torn or damaged gives what can be read, and is named."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from punie.trace.errors import InputError, UsageError
from punie.trace.model import SpanSet
from punie.trace.store.files import zstd
from punie.trace.store.files.limit import PIECE_BYTES, VARIABLE, UnpackedLimit
from punie.trace.store.files.unpack import unpack
from punie.trace.store.sources import read_source

if sys.version_info >= (3, 14):
    from compression.zstd import compress as zstd_compress
else:
    from backports.zstd import compress as zstd_compress

Compress = Callable[[bytes], bytes]
SPAN: Final = {"traceId": "a" * 32, "spanId": "b" * 16, "startTimeUnixNano": "1", "endTimeUnixNano": "5"}
LINE: Final = (
    json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, "name": "x" * 50}]}]}]}) + "\n"
).encode()
both = pytest.mark.parametrize("compress", [gzip.compress, zstd_compress], ids=["gzip", "zstd"])


def read(folder: Path, content: bytes) -> SpanSet:
    path = folder / "spans.json"
    path.write_bytes(content)
    return read_source(str(path))


@both
def test_packed_lines_are_the_lines(tmp_path: Path, compress: Compress) -> None:
    expected = read(tmp_path, LINE * 3)
    assert len(expected.spans) == 3
    assert read(tmp_path, compress(LINE * 3)) == expected


@both
def test_files_that_were_appended_to(tmp_path: Path, compress: Compress) -> None:
    assert len(read(tmp_path, compress(LINE) + compress(LINE)).spans) == 2


@both
def test_each_message_packed_behind_its_length_as_the_collector_writes_them(
    tmp_path: Path, compress: Compress
) -> None:
    frame = compress(LINE)
    content = (len(frame).to_bytes(4, "big") + frame) * 2
    found = read(tmp_path, content)
    assert (len(found.spans), found.unreadable) == (2, ())


@both
def test_no_cut_is_silent(tmp_path: Path, compress: Compress) -> None:
    packed = compress(LINE) + compress(LINE)
    for size in range(1, len(packed)):
        if size == len(compress(LINE)):
            continue
        try:
            found = read(tmp_path, packed[:size])
        except InputError as error:
            assert str(tmp_path / "spans.json") in error.message  # noqa: PT017 # a refusal is one of two outcomes
        else:
            assert found.unreadable
            assert len(found.spans) <= 2


@both
def test_bytes_behind_the_end_are_named(tmp_path: Path, compress: Compress) -> None:
    found = read(tmp_path, compress(LINE) + b"garbage")
    assert len(found.spans) == 1
    assert len(found.unreadable) == 1


@both
def test_a_damaged_middle_is_named(compress: Compress) -> None:
    packed = bytearray(compress(LINE))
    packed[len(packed) // 2] ^= 0xFF
    found = unpack(bytes(packed), "spans.json")
    assert found.faults or found.messages != (LINE,)


def test_a_file_of_zeros_is_named() -> None:
    assert unpack(bytes(100), "f").faults == ((1, "empty message at byte 0: the rest is not read"),)


def test_packed_many_times() -> None:
    content = LINE
    for _ in range(9):
        content = gzip.compress(content)
    assert unpack(content, "f").faults == ((1, "packed more than 4 times"),)


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "compression" if sys.version_info >= (3, 14) else "backports"
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match="f: is compressed with zstd") as caught:
        zstd.decompress_zstd(zstd_compress(LINE), "f", UnpackedLimit("f", 100))
    assert "backports-zstd>=" in caught.value.remedy


@both
def test_what_unpacks_to_too_much_is_refused_before_it_is_there(
    tmp_path: Path, compress: Compress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(len(LINE) * 3))
    assert len(read(tmp_path, compress(LINE * 3)).spans) == 3
    for content in (compress(LINE * 4), compress(LINE * 2) * 2, compress(compress(LINE * 4))):
        with pytest.raises(InputError, match=f"spans.json: unpacks to more than {len(LINE) * 3}") as caught:
            read(tmp_path, content)
        assert VARIABLE in caught.value.remedy


def test_without_a_limit_of_the_users_the_packed_size_sets_it() -> None:
    limit = UnpackedLimit("f", 10)
    limit.count((64 << 20) + 240)
    with pytest.raises(InputError):
        limit.count(1)


def test_what_is_larger_than_a_piece_is_whole(tmp_path: Path) -> None:
    many = LINE * (PIECE_BYTES // len(LINE) + 2)
    for compress in (gzip.compress, zstd_compress):
        assert unpack(compress(many), "f").messages == (many,)


def test_a_limit_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "2 GB")
    with pytest.raises(UsageError, match=f"{VARIABLE}=2 GB"):
        UnpackedLimit("f", 10)


@both
def test_tens_of_thousands_of_tiny_members_take_no_time(compress: Compress) -> None:
    """What is behind each of them isn't copied each time."""
    member, count = compress(b"\n"), 20_000
    began_s = time.process_time()
    assert unpack(member * count, "x").messages == (b"\n" * count,)
    assert time.process_time() - began_s < 2
    assert unpack(member * count + member[:-3], "x").faults


@pytest.mark.parametrize(("pack", "name"), [(lzma.compress, "xz"), (bz2.compress, "bzip2")])
def test_another_kind_of_packing_is_named(tmp_path: Path, pack: Compress, name: str) -> None:
    path = tmp_path / "spans.json"
    path.write_bytes(pack(b"{}" * 100))
    with pytest.raises(InputError, match=f"packed by {name}, which isn't read: unpack it"):
        read_source(str(path))
