"""A server on loopback that never does what was agreed: raw bytes, as its script says."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from types import MappingProxyType
from typing import Final

from hostile_texts import TEXTS

if sys.version_info >= (3, 14):
    from compression.zstd import compress as zstd_compress
else:
    from backports.zstd import compress as zstd_compress

Behaviour = Callable[[], Iterator[bytes]]
_ODD: Final = "".join(text for text in TEXTS.values() if len(text) < 200).encode("utf-8", "replace")


def _head(kind: str, *more: str, status: str = "200 OK") -> bytes:
    return "\r\n".join(
        (f"HTTP/1.1 {status}", f"content-type: {kind}", "connection: close", *more, "", "")
    ).encode()


def endless_body() -> Iterator[bytes]:
    """A body of zeros without an end."""
    yield _head("application/json")
    while True:
        yield b"0" * 65_536


def endless_event() -> Iterator[bytes]:
    """One line of a stream that never ends."""
    yield _head("text/event-stream") + b"data: {"
    while True:
        yield b"a" * 65_536


def endless_error() -> Iterator[bytes]:
    """An error that has more to say than anybody reads."""
    yield _head("text/plain", status="400 Bad Request")
    while True:
        yield b"no " * 20_000


def a_byte_at_a_time() -> Iterator[bytes]:
    """Slow enough that every single wait is short, and all of them are for ever."""
    yield _head("application/json")
    while True:
        time.sleep(0.2)
        yield b" "


def about_to_answer() -> Iterator[bytes]:
    """That it goes on, for ever: every client has to pass that over."""
    while True:
        time.sleep(0.05)
        yield b"HTTP/1.1 100 Continue\r\n\r\n"


def a_header_at_a_time() -> Iterator[bytes]:
    """As `a_byte_at_a_time`, before there is an answer."""
    yield b"HTTP/1.1 200 OK\r\nx: "
    while True:
        time.sleep(0.2)
        yield b"a"


def huge_headers() -> Iterator[bytes]:
    """More headers than a page of text."""
    yield b"HTTP/1.1 200 OK\r\n"
    for number in range(100_000):
        yield f"x-{number}: {'a' * 100}\r\n".encode()


def bomb() -> Iterator[bytes]:
    """Half a megabyte that becomes half a gigabyte."""
    packed = _packed_zeros(512)
    yield _head("application/json", "content-encoding: gzip", f"content-length: {len(packed)}") + packed


def bomb_in_a_bomb() -> Iterator[bytes]:
    """Packed twice: two kilobytes for as much."""
    packed = gzip.compress(_packed_zeros(512))
    kind = ("content-encoding: gzip, gzip", f"content-length: {len(packed)}")
    yield _head("application/json", *kind) + packed


def bomb_of_another_kind() -> Iterator[bytes]:
    """Sixteen kilobytes of zstd."""
    packed = zstd_compress(bytes(1 << 20)) * 512
    yield _head("application/json", "content-encoding: zstd", f"content-length: {len(packed)}") + packed


@cache
def _packed_zeros(megabytes: int) -> bytes:
    """A megabyte at a time: the test that looks at memory makes none of it."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join((*(packer.compress(bytes(1 << 20)) for _ in range(megabytes)), packer.flush()))


def odd_error() -> Iterator[bytes]:
    """An error in words that a terminal obeys."""
    yield _head("application/json", status="400 Bad \x1b[31mRequest") + b'{"error": "' + _ODD + b'"}'


def absurd_usage() -> Iterator[bytes]:
    """A sound answer with counts that can't be."""
    yield _head("application/json") + (
        b'{"id": "x", "object": "chat.completion", "created": 1, "model": "\\u001b[31m", "choices": [{"index": 0, '
        b'"finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}], "usage": {"prompt_tokens": '
        b'-5, "completion_tokens": 1000000000000000000, "total_tokens": 0}}'
    )


def deep() -> Iterator[bytes]:
    """JSON nested deeper than anybody reads."""
    body = b"[" * 100_000
    yield _head("application/json", f"Content-Length: {len(body)}")
    yield body


def badly_packed() -> Iterator[bytes]:
    """What says that it is packed, and isn't."""
    yield _head("application/json", "Content-Encoding: gzip", "Content-Length: 2")
    yield b"{}"


def nonsense() -> Iterator[bytes]:
    """No HTTP."""
    yield b"\x16\x03\x01\x00SSH-2.0-x\r\n\x00\x00"


BEHAVIOURS: Final[Mapping[str, Behaviour]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            endless_body,
            endless_event,
            endless_error,
            a_byte_at_a_time,
            about_to_answer,
            a_header_at_a_time,
            huge_headers,
            bomb,
            bomb_in_a_bomb,
            bomb_of_another_kind,
            odd_error,
            absurd_usage,
            deep,
            badly_packed,
            nonsense,
        )
    }
)


@contextmanager
def hostile_server(behaviour: Behaviour) -> Iterator[str]:
    """Its HOST:PORT; every connection gets the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_listen, args=(listener, behaviour), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _listen(listener: socket.socket, behaviour: Behaviour) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=_answer, args=(listener.accept()[0], behaviour), daemon=True).start()


def _answer(connection: socket.socket, behaviour: Behaviour) -> None:
    with connection, suppress(OSError):
        connection.recv(65_536)
        for piece in behaviour():
            connection.sendall(piece)


def redirect_to(place: str) -> Behaviour:
    """Sends everybody elsewhere."""

    def behaviour() -> Iterator[bytes]:
        yield _head("text/plain", f"location: http://{place}/v1/traces", status="307 Temporary Redirect")

    return behaviour
