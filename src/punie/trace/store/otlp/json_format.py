"""OTLP JSON as spans: one document, or one a line as our journal and the Collector's file exporter write.

Lenient where writers differ (ids in hex of any case or base64, 64-bit integers as strings or numbers, enums as
names or numbers, unknown fields, one ResourceSpans or span alone), strict where a span would be wrong: such a record
is counted and named.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from punie.trace.model import NO_ATTRIBUTES, Attributes
from punie.trace.store.gathering import SpanGatherer, reason
from punie.trace.store.otlp.losses import INCOMPLETE, note_losses
from punie.trace.store.otlp.values import Unreadable, attributes_of, objects, read_span
from punie.trace.store.source import JsonFormat

OTHER_SIGNALS: Final = "other-signals"
_PROTO_KEY: Final = "resource_spans"  # protobuf's own names throughout
_ROOT_KEYS: Final = ("resourceSpans", _PROTO_KEY, "batches")  # the last is Tempo's
_WRAPPERS: Final = (
    "result",
    "trace",
    "data",
)  # of the answers of Jaeger's API v3, of Tempo's API v2; others'
_SCOPE_KEYS: Final = ("scopeSpans", "instrumentationLibrarySpans")  # the last is OTLP before 0.15
_SPAN_KEYS: Final = {"traceId", "spanId", "startTimeUnixNano"}  # of a span that stands alone
_SIGNALS: Final = {
    f"resource{separator}{name}": signal
    for signal in ("logs", "metrics", "profiles")
    for separator, name in (("", signal.capitalize()), ("_", signal))
}

_Where = tuple[str, Attributes, str, dict[str, Any]]


def recognises(document: object) -> bool:
    """Whether it is OTLP, of any signal, or a list of such documents."""
    if isinstance(document, list):
        return any(isinstance(one, dict) and recognises(one) for one in document)
    return isinstance(document, dict) and (_root_key(document) is not None or signal(document) is not None)


def signal(document: object) -> str | None:
    """The other signal that a document holds in place of spans; None if it holds none."""
    if not isinstance(document, dict):
        return None
    return next((name for key, name in _SIGNALS.items() if key in document), None)


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give every span of a document, or of a list of documents, to `into`."""
    for one in document if isinstance(document, list) else [document]:
        _read_one(one, line, into)


OTLP_JSON: Final = JsonFormat("OTLP JSON", recognises, read)


def _read_one(document: object, line: int, into: SpanGatherer) -> None:
    other = signal(document)
    if other is not None:
        into.note(OTHER_SIGNALS, other)
    if other is None or _root_key(document) is not None:
        try:
            for where, resource, scope, raw in _raw_spans(document):
                into.take(line, where, partial(read_span, raw, resource, scope))
                note_losses(into, raw)
        except (Unreadable, RecursionError) as error:
            into.refuse(line, reason(error))
    if isinstance(document, dict) and document.get("status") == "PARTIAL":
        why = document.get("message") or "no reason given"
        into.note(INCOMPLETE, f"Tempo sent a part of a trace alone: {why}")


def _root_key(document: object) -> str | None:
    """The field under which the spans of a document are."""
    if not isinstance(document, dict):
        return None
    wrapper = next((key for key in _WRAPPERS if isinstance(document.get(key), dict)), None)
    if wrapper and _root_key(document[wrapper]):
        return wrapper
    if document.keys() >= _SPAN_KEYS:
        return "spanId"
    spans = document.get("spans")
    if isinstance(spans, list) and spans and isinstance(spans[0], dict) and spans[0].keys() >= _SPAN_KEYS:
        return "spans"
    return next((key for key in (*_ROOT_KEYS, *_SCOPE_KEYS) if key in document), None)


def _raw_spans(document: object) -> Iterator[_Where]:
    """Where it stands, resource attributes, scope and raw span of everything in `document`."""
    key = _root_key(document)
    if key is None or not isinstance(document, dict):
        raise Unreadable("no resourceSpans")
    if key in _WRAPPERS:
        yield from _raw_spans(document[key])
    elif key == _PROTO_KEY:
        yield from _raw_spans(_camel_case(document))
    elif key in _SCOPE_KEYS:
        yield from _of_resource(document, "")
    elif key == "spanId":
        yield "span", NO_ATTRIBUTES, "", document
    elif key == "spans":
        yield from _of_resource({"scopeSpans": [document]}, "")
    else:
        for number, of_resource in enumerate(objects(document[key], key)):
            yield from _of_resource(of_resource, f"{key}[{number}].")


def _of_resource(of_resource: dict[str, Any], where: str) -> Iterator[_Where]:
    resource = attributes_of(_field(of_resource, "resource").get("attributes"))
    key = next((name for name in _SCOPE_KEYS if name in of_resource), _SCOPE_KEYS[0])
    for j, of_scope in enumerate(objects(of_resource.get(key), key)):
        scope = str(_field(of_scope, "scope", "instrumentationLibrary").get("name") or "")
        for k, raw in enumerate(objects(of_scope.get("spans"), "spans")):
            yield f"{where}{key}[{j}].spans[{k}]", resource, scope, raw


def _field(owner: dict[str, Any], *names: str) -> dict[str, Any]:
    """The first object among the fields `names`; empty if there is none."""
    return next((owner[name] for name in names if isinstance(owner.get(name), dict)), {})


def _camel_case(value: object) -> object:
    """The same with JSON's field names; attribute keys are values in OTLP, so they stay."""
    if isinstance(value, dict):
        return {_camel(key): _camel_case(item) for key, item in value.items()}
    return [_camel_case(item) for item in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
