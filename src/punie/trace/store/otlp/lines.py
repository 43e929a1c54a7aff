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

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from itertools import repeat
from typing import Annotated, Any, Final, TypeVar

import msgspec

from punie.trace.model import Attributes, Event, Span, SpanKind, StatusCode
from punie.trace.store.files.json_documents import parse
from punie.trace.store.otlp.attribute_texts import AttributeTexts
from punie.trace.store.otlp.values import (
    INT64_MAX,
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Unreadable,
    attributes_of,
    event_of,
    span_kind,
    status_code,
)

_HEX: Final = b"0123456789abcdef"
_NO_TRACE: Final = "0" * (2 * TRACE_ID_BYTES)
_NO_SPAN: Final = "0" * (2 * SPAN_ID_BYTES)
_ABSENT: Final = msgspec.Raw(b"null")
_LONGEST: Final = (
    1_000  # bytes of a text that is worth remembering: what is longer holds content and won't come again
)
_MOST: Final = 4_096  # texts that are remembered, so that a file in which all differ costs 4 MB at most
_SPANS: Final = b'"spans":['
_CLOSED: Final = b"]}]}]}"  # spans, scope, scopes, resource, resources, document
_BEFORE_CLOSED: Final = -len(_CLOSED)
_SOME_SPAN: Final = (
    f'{{"traceId":"{_NO_TRACE}","spanId":"{_NO_SPAN}","startTimeUnixNano":0,"endTimeUnixNano":0}}'.encode()
)
_TraceId = Annotated[str, msgspec.Meta(min_length=2 * TRACE_ID_BYTES, max_length=2 * TRACE_ID_BYTES)]
_SpanId = Annotated[str, msgspec.Meta(min_length=2 * SPAN_ID_BYTES, max_length=2 * SPAN_ID_BYTES)]
_NoLonger = Annotated[str, msgspec.Meta(max_length=2 * SPAN_ID_BYTES)]
_Time = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
_Text = TypeVar("_Text", bound=Hashable)
_Meaning = TypeVar("_Meaning")
_Raw = TypeVar("_Raw")


class _Span(msgspec.Struct, gc=False, rename="camel"):
    """The fields stand in the order in which `LineReader` takes them apart."""

    trace_id: _TraceId
    span_id: _SpanId
    start_time_unix_nano: _Time
    end_time_unix_nano: _Time
    parent_span_id: _NoLonger = ""
    name: str = ""
    kind: int | str | None = None
    attributes: msgspec.Raw = _ABSENT
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
        "_resources",
        "_scopes",
    )

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Document, strict=False).decode
        self._one_each = True  # a span in each line, until a line has more
        self._heads = _Known(self._head)
        self._resources = _Known(_resource)
        self._scopes = _Known(_scope)
        self._kinds = _Known[int | str | None, SpanKind](span_kind)
        self._attributes = AttributeTexts()

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
        texts: list[bytes] = []
        found: list[tuple[Attributes, str]] = []
        head = b"\n"  # no line begins with it
        try:
            for line in lines:
                if not line.startswith(head):
                    head = line[: line.index(_SPANS) + len(_SPANS)]
                    of_head, begin = self._heads[head], len(head)
                if not line.endswith(_CLOSED):
                    raise Unreadable("a line that goes on behind its spans")
                texts.append(line[begin:_BEFORE_CLOSED])
                found.append(of_head)
            raw = list(map(_one_span, texts))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        resources, scopes = zip(*found, strict=True)
        return self._made(raw, resources, scopes)

    def _head(self, head: bytes) -> tuple[Attributes, str]:
        """Resource and scope of every span that stands between `head`, which ends with `_SPANS`, and `_CLOSED`.

        Raises `Unreadable` if it isn't so: with a span there the document must have one, and none without.
        Nothing in quotes looks like `_SPANS` where nothing is escaped.
        """
        empty, one = (self._decode(head + some + _CLOSED) for some in (b"", _SOME_SPAN))
        if b"\\" in head or [_shape(empty), _shape(one)] != [[[0]], [[1]]] or one.result is not _ABSENT:
            raise Unreadable("a head of another kind")
        (of_resource,) = one.resource_spans
        (of_scope,) = of_resource.scope_spans
        return self._resources[bytes(of_resource.resource)], self._scopes[bytes(of_scope.scope)]

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
        _check_ids(ids, _NO_SPAN)
        _check_ids(traces, _NO_TRACE)
        _check_ids(list(filter(None, parents)), _NO_SPAN)
        codes, messages = _columns(statuses, _status, _UNSET)
        (happened,) = _columns(events, _events, _NOTHING)
        return list(
            map(
                Span,
                traces,
                ids,
                [one or None for one in parents],
                names,
                starts,
                ends,
                map(self._kinds.__getitem__, kinds),
                self._attributes.read(map(bytes, attributes)),
                codes,
                messages,
                happened,
                resources,
                scopes,
            )
        )


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


def _check_ids(ids: Collection[str], nothing: str) -> None:
    """Raises `Unreadable` if one isn't written as it is kept. None is longer than `nothing`."""
    digits = "".join(ids).encode()
    if nothing in ids or len(digits) != len(nothing) * len(ids) or digits.translate(None, _HEX):
        raise Unreadable("no id in lower-case hex of full length")


def _columns(
    found: Sequence[_Raw | None], read: Callable[[_Raw], tuple[Any, ...]], without: tuple[Any, ...]
) -> Iterable[Iterable[Any]]:
    """What `read` makes of each, column by column; `without` of those that say nothing, as nearly all do."""
    if not any(found):
        return map(repeat, without)
    return zip(*[read(one) if one else without for one in found], strict=True)


_one_span: Final = msgspec.json.Decoder(_Span, strict=False).decode
_UNSET: Final = (StatusCode.UNSET, "")
_NOTHING: Final = ((),)


def _status(found: dict[str, Any]) -> tuple[StatusCode, str]:
    return status_code(found.get("code")), str(found.get("message") or "")


def _events(found: list[dict[str, Any]]) -> tuple[tuple[Event, ...]]:
    return (tuple(map(event_of, found)),)
