"""Answers over HTTP within bounds: a GET that ends in time (a socket's timeout begins anew each byte); no bombs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from types import MappingProxyType
from typing import Final

PLAIN: Final[Mapping[str, str]] = MappingProxyType({"accept-encoding": "identity"})
"""Headers that ask for an answer as it is: what is packed may become thousands of times as large."""
_PACKED_LITTLE: Final = ("", "identity", "gzip", "deflate")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def refuse_bombs(encoding: str) -> None:
    """Raises `ConnectionError` for a body that clients would unpack at once to any size: packed twice, or by zstd."""
    if encoding.strip().lower() not in _PACKED_LITTLE:
        raise ConnectionError(f"the answer is packed as {encoding[:40]!a}, which nobody asked for")


@contextmanager
def getting(
    connection: HTTPConnection, path: str, *, whole_s: float, headers: Mapping[str, str] = _NONE
) -> Iterator[HTTPResponse]:
    """The response, to be read inside the block. Raises OSError and HTTPException, `TimeoutError` after `whole_s`."""
    connection.connect()
    with _ended_after(whole_s, connection.sock) as is_over:
        try:
            connection.request("GET", path, headers=dict(headers))
            yield connection.getresponse()
        except (OSError, HTTPException):
            if not is_over.is_set():
                raise
        finally:
            connection.close()
        if is_over.is_set():  # also where the answer seemed to end, having no length
            raise TimeoutError(f"no whole answer within {whole_s:g} s")


@contextmanager
def _ended_after(seconds: float, connected: socket.socket) -> Iterator[threading.Event]:
    """Whoever reads from the socket inside the block reads its end then; the event says that this was why."""
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        with suppress(OSError):  # it is closed
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()
        timer.join()
