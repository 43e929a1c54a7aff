"""HTTP spans for httpx and httpx2, sync and async, by wrapping their network transports.

A request gets a span if one of ours surrounds it; everything else passes untouched.
It lives beside the instrumentations of OpenTelemetry and logfire, inside or around them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import httpx
import httpx2
from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from punie.trace.telemetry.http.attempts import AttemptLog
from punie.trace.telemetry.http.span import HttpTracer, RequestSpan
from punie.trace.telemetry.journal.processor import made_current
from punie.trace.telemetry.provider import Telemetry

_propagator: Final = TraceContextTextMapPropagator()
_lock: Final = threading.Lock()
_tracers: dict[int, HttpTracer] = {}  # by id of the journal, in the order of instrumentation


@dataclass(frozen=True, slots=True)
class _Wrapped:
    wrapper: Callable[..., Any]
    original: Callable[..., Any]


_handling: Final[ContextVar[object]] = ContextVar("punie_trace_handling", default=None)
_wrappers: dict[tuple[type, str], _Wrapped] = {}


def instrument_http(telemetry: Telemetry) -> AttemptLog:
    """Record the requests made under spans of `telemetry`. Doing it twice changes nothing.

    Returns the log of attempts, which knows when each caller's last body ended.
    """
    with _lock:
        known = _tracers.get(id(telemetry.journal))
        if known is None:
            known = HttpTracer(telemetry.processor, telemetry.tracer, telemetry.clock, AttemptLog())
            _tracers[id(telemetry.journal)] = known
        for package, sync_body, async_body in _PACKAGES:
            _wrap(package.HTTPTransport, "handle_request", functools.partial(_sync_wrapper, body=sync_body))
            _wrap(
                package.AsyncHTTPTransport,
                "handle_async_request",
                functools.partial(_async_wrapper, body=async_body),
            )
        return known.attempts


def uninstrument_http(telemetry: Telemetry) -> None:
    """Stop recording for `telemetry`; the transports are restored when nobody records any more."""
    with _lock:
        _tracers.pop(id(telemetry.journal), None)
        if _tracers:
            return
        for package, _, _ in _PACKAGES:
            _unwrap(package.HTTPTransport, "handle_request")
            _unwrap(package.AsyncHTTPTransport, "handle_async_request")


class _Body:
    """A response stream that reports to its span what passes through it."""

    def __init__(self, stream: Any, request: RequestSpan) -> None:  # noqa: ANN401 # two packages, same shape
        self._stream = stream
        self._request = request

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except GeneratorExit:
            raise  # the caller stopped reading: `close` says when
        except BaseException as error:
            self._request.failed(error, before_headers=False)
            raise
        self._request.exhausted()

    def __del__(self) -> None:
        self._request.closed()


class _SyncBody(_Body):
    def __iter__(self) -> Iterator[bytes]:
        with self._reading():
            for chunk in self._stream:
                self._request.got_chunk(chunk)
                yield chunk
                self._request.wants_more()

    def close(self) -> None:
        self._request.closed()
        self._stream.close()


class _AsyncBody(_Body):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._reading():
            async for chunk in self._stream:
                self._request.got_chunk(chunk)
                yield chunk
                self._request.wants_more()

    async def aclose(self) -> None:
        self._request.closed()
        await self._stream.aclose()


def _body_types(package: Any) -> tuple[type[_Body], type[_Body]]:  # noqa: ANN401 # two packages, same shape
    """Bodies that `package` takes for its own, sync and async."""
    return (
        type("SyncBody", (_SyncBody, package.SyncByteStream), {}),
        type("AsyncBody", (_AsyncBody, package.AsyncByteStream), {}),
    )


_PACKAGES: Final = tuple((package, *_body_types(package)) for package in (httpx, httpx2))


def _sync_wrapper(original: Callable[..., Any], *, body: type[_Body]) -> Callable[..., Any]:
    @functools.wraps(original)
    def handle_request(transport: Any, request: Any) -> Any:  # noqa: ANN401 # two packages, same shape
        span = _start(request)
        if span is None:
            return original(transport, request)
        with _current(span, request):
            response = original(transport, request)
        return _watch(response, span, body)

    return handle_request


def _async_wrapper(original: Callable[..., Awaitable[Any]], *, body: type[_Body]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def handle_async_request(transport: Any, request: Any) -> Any:  # noqa: ANN401 # as above
        span = _start(request)
        if span is None:
            return await original(transport, request)
        with _current(span, request):
            response = await original(transport, request)
        return _watch(response, span, body)

    return handle_async_request


def _start(request: Any) -> RequestSpan | None:  # noqa: ANN401 # as above
    if _handling.get() is request:  # ours is in the chain twice, hidden by somebody's wrapper: once is enough
        return None
    http = next((tracer for tracer in list(_tracers.values()) if tracer.records()), None)
    if http is None or not is_instrumentation_enabled():
        return None
    span = http.start(request.method, str(request.url))
    _propagator.inject(request.headers, context=trace.set_span_in_context(span.span))
    return span


@contextmanager
def _current(span: RequestSpan, request: object) -> Iterator[None]:
    token = _handling.set(request)
    try:
        with made_current(span.span):
            yield
    except BaseException as error:
        span.failed(error, before_headers=True)
        raise
    finally:
        _handling.reset(token)


def _watch(response: Any, span: RequestSpan, body: type[_Body]) -> Any:  # noqa: ANN401 # as above
    span.got_headers(response.status_code, response.headers)
    response.stream = body(response.stream, span)
    return response


def _wrap(owner: type, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    method = getattr(owner, name)
    ours = _wrappers.get((owner, name))
    if ours is not None and _is_in_chain(ours.wrapper, method):
        return
    _wrappers[owner, name] = _Wrapped(wrapper=wrapper(method), original=method)
    setattr(owner, name, _wrappers[owner, name].wrapper)


def _unwrap(owner: type, name: str) -> None:
    ours = _wrappers.get((owner, name))
    # Where somebody has wrapped around ours meanwhile it stays: without tracers it only passes on.
    if ours is not None and vars(owner).get(name) is ours.wrapper:
        setattr(owner, name, ours.original)
        del _wrappers[owner, name]


def _is_in_chain(wanted: Callable[..., Any], method: Any) -> bool:  # noqa: ANN401 # any wrapper of any library
    while method is not None:
        if method is wanted:
            return True
        method = getattr(method, "__wrapped__", None)
    return False
