"""Many documents of OTLP JSON at once, as nearly every writer writes them: typed by msgspec, checked in bulk.

What is taken here becomes exactly the spans that `otlp_values` makes of it. Whatever isn't written in the plainest way
(an id in capitals or base64, a time with a fraction, a field of another type, a document that is damaged) is refused
here and read there, which also knows what to say of it. The plainest way: lower-case hex of full length, times in
whole nanoseconds as text or numbers, `resourceSpans` with `scopeSpans`, attributes as a list of keys and values.

A file says the same things over and over: the attributes of a resource, a scope's name, `"status":{}`, the attributes
of a phase. Such a value is cut out as text and looked up; only a text that is new is decoded, and checked, as a whole.
A journal has one span a line, so there all that stands before the span is such a text as well (`_head`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Span, SpanKind, StatusCode
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
_STRING: Final = "stringValue"
_ABSENT: Final = msgspec.Raw(b"null")
_LONGEST: Final = (
    1_000  # bytes of a text that is worth remembering: what is longer holds content and won't come again
)
_MOST: Final = 4_096  # texts that are remembered, so that a file in which all differ costs 4 MB at most
_SPANS: Final = b'"spans":['
_CLOSED: Final = b"]}]}]}"  # spans, scope, scopes, resource, resources, document
_SOME_SPAN: Final = b'{"traceId":"","spanId":"","startTimeUnixNano":0,"endTimeUnixNano":0}'
_Text = TypeVar("_Text", bound=Hashable)
_Meaning = TypeVar("_Meaning")


class _Pair(msgspec.Struct, gc=False):
    key: str
    value: dict[str, Any] | None = None


class _Span(msgspec.Struct, gc=False, rename="camel"):
    """The fields stand in the order in which `LineReader` takes them apart."""

    trace_id: str
    span_id: str
    start_time_unix_nano: str | int
    end_time_unix_nano: str | int
    parent_span_id: str = ""
    name: str = ""
    kind: int | str | None = None
    attributes: msgspec.Raw = _ABSENT
    status: msgspec.Raw = _ABSENT
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


class _Known(dict[_Text, _Meaning]):
    """What each text stands for: made by `meaning` when a text is new, looked up when it comes again."""

    __slots__ = ("_meaning",)

    def __init__(self, meaning: Callable[[_Text], _Meaning]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, text: _Text) -> _Meaning:
        found = self._meaning(text)
        if len(self) < _MOST and not (isinstance(text, bytes | str) and len(text) > _LONGEST):
            self[text] = found
        return found


class LineReader:
    """Reads lines of OTLP JSON; remembers what it has met, so one reader should read a whole file."""

    __slots__ = (
        "_attributes",
        "_decode",
        "_heads",
        "_kinds",
        "_one_each",
        "_pairs",
        "_resources",
        "_scopes",
        "_statuses",
    )

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Document).decode
        self._one_each = True  # a span in each line, until a line has more
        self._heads = _Known(self._head)
        self._resources = _Known(_resource)
        self._scopes = _Known(_scope)
        self._kinds = _Known[int | str | None, SpanKind](span_kind)
        self._attributes = _Known(self._mapping)
        self._pairs = _Known(_pair)
        self._statuses = _Known(_status)

    def read(self, lines: Sequence[bytes]) -> list[Span] | None:
        """The spans of `lines`, in their order; None if there is one that has to be read with more care."""
        try:
            if not all(map(bytes.isascii, lines)):
                for line in lines:
                    line.decode("utf-8")  # what a document has beside its spans isn't looked at by msgspec
            return self._read(lines)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

    def _read(self, lines: Sequence[bytes]) -> list[Span]:
        found = self._in_lines_of_one(lines) if self._one_each else None
        if found is None:
            found = self._in_documents(lines)
            self._one_each = False  # these lines are right and of another shape, so the next will be
        return found

    def _in_lines_of_one(self, lines: Sequence[bytes]) -> list[Span] | None:
        """The spans of `lines` that have the same few heads, one span and `_CLOSED`; None if they are others."""
        try:
            heads, _, rests = zip(*map(bytes.partition, lines, repeat(_SPANS)), strict=True)
            found = list(map(self._heads.__getitem__, heads))
            texts = list(map(bytes.removesuffix, rests, repeat(_CLOSED)))
            if sum(map(len, rests)) - sum(map(len, texts)) != len(_CLOSED) * len(texts):
                raise Unreadable("a line that goes on behind its spans")
            raw = list(map(_one_span, texts))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        resources, scopes = zip(*found, strict=True)
        return self._made(raw, resources, scopes)

    def _head(self, head: bytes) -> tuple[Attributes, str]:
        """Resource and scope of every span that stands between `head`, `_SPANS` and `_CLOSED`.

        Raises `Unreadable` if it isn't so: with a span there the document must have one, and none without.
        Nothing in quotes looks like `_SPANS` where nothing is escaped.
        """
        empty, one = (self._decode(head + _SPANS + some + _CLOSED) for some in (b"", _SOME_SPAN))
        if b"\\" in head or [_shape(empty), _shape(one)] != [[[0]], [[1]]] or one.result is not _ABSENT:
            raise Unreadable("a head of another kind")
        (of_resource,) = one.resource_spans
        (of_scope,) = of_resource.scope_spans
        return self._resources[bytes(of_resource.resource)], self._scopes[bytes(of_scope.scope)]

    def _mapping(self, text: bytes) -> Attributes:
        pairs = _pairs(text)
        return (
            MappingProxyType(dict(map(self._pairs.__getitem__, map(bytes, pairs))))
            if pairs
            else NO_ATTRIBUTES
        )

    def _in_documents(self, lines: Sequence[bytes]) -> list[Span]:
        raw: list[_Span] = []
        resources: list[Attributes] = []
        scopes: list[str] = []
        for document in map(self._decode, lines):
            if document.result is not _ABSENT:
                raise Unreadable("a result")
            for of_resource in document.resource_spans:
                resource = self._resources[bytes(of_resource.resource)]
                for of_scope in of_resource.scope_spans:
                    scope = self._scopes[bytes(of_scope.scope)]
                    count = len(of_scope.spans)
                    raw += of_scope.spans
                    resources += repeat(resource, count)
                    scopes += repeat(scope, count)
        return self._made(raw, resources, scopes) if raw else []

    def _made(self, raw: list[_Span], resources: Sequence[Attributes], scopes: Sequence[str]) -> list[Span]:
        traces, ids, starts, ends, parents, names, kinds, attributes, statuses, events = zip(
            *map(msgspec.structs.astuple, raw), strict=True
        )
        columns = zip(
            _ids(traces, _NO_TRACE),
            _ids(ids, _NO_SPAN),
            _parent_ids(parents),
            names,
            _times(starts),
            _times(ends),
            map(self._kinds.__getitem__, kinds),
            map(self._attributes.__getitem__, map(bytes, attributes)),
            map(self._statuses.__getitem__, map(bytes, statuses)),
            [tuple(map(event_of, some)) if some else () for some in events],
            resources,
            scopes,
            strict=True,
        )
        return _spans(columns)


def _spans(columns: Iterable[tuple[Any, ...]]) -> list[Span]:
    """The loop that a file's every span goes through: no call in it but the one that makes the object."""
    made: list[Any] = []
    add, new = made.append, _Draft.__new__
    for row in columns:
        one: Any = new(_Draft)
        (
            one.trace_id,
            one.span_id,
            one.parent_id,
            one.name,
            one.start_ns,
            one.end_ns,
            one.kind,
            one.attributes,
            (one.status, one.status_message),
            one.events,
            one.resource,
            one.scope,
        ) = row
        one.__class__ = Span  # the same slots: from here on it is a span, frozen
        add(one)
    return made


