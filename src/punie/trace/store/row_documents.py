"""The rows that a document of JSON holds, however a backend packs them into its answers and exports.

| how | of |
| --- | --- |
| lists and objects in `hits`, `data`, `runs` and so on; the only field of an object | most |
| the object in `_source`, or in `attributes` beside a `type` | Elasticsearch, Datadog |
| names of columns in one list, cells in others | Azure, ES|QL, ClickHouse's JSONCompact |
| rows in the `child_runs` of rows | LangSmith |
| a `trace` beside its `spans`, which is around those without a parent | Opik |
| fields in groups: `trace.id`, `metrics.start`, `span_data.usage` | Elastic APM, Braintrust, Weave, OpenAI |
| attributes as lists of `Key` and `Value` | OpenTelemetry's SDK for Go |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from punie.trace.store.otlp.values import any_value
from punie.trace.store.row_names import Raw, is_row

_CONTAINERS: Final = (
    *("hits", "data", "results", "rows", "spans", "traces", "events"),
    *("runs", "calls", "content", "tables", "items"),
)
_COLUMNS: Final = ("columns", "meta", "fields")
_CELLS: Final = ("rows", "values", "data")
_CHILDREN: Final = "child_runs"
_DEEPEST: Final = 8
_ELASTIC_GROUPS: Final = ("trace", "span", "transaction", "parent", "timestamp", "event", "service")
_CLOUD_TRACE: Final = re.compile(r"projects/[^/]+/traces/([0-9a-f]{32})/spans/([0-9a-f]{16})")


def rows_in(document: object, depth: int = 0) -> Iterator[object]:
    """The rows of a document: itself, or what it holds; what is in no form that is known is given as it is."""
    if depth > _DEEPEST or not isinstance(document, dict | list):
        yield document
    elif isinstance(document, list):
        for one in document:
            yield from rows_in(one, depth + 1)
    else:
        yield from _rows_in_object(document, depth)


def _rows_in_object(document: Raw, depth: int) -> Iterator[object]:
    row = _as_row(document)
    if row is not None:
        yield row
        yield from _below(row, depth)
        return
    inside = _inside(document)
    if inside is None:
        yield document
        return
    of_trace = {"traceId": document["traceId"]} if "traceId" in document else {}
    for one in rows_in(inside, depth + 1):
        yield {**of_trace, **one} if isinstance(one, dict) else one


def _as_row(document: Raw) -> Raw | None:
    if is_row(document):
        return document
    return next((row for shape in _SHAPES if (row := shape(document)) is not None and is_row(row)), None)


def _below(row: Raw, depth: int) -> Iterator[object]:
    for child in row.get(_CHILDREN) or () if isinstance(row.get(_CHILDREN), list) else ():
        yield from rows_in(child, depth + 1)


def _inside(document: Raw) -> object:
    """What holds the rows of an object that is none; None if nothing does."""
    trace, spans = document.get("trace"), document.get("spans")
    if isinstance(trace, dict) and isinstance(spans, list):
        return _with_the_trace(trace, spans)
    table = _table(document)
    if table is not None:
        return table
    held = (document[key] for key in ("_source", *_CONTAINERS) if isinstance(document.get(key), list | dict))
    (only,) = document.values() if len(document) == 1 else (None,)
    return next(held, only if isinstance(only, list | dict) else None)


def _with_the_trace(trace: Raw, spans: Sequence[Any]) -> Sequence[object]:
    """A trace that has an id of its own, as the row around the spans that have no parent."""
    around = {**trace, "trace_id": trace.get("id")}
    if not is_row(around):
        return spans
    parent = "parent_span_id"
    return [
        around,
        *({**one, parent: one.get(parent) or trace["id"]} for one in spans if isinstance(one, dict)),
    ]


def _table(document: Raw) -> Sequence[object] | None:
    """Rows whose columns are named apart from their cells."""
    columns = next((document[key] for key in _COLUMNS if isinstance(document.get(key), list)), None)
    if not columns:
        return None
    names = [str(one.get("name")) if isinstance(one, dict) else str(one) for one in columns]
    cells = (document.get(key) for key in _CELLS)
    rows = next(
        (rows for rows in cells if isinstance(rows, list) and rows and isinstance(rows[0], list)), None
    )
    if rows is None:
        return None
    return [dict(zip(names, one, strict=False)) if isinstance(one, list) else one for one in rows]


def _of_json_api(document: Raw) -> Raw | None:
    """Datadog's answers."""
    attributes = document.get("attributes")
    return attributes if isinstance(attributes, dict) and "type" in document else None


def _of_elastic_apm(document: Raw) -> Raw | None:
    """`{"trace": {"id": …}, "span": {"duration": {"us": …}}}`; a span names its transaction, too."""
    if not isinstance(document.get("trace"), dict):
        return None
    groups = {name: document[name] for name in _ELASTIC_GROUPS if isinstance(document.get(name), dict)}
    if "span" in groups:
        groups.pop("transaction", None)
    flat = dict(_flat(groups))
    flat["id"] = flat.get("span.id", flat.get("transaction.id"))
    return {**flat, **{name: value for name, value in document.items() if name not in _ELASTIC_GROUPS}}


