"""Spans as OpenTelemetry's SDKs print them, one after another: Python's and JavaScript's, and Phoenix's export.

| | Python, Phoenix | JavaScript, its exporter | JavaScript, the object itself |
| --- | --- | --- | --- |
| ids | `context`, with `0x` or without | `traceId`, `id`, `parentId` | `_spanContext`, `parentSpanContext` |
| times | text | microseconds, a duration | `[seconds, nanoseconds]` |
| kinds | names | numbers from 0 | numbers from 0 |

Attributes are objects, in Phoenix's some in others: `{"llm": {"model_name": …}}`. MLflow 2 writes traces as Python's.
Sources: https://github.com/open-telemetry/opentelemetry-python/blob/main/opentelemetry-sdk/src/opentelemetry/sdk/trace,
https://github.com/open-telemetry/opentelemetry-js/tree/main/packages/opentelemetry-sdk-trace-base/src
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from punie.trace.model import AttributeValue, Event, Span, SpanKind
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import (
    TimeUnit,
    Unreadable,
    any_value,
    attributes_of,
    integer,
    objects,
    parent_id,
    span_id,
    span_kind,
    status_of,
    time_ns,
    trace_id,
)
from punie.trace.store.source import JsonFormat
from punie.trace.store.timestamps import required_ns, timestamp_ns

_PYTHON: Final = {"context", "start_time", "end_time"}
_JAVASCRIPT: Final = ({"traceId", "id", "timestamp", "attributes"}, {"startTime", "endTime", "attributes"})
_CONTEXTS: Final = ("_spanContext", "spanContext")
_PHOENIX_KIND: Final = "openinference.span.kind"
_NS_PER_SECOND: Final = 1_000_000_000

Raw = dict[str, Any]


def recognises(document: object) -> bool:
    """Whether it is a printed span, or a list or page that begins with one."""
    found = _spans(document)
    return bool(found) and isinstance(found[0], dict) and (_is_python(found[0]) or _is_javascript(found[0]))


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give every span of a document to `into`; their clock step is a microsecond."""
    into.resolution_ns = max(into.resolution_ns, TimeUnit.MICROSECONDS)
    spans = objects(_spans(document), "spans")
    for number, raw in enumerate(spans):
        make = _python_span if _is_python(raw) else _javascript_span
        into.take(line, f"[{number}]" if len(spans) > 1 else "span", partial(make, raw))


CONSOLE_JSON: Final = JsonFormat("spans as OpenTelemetry's SDKs print them", recognises, read)


def _spans(document: object) -> list[Any]:
    """The spans, which may lie in `data` or `spans`, or both (MLflow 2)."""
    for name in ("data", "spans"):
        if isinstance(document, dict) and isinstance(document.get(name), list | dict):
            document = document[name]
    return document if isinstance(document, list) else [document]


def _is_python(raw: Raw) -> bool:
    return raw.keys() >= _PYTHON and isinstance(raw["context"], dict)


def _is_javascript(raw: Raw) -> bool:
    exported, whole = _JAVASCRIPT
    is_whole = raw.keys() >= whole and any(isinstance(raw.get(name), dict) for name in _CONTEXTS)
    return is_whole or (raw.keys() >= exported and "tags" not in raw)


def _python_span(raw: Raw) -> Span:
    context = _object(raw, "context")
    status, message = status_of(raw)
    attributes = dict(_flat(raw.get("attributes")))
    if isinstance(raw.get("span_kind"), str):
        attributes.setdefault(_PHOENIX_KIND, raw["span_kind"])
    return Span(
        trace_id=trace_id(_digits(context.get("trace_id")), "trace_id"),
        span_id=span_id(_digits(context.get("span_id")), "span_id"),
        parent_id=parent_id(_digits(raw.get("parent_id")), "parent_id"),
        name=str(raw.get("name") or ""),
        start_ns=required_ns(raw.get("start_time"), "start_time"),
        end_ns=required_ns(raw.get("end_time"), "end_time") if raw.get("end_time") else 0,
        kind=span_kind(raw.get("kind")),
        attributes=attributes,
        status=status,
        status_message=message or str(raw.get("status_message") or ""),
        events=tuple(
            Event(
                str(event.get("name") or ""),
                timestamp_ns(event.get("timestamp")) or 0,
                attributes_of(event.get("attributes")),
            )
            for event in objects(raw.get("events"), "events")
        ),
        resource=attributes_of(_object(raw, "resource").get("attributes")),
        scope=str(_object(raw, "instrumentation_scope").get("name") or ""),
    )


def _javascript_span(raw: Raw) -> Span:
    context = _object(raw, *_CONTEXTS) or raw
    parent = _object(raw, "parentSpanContext").get("spanId") or raw.get("parentSpanId") or raw.get("parentId")
    status, message = status_of(raw)
    start_ns = _javascript_ns(raw.get("startTime", raw.get("timestamp")), "startTime")
    return Span(
        trace_id=trace_id(context.get("traceId"), "traceId"),
        span_id=span_id(context.get("spanId", context.get("id")), "spanId"),
        parent_id=parent_id(parent, "parentSpanId"),
        name=str(raw.get("name") or ""),
        start_ns=start_ns,
        end_ns=_javascript_ns(raw["endTime"], "endTime")
        if "endTime" in raw
        else start_ns + _duration_ns(raw),
        kind=_javascript_kind(raw.get("kind")),
        attributes=attributes_of(raw.get("attributes")),
        status=status,
        status_message=message,
        events=tuple(
            Event(
                str(event.get("name") or ""),
                _javascript_ns(event.get("time"), "time"),
                attributes_of(event.get("attributes")),
            )
            for event in objects(raw.get("events"), "events")
        ),
        resource=attributes_of(_object(raw, "resource").get("attributes")),
        scope=str(_object(raw, "instrumentationScope", "instrumentationLibrary").get("name") or ""),
    )


def _javascript_ns(value: object, name: str) -> int:
    """A pair of seconds and nanoseconds, or microseconds."""
    if isinstance(value, list) and len(value) == 2:
        seconds, ns = map(integer, value)
        if seconds is None or ns is None:
            raise Unreadable(f"{name} {str(value)[:40]!r} is no time")
        return time_ns(seconds * _NS_PER_SECOND + ns, name)
    return time_ns(value, name, TimeUnit.MICROSECONDS)


def _duration_ns(raw: Raw) -> int:
    duration_us = raw.get("duration")
    if isinstance(duration_us, bool) or not isinstance(duration_us, int | float) or duration_us < 0:
        raise Unreadable(f"duration {str(duration_us)[:40]!r} is no number of microseconds")
    return round(duration_us * TimeUnit.MICROSECONDS)


def _javascript_kind(value: object) -> SpanKind:
    """Its enum counts from 0, with INTERNAL; OTLP's from 1."""
    number = integer(value)
    return span_kind(value if number is None else number + 1)


def _flat(attributes: object, before: str = "") -> Iterator[tuple[str, AttributeValue]]:
    """Attributes with the names of the objects that they are in before theirs."""
    if not isinstance(attributes, dict):
        yield from attributes_of(attributes).items()
        return
    for key, value in attributes.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", any_value(value)


def _object(raw: Raw, *names: str) -> Mapping[str, Any]:
    return next((raw[name] for name in names if isinstance(raw.get(name), dict)), {})


def _digits(value: object) -> object:
    return value.removeprefix("0x") if isinstance(value, str) else value
