"""OTLP over gRPC, by the stub of `opentelemetry-proto`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped] # ships no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from punie.trace.telemetry.shipping.answers import ReceiverResponse, read_partial, read_rpc_error
from punie.trace.telemetry.shipping.outgoing import OutgoingSpan, protobuf_request
from punie.trace.telemetry.shipping.targets import Compression, Target
from punie.trace.urls import basic

_LARGEST_PEM: Final = 4 << 20  # bytes; the certificates of a whole system are a quarter of a megabyte
_COMPRESSION: Final = {
    Compression.NONE: grpc.Compression.NoCompression,
    Compression.GZIP: grpc.Compression.Gzip,
    Compression.DEFLATE: grpc.Compression.Deflate,
}


class GrpcSender:
    """Calls OTLP's service by the stub of `opentelemetry-proto`."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        self._channel = _channel(target)
        self._stub: Any = TraceServiceStub(self._channel)  # type: ignore[no-untyped-call] # generated
        self._metadata = (
            *((name.lower(), value) for name, value in target.headers.items()),
            *_credentials(target),
        )
        self._timeout_s = timeout_s

    def send(self, spans: Sequence[OutgoingSpan]) -> ReceiverResponse:
        """One call."""
        request = protobuf_request(spans)
        try:
            answer = self._stub.Export(request, metadata=self._metadata, timeout=self._timeout_s)
        except grpc.RpcError as error:
            return read_rpc_error(error)
        return read_partial(answer.partial_success.rejected_spans, answer.partial_success.error_message)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _channel(target: Target) -> grpc.Channel:
    # gRPC knows no user in an address, and would quote it, password and all, as one that it can't find.
    address = _netloc(target).rpartition("@")[2]
    compression = _COMPRESSION[target.compression]
    # A receiver that says GOAWAY and stays would be asked again without a pause, at 160 MB a second: we try again.
    options = [("grpc.enable_retries", 0)]
    if target.is_loopback:  # a proxy is not for this machine
        options.append(("grpc.enable_http_proxy", 0))
    if target.secure:
        return grpc.secure_channel(address, _grpc_credentials(target), options, compression)
    return grpc.insecure_channel(address, options, compression)


def _netloc(target: Target) -> str:
    return urlsplit(target.endpoint).netloc if "://" in target.endpoint else target.endpoint


def _credentials(target: Target) -> tuple[tuple[str, str], ...]:
    """User and password of the address as HTTP's clients send them."""
    account, at, _ = _netloc(target).rpartition("@")
    return (("authorization", basic(account)),) if at else ()


def _grpc_credentials(target: Target) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        _content(target.tls.ca), _content(target.tls.key), _content(target.tls.certificate)
    )


def _content(path: str) -> bytes | None:
    """Of a file of certificates or a key. Raises `ValueError` for what is none: a device has no end."""
    if not path:
        return None
    if not Path(path).is_file() or Path(path).stat().st_size > _LARGEST_PEM:
        raise ValueError(f"{path}: no file of certificates in PEM")
    return Path(path).read_bytes()