def _flat(groups: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in groups.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _of_braintrust(document: Raw) -> Raw | None:
    """Times among the metrics, in seconds; the root's id is the trace's."""
    attributes, metrics, parents = (
        document.get(name) for name in ("span_attributes", "metrics", "span_parents")
    )
    if not isinstance(attributes, dict) or not isinstance(metrics, dict):
        return None
    metadata, kind = document.get("metadata"), attributes.get("type")
    return {
        "trace_id": document.get("root_span_id"),
        "span_id": document.get("span_id"),
        "parent_id": parents[0] if isinstance(parents, list) and parents else None,
        "name": attributes.get("name"),
        "start_time": metrics.get("start"),
        "end_time": metrics.get("end"),
        "type": None if kind == "function" else kind,  # any function; what a model calls is a tool
        "braintrust.metrics": {
            name: value for name, value in metrics.items() if name not in ("start", "end")
        },
        "braintrust.metadata.model": metadata.get("model") if isinstance(metadata, dict) else None,
        "error": bool(document.get("error")),
    }


def _of_weave(document: Raw) -> Raw | None:
    """A call's counts by model, which its callers' sums follow: the model's own call has a kind for it, since 2025.

    Without kinds the counts stand without a model: what only they report is a call where nothing below it counts.
    """
    if "op_name" not in document or "started_at" not in document:
        return None
    kind = _in(document, "attributes", "weave", "kind")
    usage = _in(document, "summary", "usage") if kind in ("llm", None) else None
    model, counts = next(iter(usage.items()), (None, None)) if isinstance(usage, dict) else (None, None)
    op_name = str(document["op_name"]).rpartition("/")[2].partition(":")[0]
    return {
        "trace_id": document.get("trace_id"),
        "span_id": document.get("id"),
        "parent_id": document.get("parent_id"),
        "name": document.get("display_name") or op_name,
        "start_time": document["started_at"],
        "end_time": document.get("ended_at"),
        "type": kind,
        "gen_ai.request.model": model if kind else None,
        "gen_ai.usage": counts,
        "error": bool(document.get("exception")),
    }


def _of_openai_agents(document: Raw) -> Raw | None:
    """What the spans of OpenAI's Agents SDK export to a processor of their own."""
    data = document.get("span_data")
    if not isinstance(data, dict) or document.get("object") != "trace.span":
        return None
    ids = (document.get(name) for name in ("trace_id", "id", "parent_id"))
    trace, span, parent = (str(one).rpartition("_")[2] if one else None for one in ids)
    return {
        "trace_id": trace,
        "span_id": span,
        "parent_id": parent,
        "name": data.get("name") or data.get("type"),
        "start_time": document.get("started_at"),
        "end_time": document.get("ended_at"),
        "type": data.get("type"),
        "gen_ai.request.model": data.get("model"),
        "usage": data.get("usage"),
        "error": bool(document.get("error")),
    }


def _of_cloud_trace(document: Raw) -> Raw | None:
    """What is written to Google's Cloud Trace, version 2: ids in the name, a type around each value."""
    match = _CLOUD_TRACE.fullmatch(str(document.get("name")))
    if match is None:
        return None
    attributes = _in(document, "attributes", "attributeMap")
    values = (
        {}
        if not isinstance(attributes, dict)
        else {
            name: any_value(_in(value, "stringValue", "value") or value) for name, value in attributes.items()
        }
    )
    named = {"trace_id": match[1], "span_id": match[2], "name": _in(document, "displayName", "value")}
    return {
        **document,
        **named,
        "attributes": {name: value for name, value in values.items() if value is not None},
    }


def _of_go(document: Raw) -> Raw | None:
    """What OpenTelemetry's SDK for Go prints (`stdouttrace`)."""
    context = document.get("SpanContext")
    if not isinstance(context, dict) or "StartTime" not in document:
        return None
    return {
        "trace_id": context.get("TraceID"),
        "span_id": context.get("SpanID"),
        "parent_id": _in(document, "Parent", "SpanID"),
        "name": document.get("Name"),
        "start_time": document["StartTime"],
        "end_time": document.get("EndTime"),
        "kind": document.get("SpanKind"),
        "status_code": _in(document, "Status", "Code"),
        "status_message": _in(document, "Status", "Description"),
        "attributes": _go_values(document.get("Attributes")),
        "resource": _go_values(document.get("Resource")),
        "scope": _in(document, "InstrumentationScope", "Name")
        or _in(document, "InstrumentationLibrary", "Name"),
        "events": [
            {**event, "attributes": _go_values(event.get("Attributes"))}
            for event in _listed(document.get("Events"))
            if isinstance(event, dict)
        ],
        "links": [_in(link, "SpanContext") for link in _listed(document.get("Links"))],
        **{f"dropped_{what.lower()}_count": document.get(f"Dropped{what}") for what in _GO_DROPS},
    }


_GO_DROPS: Final = ("Attributes", "Events", "Links")


def _listed(raw: object) -> Sequence[Any]:
    return raw if isinstance(raw, list) else ()


def _go_values(raw: object) -> Raw:
    pairs = [one for one in _listed(raw) if isinstance(one, dict)]
    return {str(one.get("Key")): _in(one, "Value", "Value") for one in pairs}


def _in(document: Any, *names: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    found: Any = document
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


_SHAPES: Final[tuple[Callable[[Raw], Raw | None], ...]] = (
    _of_json_api,
    _of_elastic_apm,
    _of_braintrust,
    _of_weave,
    _of_openai_agents,
    _of_cloud_trace,
    _of_go,
)
