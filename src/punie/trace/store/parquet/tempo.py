"""Rows of Tempo's Parquet blocks (vParquet2 to 4) as spans: a row is a trace, with lists of lists in it.

What stands in columns of its own (the service's name, an HTTP method) becomes the attribute that it was. Of dedicated
columns the block doesn't tell the names (`meta.json` beside it does): they are counted. Known from Tempo's source
(`tempodb/encoding/vparquet{2,3,4}/schema.go`), not from blocks of a Tempo that ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Attributes, AttributeValue, Event, Span
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.losses import note_losses
from punie.trace.store.otlp.values import (
    Unreadable,
    linked_traces,
    parent_id,
    span_id,
    span_kind,
    status_code,
    time_ns,
    trace_id,
)

COLUMNS: Final = ("TraceID", "rs")
UNREAD_ATTRIBUTES: Final = "unread-attributes"
_VALUES: Final = (
    "Value",
    "ValueInt",
    "ValueDouble",
    "ValueBool",
    "ValueArray",
    "ValueKVList",
    "ValueUnsupported",
)
_RESOURCE_COLUMNS: Final = MappingProxyType(
    {
        "ServiceName": semconv.SERVICE_NAME,
        "Cluster": "cluster",
        "Namespace": "namespace",
        "Pod": "pod",
        "Container": "container",
        "K8sClusterName": "k8s.cluster.name",
        "K8sNamespaceName": "k8s.namespace.name",
        "K8sPodName": "k8s.pod.name",
        "K8sContainerName": "k8s.container.name",
    }
)
_SPAN_COLUMNS: Final = MappingProxyType(
    {
        "HttpMethod": semconv.HTTP_METHOD[1],
        "HttpUrl": semconv.URL_FULL[1],
        "HttpStatusCode": semconv.HTTP_STATUS[1],
    }
)

Raw = Mapping[str, Any]


def is_tempo(names: Sequence[str]) -> bool:
    """Whether a file with columns of these `names` is a block of Tempo's."""
    return all(name in names for name in COLUMNS)


def read_trace(trace: bytes, resources: Sequence[Raw], row: int, into: SpanGatherer) -> None:
    """Give every span of one row to `into`."""
    for i, of_resource in enumerate(resources or ()):
        raw_resource = of_resource.get("Resource") or {}
        resource = _attributes(raw_resource, _RESOURCE_COLUMNS)
        _note_dedicated(into, raw_resource)
        for j, of_scope in enumerate(of_resource.get("ss") or ()):
            scope = str((of_scope.get("Scope") or {}).get("Name") or "")
            for k, raw in enumerate(of_scope.get("Spans") or ()):
                into.take(row, f"rs[{i}].ss[{j}].Spans[{k}]", partial(_span, trace, raw, resource, scope))
                _note_dedicated(into, raw)
                note_losses(into, {f"{key[0].lower()}{key[1:]}": value for key, value in raw.items()})


def _span(trace: bytes, raw: Raw, resource: Attributes, scope: str) -> Span:
    start_ns = time_ns(raw.get("StartTimeUnixNano"), "StartTimeUnixNano")
    if raw.get("DurationNano") is None:
        raise Unreadable("no DurationNano")
    return Span(
        trace_id=trace_id(trace.hex(), "TraceID"),
        span_id=span_id((raw.get("SpanID") or b"").hex(), "SpanID"),
        parent_id=parent_id((raw.get("ParentSpanID") or b"").hex(), "ParentSpanID"),
        name=str(raw.get("Name") or ""),
        start_ns=start_ns,
        end_ns=time_ns(start_ns + int(raw["DurationNano"]), "StartTimeUnixNano + DurationNano"),
        kind=span_kind(raw.get("Kind")),
        attributes=_attributes(raw, _SPAN_COLUMNS),
        status=status_code(raw.get("StatusCode")),
        status_message=str(raw.get("StatusMessage") or ""),
        events=tuple(_event(event, start_ns) for event in raw.get("Events") or ()),
        resource=resource,
        scope=scope,
        linked=linked_traces(raw.get("Links"), trace),
    )


def _event(raw: Raw, start_ns: int) -> Event:
    since_ns = raw.get("TimeSinceStartNano")
    at_ns = int(raw.get("TimeUnixNano") or 0) if since_ns is None else start_ns + int(since_ns)
    return Event(str(raw.get("Name") or ""), at_ns)


def _attributes(owner: Raw, columns: Mapping[str, str]) -> Attributes:
    own = {name: owner[column] for column, name in columns.items() if owner.get(column) not in (None, "")}
    listed = {str(raw["Key"]): value for raw in owner.get("Attrs") or () for value in _value(raw)}
    return MappingProxyType({**own, **listed})


def _value(raw: Raw) -> Iterator[AttributeValue]:
    """The first value that is there: one, or a list, whose only member it is where it is no array."""
    for name in _VALUES:
        value = raw.get(name)
        if isinstance(value, list) and value:
            yield tuple(value) if raw.get("IsArray") else value[0]
            return
        if value is not None and not isinstance(value, list):
            yield value
            return


def _note_dedicated(into: SpanGatherer, owner: Raw) -> None:
    dedicated = owner.get("DedicatedAttributes") or {}
    count = sum(value not in (None, []) for value in dedicated.values())
    into.note(UNREAD_ATTRIBUTES, "dedicated columns of Tempo", count)
