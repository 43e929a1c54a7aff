"""Receivers over gRPC that lie, hang and break off: within time and memory, and nothing that can't be is believed."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

import grpc  # type: ignore[import-untyped] # ships no types
import psutil
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped] # ships no types
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # as above
from hostile_texts import TEXTS

from punie.trace.telemetry.shipping.answers import Outcome, ReceiverResponse
from punie.trace.telemetry.shipping.grpc_sender import GrpcSender
from punie.trace.telemetry.shipping.targets import flag_target

METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
LIMIT_S: Final = 2.0
Says = Callable[[Any], bytes]


def partial(rejected: int, message: bytes = b"") -> bytes:
    """An answer with a partial success, written by hand: also what no library would write."""
    inner = b"\x08" + varint(rejected) + b"\x12" + varint(len(message)) + message
    return b"\x0a" + varint(len(inner)) + inner


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    found = bytearray()
    while True:
        found.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(found)


def failing(code: grpc.StatusCode, details: str, *metadata: tuple[str, bytes | str]) -> Says:
    def says(context: Any) -> bytes:  # noqa: ANN401 # gRPC's
        context.set_trailing_metadata(metadata)
        context.abort(code, details)
        return b""

    return says


def retrying(seconds: int, nanos: int = 0) -> Says:
    detail = AnyMessage()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos)))
    return with_details(Status(code=14, details=[detail]).SerializeToString())


def with_details(content: bytes) -> Says:
    return failing(grpc.StatusCode.UNAVAILABLE, "busy", ("grpc-status-details-bin", content))


def hangs(_: Any) -> bytes:  # noqa: ANN401 # gRPC's
    time.sleep(LIMIT_S * 3)
    return b""


_ODD: Final = "".join(text for text in TEXTS.values() if len(text) < 200).encode("utf-8", "replace")
LIES: Final[Mapping[str, tuple[Says, Outcome]]] = {
    "fewer than none rejected": (lambda _: partial(-1), Outcome.REQUEST_REFUSED),
    "the fewest": (lambda _: partial(-(2**63)), Outcome.REQUEST_REFUSED),
    "more than were sent": (lambda _: partial(2**62), Outcome.ACCEPTED),
    "a message that is obeyed": (lambda _: partial(1, _ODD), Outcome.ACCEPTED),
    "a message that isn't UTF-8": (lambda _: partial(1, b"\xff\xfe"), Outcome.REQUEST_REFUSED),
    "a long message": (lambda _: partial(1, b"no " * 1_000_000), Outcome.ACCEPTED),
    "a message longer than gRPC takes": (lambda _: partial(1, b"no " * 2_000_000), Outcome.REQUEST_REFUSED),
    "nothing": (lambda _: b"", Outcome.ACCEPTED),
    "no protobuf": (lambda _: b"\x0a\xff\xff\xff\xff\x0f", Outcome.REQUEST_REFUSED),
    "deep": (lambda _: b"\x0b" * 100_000, Outcome.REQUEST_REFUSED),
    "hung": (hangs, Outcome.UNANSWERED),
    "an odd status": (failing(grpc.StatusCode.UNKNOWN, _ODD.decode()), Outcome.SPANS_REFUSED),
    "not there": (failing(grpc.StatusCode.UNIMPLEMENTED, ""), Outcome.REQUEST_REFUSED),
    "who are you": (failing(grpc.StatusCode.UNAUTHENTICATED, "\x1b[31mwho\r\n"), Outcome.REQUEST_REFUSED),
    "OK that isn't": (failing(grpc.StatusCode.DATA_LOSS, "x" * 4_000), Outcome.UNANSWERED),
    "busy for ever": (retrying(2**40), Outcome.UNANSWERED),
    "busy for the longest time": (retrying(315_576_000_000), Outcome.UNANSWERED),
    "busy until yesterday": (retrying(-86_400), Outcome.UNANSWERED),
    "busy in signs that differ": (retrying(1, -999_999_999), Outcome.UNANSWERED),
    "busy for more nanoseconds than a second has": (retrying(0, 2_000_000_000), Outcome.UNANSWERED),
    "details that aren't": (with_details(b"\xff\xff\xff"), Outcome.UNANSWERED),
    "details of another kind": (
        with_details(Status(details=[AnyMessage(type_url=RETRY_INFO, value=b"\xff")]).SerializeToString()),
        Outcome.UNANSWERED,
    ),
}  # fmt: skip


@contextmanager
def lying(says: Says) -> Iterator[str]:
    """A server whose method returns the bytes that it was told to."""
    handler = grpc.unary_unary_rpc_method_handler(lambda _, context: says(context))
    service, _, method = METHOD[1:].partition("/")
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"grpc://127.0.0.1:{port}"
        server.stop(None).wait()


def ask(url: str) -> ReceiverResponse:
    """What comes of one request, in time and with little memory."""
    before, began_s = psutil.Process().memory_info().rss, time.monotonic()
    sender = GrpcSender(flag_target(url), LIMIT_S)
    try:
        return sender.send([])
    finally:
        sender.close()
        assert time.monotonic() - began_s < 5 * LIMIT_S
        assert psutil.Process().memory_info().rss - before < 200 << 20


@pytest.mark.parametrize("name", LIES)
def test_a_receiver_that_lies_is_believed_in_nothing_that_can_t_be(name: str) -> None:
    says, outcome = LIES[name]
    with lying(says) as url:
        answer = ask(url)
    assert answer.outcome is outcome, answer
    assert answer.rejected >= 0
    assert answer.retry_after_s is None or 0 <= answer.retry_after_s <= 24 * 3_600


_PREFACE: Final = struct.pack(">I", 0)[1:] + b"\x04\x00\x00\x00\x00\x00"  # an empty frame of settings
WIRES: Final[Mapping[str, tuple[bytes, ...]]] = {
    "closed at once": (),
    "settings and no more": (_PREFACE,),
    "HTTP/1": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",),
    "a frame of 16 MB": (_PREFACE, b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"0" * 65_536),
    "goes away": (_PREFACE, b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
    "resets the stream": (_PREFACE, b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x00"),
    "a flood of pings": (_PREFACE, *[b"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"] * 5_000),
    "noise": (b"\x16\x03\x01" + bytes(range(256)) * 200,),
}  # fmt: skip


@contextmanager
def wire(pieces: tuple[bytes, ...]) -> Iterator[str]:
    """Sends raw bytes to whoever connects, then waits or, with none, closes."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65_536)
            for piece in pieces:
                connection.sendall(piece)
            while pieces and connection.recv(65_536):
                pass

    def listen() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=listen, daemon=True).start()
        yield f"grpc://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("name", WIRES)
def test_a_connection_that_breaks_is_no_answer(name: str) -> None:
    with wire(WIRES[name]) as url:
        answer = ask(url)
    assert answer.outcome is not Outcome.ACCEPTED
    assert answer.problem
