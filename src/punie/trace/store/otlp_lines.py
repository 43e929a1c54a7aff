"""Many documents of OTLP JSON at once, as nearly every writer writes them: typed by msgspec, checked in bulk.

What is taken here becomes exactly the spans that `otlp_values` makes of it. Whatever isn't written in the plainest way
(an id in capitals or base64, a time with a fraction, a field of another type, a document that is damaged) is refused
here and read there, which also knows what to say of it. The plainest way: lower-case hex of full length, times in
whole nanoseconds as text or numbers, `resourceSpans` with `scopeSpans`, attributes as a list of keys and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final

import msgspec

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Event, Span, SpanKind, StatusCode
from punie.trace.store.json_documents import parse
from punie.trace.store.otlp_values import (
    INT64_MAX,
    LONGEST_NUMBER,
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Unreadable,
    any_value,
    attributes_of,
    event_of,
    span_kind,
    status_code,
)

_HEX: Final = b"0123456789abcdef"
_NO_TRACE: Final = "0" * (2 * TRACE_ID_BYTES)
_NO_SPAN: Final = "0" * (2 * SPAN_ID_BYTES)
_KINDS: Final[dict[int | str | None, SpanKind]] = {int(kind): kind for kind in SpanKind}
_STRING: Final = "stringValue"
_ABSENT: Final = msgspec.Raw(b"null")


class _Pair(msgspec.Struct, gc=False):
    key: str
    value: dict[str, Any] | None = None


class _Span(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str
    span_id: str
    start_time_unix_nano: str | int
    end_time_unix_nano: str | int
    parent_span_id: str = ""
    name: str = ""
    kind: int | str | None = None
    attributes: list[_Pair] | None = None
    status: dict[str, Any] | None = None
    events: list[dict[str, Any]] | None = None


class _OfScope(msgspec.Struct, gc=False):
    scope: msgspec.Raw
    spans: list[_Span]


class _OfResource(msgspec.Struct, gc=False, rename="camel"):
    scope_spans: list[_OfScope]
    resource: msgspec.Raw = _ABSENT


class _Document(msgspec.Struct, gc=False, rename="camel"):
    resource_spans: list[_OfResource]
    result: msgspec.Raw = _ABSENT  # what Jaeger's API wraps its answer in; it goes before `resourceSpans`


class _Draft:
    """A span while it is made: setting the fields of a frozen one takes three times as long."""

    __slots__ = Span.__slots__

    def __init__(  # noqa: PLR0913, RUF100 - the fields of a span, in their order
        self,
        trace_id: str,
        span_id: str,
        parent_id: str | None,
        name: str,
        start_ns: int,
        end_ns: int,
        kind: SpanKind,
        attributes: Attributes,
        status: StatusCode,
        status_message: str,
        events: tuple[Event, ...],
        resource: Attributes,
        scope: str,
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.name = name
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.kind = kind
        self.attributes = attributes
        self.status = status
        self.status_message = status_message
        self.events = events
        self.resource = resource
        self.scope = scope
        self.__class__ = Span  # type: ignore[assignment] # the same slots: from here on it is a span, frozen


@dataclass(slots=True)
class LineReader:
    """Reads lines of OTLP JSON; remembers the resources and scopes that it has met, of which a file has few."""

    _decode: Any = field(default_factory=lambda: msgspec.json.Decoder(_Document).decode)
    _resources: dict[bytes, Attributes] = field(default_factory=dict)
    _scopes: dict[bytes, str] = field(default_factory=dict)

    def read(self, lines: Sequence[bytes]) -> list[Span] | None:
        """The spans of `lines`, in their order; None if there is one that has to be read with more care."""
        try:
            documents = [self._decode(line) for line in lines]
            if not all(map(bytes.isascii, lines)):
                for line in lines:
                    line.decode("utf-8")  # what a document has beside its spans isn't looked at by msgspec
            return list(self._spans(documents))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

    def _spans(self, documents: Sequence[_Document]) -> Iterator[Span]:
        raw: list[_Span] = []
        resources: list[Attributes] = []
        scopes: list[str] = []
        for document in documents:
            if document.result is not _ABSENT:
                raise Unreadable("a result")
            for of_resource in document.resource_spans:
                resource = self._resource(of_resource.resource)
                for of_scope in of_resource.scope_spans:
                    count = len(of_scope.spans)
                    scope = self._scope(of_scope.scope)
                    raw += of_scope.spans
                    resources += repeat(resource, count)
                    scopes += repeat(scope, count)
        return map(
            _Draft,  # type: ignore[arg-type] # which makes a span
            _ids([one.trace_id for one in raw], _NO_TRACE),
            _ids([one.span_id for one in raw], _NO_SPAN),
            _parent_ids([one.parent_span_id for one in raw]),
            [one.name for one in raw],
            _times([one.start_time_unix_nano for one in raw]),
            _times([one.end_time_unix_nano for one in raw]),
            [_KINDS[one.kind] if one.kind in _KINDS else span_kind(one.kind) for one in raw],
            [_attributes(one.attributes) if one.attributes else NO_ATTRIBUTES for one in raw],
            [status_code(one.status.get("code")) if one.status else StatusCode.UNSET for one in raw],
            [str(one.status.get("message") or "") if one.status else "" for one in raw],
            [tuple(map(event_of, one.events)) if one.events else () for one in raw],
            resources,
            scopes,
        )

    def _resource(self, raw: msgspec.Raw) -> Attributes:
        text = bytes(raw)
        found = self._resources.get(text)
        if found is None:
            found = self._resources[text] = attributes_of(_object(text).get("attributes"))
        return found

    def _scope(self, raw: msgspec.Raw) -> str:
        text = bytes(raw)
        found = self._scopes.get(text)
        if found is None:
            found = self._scopes[text] = str(_object(text).get("name") or "")
        return found


def _object(text: bytes) -> dict[str, Any]:
    found = parse(text)
    if isinstance(found, dict):
        return found
    raise Unreadable("no object")


def _ids(ids: list[str], nothing: str) -> list[str]:
    """`ids` if each is written as it is kept. Raises `Unreadable` if not."""
    size = len(nothing)
    if nothing in ids or any(len(one) != size for one in ids):
        raise Unreadable("an id of another length")
    if "".join(ids).encode().translate(None, _HEX):
        raise Unreadable("an id in other digits")
    return ids


def _parent_ids(ids: list[str]) -> list[str | None]:
    _ids([one for one in ids if one], _NO_SPAN)
    return [one or None for one in ids]


def _times(times: list[str | int]) -> list[int]:
    """Nanoseconds. Raises ValueError for what isn't plain digits or too large."""
    texts = [one for one in times if isinstance(one, str)]
    if texts and not ("".join(texts).isdecimal() and max(map(len, texts)) <= LONGEST_NUMBER):
        raise Unreadable("a time in other digits")
    found = list(map(int, times))
    if found and not (min(found) >= 0 and max(found) <= INT64_MAX):
        raise Unreadable("a time out of reach")
    return found


def _attributes(pairs: Sequence[_Pair]) -> Attributes:
    found: dict[str, AttributeValue] = {}
    for pair in pairs:
        value = pair.value
        text = value.get(_STRING) if value is not None and len(value) == 1 else None
        found[pair.key] = text if text.__class__ is str else any_value(value)
    return MappingProxyType(found)
