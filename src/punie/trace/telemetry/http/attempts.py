"""Remembers, per caller, how its last HTTP attempts went: whose retry a request is, when a body ended."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import SpanContext

from punie.trace.telemetry.http.stream.chunk import StreamUsage

_REMEMBERED: Final = 4096  # callers; older ones are forgotten, for their spans ended long ago


@dataclass(frozen=True, slots=True)
class RetryKey:
    """What a retry has in common with the attempt before: the calling span, the method and the address."""

    trace_id: int
    parent_id: int
    method: str
    url: str


@dataclass(frozen=True, slots=True)
class Resend:
    """A request that follows failed ones: how many came before it, and when the last of them ended (ns)."""

    count: int
    failed_at_ns: int


@dataclass(frozen=True, slots=True)
class Body:
    """When the first event of an answer (None: it had none) and its last byte arrived, in ns since the epoch.

    Of a stream also what its server counted for the request, and whether it ended in the middle of an answer.
    """

    first_event_ns: int | None
    end_ns: int
    usage: StreamUsage | None = None
    cut_short: bool = False


class AttemptLog:
    """Thread-safe and bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[RetryKey, Resend] = OrderedDict()
        self._bodies: OrderedDict[tuple[int, int], Body] = OrderedDict()
        self._errors: OrderedDict[tuple[int, int], str] = OrderedDict()

    def resend(self, target: RetryKey) -> Resend | None:
        """The failed attempts that a new request to `target` follows, or None if it is the first."""
        with self._lock:
            return self._failures.get(target)

    def failed(self, target: RetryKey, end_ns: int) -> None:
        """An attempt failed in a way that clients retry, at `end_ns`."""
        with self._lock:
            before = self._failures.pop(target, None)
            self._failures[target] = Resend(before.count + 1 if before else 1, end_ns)
            _trim(self._failures)

    def succeeded(self, target: RetryKey) -> None:
        """An attempt came through: what follows is a new request."""
        with self._lock:
            self._failures.pop(target, None)

    def body_ended(self, parent: SpanContext, body: Body) -> None:
        """A response's body arrived for a request made under `parent`."""
        with self._lock:
            key = (parent.trace_id, parent.span_id)
            before = self._bodies.pop(key, None)
            self._bodies[key] = body if before is None or before.end_ns <= body.end_ns else before
            _trim(self._bodies)

    def ended(self, parent: SpanContext, error: str | None) -> None:
        """A request made under `parent` ended, with `error` (a status or a type) or without one."""
        with self._lock:
            key = (parent.trace_id, parent.span_id)
            self._errors.pop(key, None)
            if error is not None:
                self._errors[key] = error
                _trim(self._errors)

    def last_error(self, parent: SpanContext) -> str | None:
        """What the request under `parent` that ended last failed by; None if it didn't."""
        with self._lock:
            return self._errors.get((parent.trace_id, parent.span_id))

    def last_body(self, parent: SpanContext) -> Body | None:
        """The body that ended last of those for requests under `parent`; None if there was no request."""
        with self._lock:
            return self._bodies.get((parent.trace_id, parent.span_id))


def _trim(
    entries: OrderedDict[RetryKey, Resend]
    | OrderedDict[tuple[int, int], Body]
    | OrderedDict[tuple[int, int], str],
) -> None:
    while len(entries) > _REMEMBERED:
        entries.popitem(last=False)
