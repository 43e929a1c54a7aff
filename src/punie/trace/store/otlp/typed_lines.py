"""Lines of OTLP JSON as nearly every writer writes them: decoded by msgspec into typed structs, checked, made spans.

What is taken here becomes exactly the spans that `json_format` makes of it. Whatever isn't written in the plainest way
(an id in capitals or base64, a time with a fraction, a field of another type, a damaged document) is refused here and
read there, which also knows what to say of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from sys import intern
from typing import Annotated, Any, Final

import msgspec

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Event, Span, StatusCode
from punie.trace.store.files.json_documents import parse
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.losses import note_dropped
from punie.trace.store.otlp.values import (
    INT64_MAX,
    Unreadable,
    any_value,
    attributes_of,
    linked_traces,
    span_kind,
    status_code,
)

_SPAN_ID: Final = "(?!0{16})[0-9a-f]{16}"
_are_ids: Final = re.compile(f"(?!0{{32}})[0-9a-f]{{32}} {_SPAN_ID} (?:{_SPAN_ID})?").fullmatch
_ABSENT: Final = msgspec.Raw(b"")
_NO_PAIRS: Final = msgspec.Raw(b"[]")
_MOST: Final = 1_000  # resources, and lists of attributes, that are remembered
_SHORT: Final = 400  # bytes: what is longer has content, and hardly comes again
_Time = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Integer = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]  # what is larger is read with care


class _Value(msgspec.Struct, gc=False, rename="camel"):
    string_value: str | None = None
    int_value: _Integer | None = None
    double_value: float | None = None
    bool_value: bool | None = None
    array_value: dict[str, Any] | None = None
    kvlist_value: dict[str, Any] | None = None
    bytes_value: str | None = None


class _Pair(msgspec.Struct, gc=False):
    key: str
    value: _Value | None = None


class _Event(msgspec.Struct, gc=False, rename="camel"):
    name: str = ""
    time_unix_nano: _Time = 0
    attributes: list[_Pair] = []


class _Link(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str = ""


class _Status(msgspec.Struct, gc=False):
    code: int | str | None = None
    message: str = ""


class _Span(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str
    span_id: str
    start_time_unix_nano: _Time
    end_time_unix_nano: _Time
    parent_span_id: str = ""
    name: str = ""
    kind: int | str | None = None
    attributes: msgspec.Raw = _NO_PAIRS
    status: _Status | None = None
    events: list[_Event] = []
    links: list[_Link] = []
    dropped_attributes_count: _Count = 0
    dropped_events_count: _Count = 0
    dropped_links_count: _Count = 0


class _Scope(msgspec.Struct, gc=False, frozen=True):
    name: str = ""


class _OfScope(msgspec.Struct, gc=False):
    spans: list[_Span]
    scope: _Scope = _Scope()


class _OfResource(msgspec.Struct, gc=False, rename="camel"):
    scope_spans: list[_OfScope]
    resource: msgspec.Raw = _ABSENT


class _Document(msgspec.Struct, gc=False, rename="camel"):
    resource_spans: list[_OfResource]
    # What `json_format` looks at first: a wrapper, other signals, Tempo's word that a trace is not whole.
    result: msgspec.Raw = _ABSENT
    trace: msgspec.Raw = _ABSENT
    status: msgspec.Raw = _ABSENT
    resource_logs: msgspec.Raw = _ABSENT
    resource_metrics: msgspec.Raw = _ABSENT

    def is_plain(self) -> bool:
        """Whether it holds spans and nothing else that matters."""
        return (
            self.result is self.trace is self.status is self.resource_logs is self.resource_metrics is _ABSENT
        )


class TypedLines:
    """Reads lines of one source; remembers what it has met, for the same resources and attributes come again."""

    __slots__ = ("_attributes", "_decode", "_gatherer", "_resources")

    def __init__(self, gatherer: SpanGatherer) -> None:
        self._gatherer = gatherer
        self._decode = msgspec.json.Decoder(_Document, strict=False).decode
        self._resources: dict[bytes, Attributes] = {}
        self._attributes: dict[bytes, Attributes] = {}

    def take(self, line: bytes) -> bool:
        """Keep the spans of one line; False, and nothing is kept, if it has to be read with more care."""
        try:
            if not line.isascii():
                line.decode("utf-8")  # what a document has beside its spans isn't looked at by msgspec
            document = self._decode(line)
            if not document.is_plain():
                return False
            spans = self._read(document)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        self._gatherer.spans += spans
        self._note_dropped(document)
        return True

    def _read(self, document: _Document) -> list[Span]:
        spans: list[Span] = []
        for of_resource in document.resource_spans:
            resource = self._resource(bytes(of_resource.resource))
            for of_scope in of_resource.scope_spans:
                scope = of_scope.scope.name
                spans += [
                    _span(raw, self._attributes_of(raw.attributes), resource, scope) for raw in of_scope.spans
                ]
        return spans

    def _note_dropped(self, document: _Document) -> None:
        for of_resource in document.resource_spans:
            for of_scope in of_resource.scope_spans:
                for raw in of_scope.spans:
                    if raw.dropped_attributes_count or raw.dropped_events_count or raw.dropped_links_count:
                        note_dropped(
                            self._gatherer,
                            raw.dropped_attributes_count,
                            raw.dropped_events_count + raw.dropped_links_count,
                        )

    def _attributes_of(self, raw: msgspec.Raw) -> Attributes:
        text = bytes(raw)
        found = self._attributes.get(text)
        if found is None:
            found = _attributes(_pairs(text))
            if len(text) <= _SHORT and len(self._attributes) < _MOST:
                self._attributes[text] = found
        return found

    def _resource(self, text: bytes) -> Attributes:
        found = self._resources.get(text)
        if found is None:
            parsed = parse(text.decode()) if text else {}
            if not isinstance(parsed, dict):
                raise Unreadable("resource is no object")
            found = attributes_of(parsed.get("attributes"))
            if len(self._resources) < _MOST:
                self._resources[text] = found
        return found


def _span(raw: _Span, attributes: Attributes, resource: Attributes, scope: str) -> Span:
    """The span of `raw`. What a file says over and over (ids of traces, names, keys) is kept once."""
    _check_ids(raw.trace_id, raw.span_id, raw.parent_span_id)
    status = raw.status
    return Span(
        intern(raw.trace_id),
        raw.span_id,
        raw.parent_span_id or None,
        intern(raw.name),
        raw.start_time_unix_nano,
        raw.end_time_unix_nano,
        _kind(raw.kind),
        attributes,
        StatusCode.UNSET if status is None else _code(status.code),
        "" if status is None else status.message,
        tuple(map(_event, raw.events)) if raw.events else (),
        resource,
        scope,
        linked_traces([link.trace_id for link in raw.links], raw.trace_id) if raw.links else (),
    )


_pairs: Final = msgspec.json.Decoder(list[_Pair], strict=False).decode

# A file has a few of each.
_kind: Final = lru_cache(64)(span_kind)
_code: Final = lru_cache(64)(status_code)


def _check_ids(trace: str, span: str, parent: str) -> None:
    """Raises `Unreadable` if one isn't written as it is kept: lower-case hex of full length, not all zeros."""
    if not _are_ids(f"{trace} {span} {parent}"):
        raise Unreadable("an id in another writing")


def _event(raw: _Event) -> Event:
    return Event(raw.name, raw.time_unix_nano, _attributes(raw.attributes))


def _attributes(pairs: Sequence[_Pair]) -> Attributes:
    return {intern(pair.key): _plain(pair.value) for pair in pairs} if pairs else NO_ATTRIBUTES


def _plain(value: _Value | None) -> AttributeValue:
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return value.int_value
    if value.double_value is not None:
        return value.double_value
    if value.bool_value is not None:
        return value.bool_value
    if value.array_value is not None or value.kvlist_value is not None:
        return any_value({"arrayValue": value.array_value, "kvlistValue": value.kvlist_value})
    return value.bytes_value
