"""AWS X-Ray's segments: each a document, alone or as `BatchGetTraces` gives them, with their subsegments in them.

Times are seconds with a fraction. A trace's id is `1-`, eight digits and 24 more. Attributes are the annotations and
what each namespace of the metadata holds; annotations have `_` in place of points.
Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from punie.trace.model import Span
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import TimeUnit, Unreadable, objects
from punie.trace.store.parquet.reader import span_of
from punie.trace.store.parquet.values import EventReader
from punie.trace.store.row_names import our_row
from punie.trace.store.source import JsonFormat

_TRACE: Final = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_HTTP: Final = (
    ("request", "method", "http.request.method"),
    ("request", "url", "url.full"),
    ("response", "status", "http.response.status_code"),
)
_FAULTS: Final = ("fault", "error", "throttle")

Raw = Mapping[str, Any]


def recognises(document: object) -> bool:
    """Whether it is a segment, a list of some, or an answer with traces of them."""
    if isinstance(document, list):
        return bool(document) and recognises(document[0])
    if not isinstance(document, dict):
        return False
    return isinstance(document.get("Traces"), list) or (
        {"id", "name", "start_time"} <= document.keys()
        and _TRACE.fullmatch(str(document.get("trace_id"))) is not None
    )


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give a span for every segment and subsegment to `into`; their clock step is a microsecond."""
    into.resolution_ns = max(into.resolution_ns, TimeUnit.MICROSECONDS)
    for segment in _segments(document):
        _take(segment, str(segment.get("trace_id")), segment.get("parent_id"), line, into)


XRAY_JSON: Final = JsonFormat("AWS X-Ray's segments", recognises, read)


def _segments(document: object) -> Iterator[Raw]:
    if isinstance(document, list):
        for one in document:
            yield from _segments(one)
    elif isinstance(document, dict) and isinstance(document.get("Traces"), list):
        for trace in objects(document["Traces"], "Traces"):
            for segment in objects(trace.get("Segments"), "Segments"):
                yield from _segments(_parsed(segment))
    elif isinstance(document, dict):
        yield document
    else:
        raise Unreadable("is no segment")


def _parsed(segment: Raw) -> object:
    text = segment.get("Document")
    try:
        return json.loads(text or "")
    except (TypeError, ValueError, RecursionError) as error:
        raise Unreadable(f"a segment's document is no JSON: {error}") from error


def _take(segment: Raw, trace: str, parent: object, line: int, into: SpanGatherer) -> None:
    into.take(line, "segment", partial(_span, segment, trace, parent))
    for below in objects(segment.get("subsegments"), "subsegments"):
        _take(below, trace, segment.get("id"), line, into)


def _span(segment: Raw, trace: str, parent: object) -> Span:
    match = _TRACE.fullmatch(trace)
    row = {
        "trace_id": "".join(match.groups()) if match else trace,
        "span_id": segment.get("id"),
        "parent_id": parent,
        "name": segment.get("name"),
        "start_time": segment.get("start_time"),
        "end_time": segment.get("end_time"),
        "attributes": dict(_attributes(segment)),
        "success": not any(segment.get(fault) is True for fault in _FAULTS),
    }
    return span_of(our_row(row), EventReader())


def _attributes(segment: Raw) -> Iterator[tuple[str, object]]:
    for held in (segment.get("annotations"), *_objects(segment.get("metadata")).values()):
        yield from _objects(held).items()
    http = _objects(segment.get("http"))
    yield from ((name, _objects(http.get(part)).get(field)) for part, field, name in _HTTP)


def _objects(value: object) -> Raw:
    return value if isinstance(value, dict) else {}