def _shape(document: _Document) -> list[list[int]]:
    return [[len(one.spans) for one in of_resource.scope_spans] for of_resource in document.resource_spans]


def _resource(text: bytes) -> Attributes:
    return attributes_of(_object(text).get("attributes"))


def _scope(text: bytes) -> str:
    return str(_object(text).get("name") or "")


def _object(text: bytes) -> dict[str, Any]:
    found = parse(text)
    if isinstance(found, dict):
        return found
    raise Unreadable("no object")


def _ids(ids: Sequence[str], nothing: str) -> Sequence[str]:
    """`ids` if each is written as it is kept. Raises `Unreadable` if not."""
    if nothing in ids or not {len(nothing)}.issuperset(map(len, ids)):
        raise Unreadable("an id of another length")
    if "".join(ids).encode().translate(None, _HEX):
        raise Unreadable("an id in other digits")
    return ids


def _parent_ids(ids: Sequence[str]) -> list[str | None]:
    _ids(list(filter(None, ids)), _NO_SPAN)
    return [one or None for one in ids]


def _times(times: Sequence[str | int]) -> list[int]:
    """Nanoseconds. Raises ValueError for what isn't plain digits or too large."""
    texts = times if set(map(type, times)) == {str} else [one for one in times if isinstance(one, str)]
    if texts and not ("".join(texts).isdecimal() and max(map(len, texts)) <= LONGEST_NUMBER):  # type: ignore[arg-type]
        raise Unreadable("a time in other digits")
    found = list(map(int, times))
    if found and not (min(found) >= 0 and max(found) <= INT64_MAX):
        raise Unreadable("a time out of reach")
    return found


_one_span: Final = msgspec.json.Decoder(_Span).decode
_pairs: Final = msgspec.json.Decoder(list[msgspec.Raw] | None).decode
_one_pair: Final = msgspec.json.Decoder(_Pair).decode
_any_object: Final = msgspec.json.Decoder(dict[str, Any] | None).decode


def _pair(text: bytes) -> tuple[str, AttributeValue]:
    pair = _one_pair(text)
    value = pair.value
    plain = value.get(_STRING) if value is not None and len(value) == 1 else None
    return pair.key, plain if plain.__class__ is str else any_value(value)


def _status(text: bytes) -> tuple[StatusCode, str]:
    found = _any_object(text)
    return (
        (status_code(found.get("code")), str(found.get("message") or "")) if found else (StatusCode.UNSET, "")
    )
