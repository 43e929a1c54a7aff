"""Langfuse's export of traces: a trace with its observations, as its page and API give it, or observations alone.

Names are in camel case, or in snake case in exports to a bucket; times are text, to the millisecond. Ids may be any
text: what isn't hexadecimal is digested. A trace is no span in Langfuse: where it has several observations without a
parent, it becomes the span around them.
Source: https://api.reference.langfuse.com (Trace, Observations)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.model import AttributeValue, Span, StatusCode
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import Unreadable, objects
from punie.trace.store.source import JsonFormat
from punie.trace.store.timestamps import required_ns

_MILLISECOND_NS: Final = 1_000_000
_TYPE: Final = "langfuse.observation.type"
_MODEL: Final = "langfuse.observation.model.name"
_FINISH_REASON: Final = "langfuse.observation.metadata.finish_reason"
_OBSERVATION: Final = ({"id", "traceId", "type", "startTime"}, {"id", "trace_id", "type", "start_time"})
_OTHERS: Final = {"parent_span_id", "parentSpanId"}  # spans of Opik and of Mastra have the same keys
_EVENT: Final = "event"  # an observation that has no length
_TRACE_DIGITS: Final = 32
_SPAN_DIGITS: Final = 16

Raw = Mapping[str, Any]


def recognises(document: object) -> bool:
    """Whether it is a trace with observations, an observation, or a list or page of these."""
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        document = document["data"]
    if isinstance(document, list):
        return bool(document) and recognises(document[0])
    if not isinstance(document, dict):
        return False
    is_one = any(document.keys() >= keys for keys in _OBSERVATION) and _OTHERS.isdisjoint(document)
    return isinstance(document.get("observations"), list) or is_one


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give a span for every observation to `into`."""
    into.resolution_ns = max(into.resolution_ns, _MILLISECOND_NS)
    by_trace: dict[str, list[tuple[str, Raw]]] = {}
    names: dict[str, str] = {}
    for where, trace, raw in _observations(document, ""):
        key = str(raw.get("traceId") or trace.get("id"))
        by_trace.setdefault(key, []).append((where, raw))
        names.setdefault(key, str(trace.get("name") or "trace"))
    for key, observations in by_trace.items():
        _read_trace(key, names[key], observations, line, into)


LANGFUSE_JSON: Final = JsonFormat("Langfuse's export", recognises, read)


def _observations(document: object, where: str) -> Iterator[tuple[str, Raw, Raw]]:
    """Where it stands, its trace as far as it is named, and the observation."""
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        document, where = document["data"], "data"
    if isinstance(document, list):
        for number, one in enumerate(document):
            yield from _observations(one, f"{where}[{number}]")
    elif isinstance(document, dict) and "observations" in document:
        trace = document["trace"] if isinstance(document.get("trace"), dict) else document
        for number, raw in enumerate(objects(document["observations"], "observations")):
            yield f"{where}observations[{number}]", trace, _camel_case(raw)
    elif isinstance(document, dict):
        yield where, {}, _camel_case(document)
    else:
        raise Unreadable(f"{where} is no observation")


def _read_trace(
    key: str, name: str, observations: Sequence[tuple[str, Raw]], line: int, into: SpanGatherer
) -> None:
    trace_id, before = _hex_id(key, _TRACE_DIGITS), len(into.spans)
    for where, raw in observations:
        into.take(line, where, partial(_span, raw, trace_id))
    roots = [span for span in into.spans[before:] if span.parent_id is None]
    if len(roots) > 1:
        around = _hex_id(f"trace {key}", _SPAN_DIGITS)
        start_ns, end_ns = min(span.start_ns for span in roots), max(span.end_ns for span in roots)
        into.spans[before:] = [
            Span(trace_id, around, None, name, start_ns, end_ns),
            *(_below(span, around) for span in into.spans[before:]),
        ]


def _below(span: Span, parent: str) -> Span:
    return span if span.parent_id else replace(span, parent_id=parent)


def _span(raw: Raw, trace_id: str) -> Span:
    if not raw.get("id"):
        raise Unreadable("no id")
    parent = raw.get("parentObservationId")
    kind = str(raw.get("type") or "").lower()
    start_ns = required_ns(raw.get("startTime"), "startTime")
    never_ended = start_ns if kind == _EVENT else 0
    return Span(
        trace_id=trace_id,
        span_id=_hex_id(str(raw["id"]), _SPAN_DIGITS),
        parent_id=_hex_id(str(parent), _SPAN_DIGITS) if parent else None,
        name=str(raw.get("name") or kind),
        start_ns=start_ns,
        end_ns=required_ns(raw.get("endTime"), "endTime") if raw.get("endTime") else never_ended,
        attributes=MappingProxyType(
            {name: value for name, value in _attributes(raw, kind) if value is not None}
        ),
        status=StatusCode.ERROR if raw.get("level") == "ERROR" else StatusCode.UNSET,
        status_message=str(raw.get("statusMessage") or ""),
    )


def _attributes(raw: Raw, kind: str) -> Iterator[tuple[str, AttributeValue]]:
    """What its own OpenTelemetry exporter would have written."""
    yield _TYPE, kind
    yield _MODEL, raw.get("model") or raw.get("providedModelName")
    yield semconv.LANGFUSE_USAGE, raw.get("usageDetails") or raw.get("usage")
    yield semconv.LANGFUSE_FIRST_TOKEN, raw.get("completionStartTime")
    metadata = raw.get("metadata")
    yield _FINISH_REASON, metadata.get("finish_reason") if isinstance(metadata, dict) else None


def _hex_id(text: str, digits: int) -> str:
    plain = text.replace("-", "").lower()
    is_hex = re.fullmatch(rf"[0-9a-f]{{{digits}}}", plain) is not None and plain.strip("0") != ""
    if is_hex:
        return plain
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()[:digits]


def _camel_case(raw: Raw) -> Raw:
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): value for key, value in raw.items()}
