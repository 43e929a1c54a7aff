"""OTLP over HTTP, in JSON or protobuf."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Callable, Sequence
from typing import Final

import httpx2
import msgspec

from punie.trace.bounded_get import PLAIN, refuse_bombs
from punie.trace.telemetry.shipping.answers import (
    JSON,
    PROTOBUF,
    Outcome,
    ReceiverResponse,
    media_type,
    read_failure,
    read_response,
)
from punie.trace.telemetry.shipping.outgoing import OutgoingSpan, json_request, protobuf_request
from punie.trace.telemetry.shipping.targets import Compression, Encoding, Target, TlsFiles

_LARGEST_ANSWER: Final = 1 << 20  # bytes
_MINDS_ENCODING: Final = frozenset({400, 406, 415, 422, 500, 501})
_HUNG_UP: Final = (httpx2.RemoteProtocolError, httpx2.ReadError)  # it may have died of what it can't read
_MEDIA_TYPES: Final = {Encoding.JSON: JSON, Encoding.PROTOBUF: PROTOBUF}
_COMPRESSORS: Final[dict[Compression, Callable[[bytes], bytes]]] = {
    Compression.GZIP: gzip.compress,
    Compression.DEFLATE: zlib.compress,
}
_ENCODERS: Final[dict[Encoding, Callable[[Sequence[OutgoingSpan]], bytes]]] = {
    Encoding.JSON: lambda spans: msgspec.json.encode(json_request(spans)),
    Encoding.PROTOBUF: lambda spans: protobuf_request(spans).SerializeToString(),
}


class HttpSender:
    """Asks in the target's first encoding; where that is refused, in the next, and stays with what was accepted."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        verify = True if target.tls == TlsFiles() else _tls_context(target.tls)
        # A transport of our own leaves out proxies, which are not for this machine's own addresses.
        transport = httpx2.AsyncHTTPTransport(verify=verify) if target.is_loopback else None
        self._client = httpx2.AsyncClient(verify=verify, timeout=None, transport=transport)
        self._loop = asyncio.Runner()
        self._target = target
        self._timeout_s = timeout_s
        self._encodings = list(target.encodings)
        self._settled = False  # an encoding was accepted
        self._may_mind_encoding = False  # as far as the last answer shows
        self.answered_type = ""

    def send(self, spans: Sequence[OutgoingSpan]) -> ReceiverResponse:
        """One request, or one more where its encoding seems to be what is refused."""
        if not spans:
            return self._post(Encoding.PROTOBUF, spans)
        answer = self._post(self._encodings[0], spans)
        if self._may_mind_encoding and not self._settled and len(self._encodings) > 1:
            self._encodings.append(self._encodings.pop(0))
            answer = self._post(self._encodings[0], spans)
        self._settled = self._settled or answer.outcome is Outcome.ACCEPTED
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._loop.run(self._client.aclose())
        self._loop.close()

    def _post(self, encoding: Encoding, spans: Sequence[OutgoingSpan]) -> ReceiverResponse:
        body, compression = _ENCODERS[encoding](spans), self._target.compression
        headers = {
            "content-type": _MEDIA_TYPES[encoding],
            "user-agent": "punie-trace",
            **PLAIN,
            **self._target.headers,
        }
        if compression is not Compression.NONE:
            headers["content-encoding"], body = compression.value, _COMPRESSORS[compression](body)
        self._may_mind_encoding = False
        try:
            response, content = self._loop.run(self._send_request(headers, body))
        except TimeoutError:
            return ReceiverResponse(Outcome.UNANSWERED, problem=f"no answer within {self._timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 # whatever the network does: the result names it
            self._may_mind_encoding = isinstance(error, _HUNG_UP)
            return read_failure(error)
        self.answered_type = media_type(response.headers)
        self._may_mind_encoding = response.status_code in _MINDS_ENCODING
        return read_response(response.status_code, response.reason_phrase, response.headers, content)

    async def _send_request(self, headers: dict[str, str], body: bytes) -> tuple[httpx2.Response, bytes]:
        """The time is for all of it: a client's own time-outs begin anew with every byte that comes."""
        async with (
            asyncio.timeout(self._timeout_s),
            self._client.stream("POST", self._target.endpoint, content=body, headers=headers) as response,
        ):
            refuse_bombs(response.headers.get("content-encoding", ""))
            content = b""
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > _LARGEST_ANSWER:
                    raise ValueError(f"an answer of more than {_LARGEST_ANSWER} bytes")
            return response, content


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca or None)
    except OSError as error:
        raise OSError(f"{files.ca}: {error.strerror or error}") from error
    if files.certificate:
        context.load_cert_chain(files.certificate, files.key or None)
    return context
