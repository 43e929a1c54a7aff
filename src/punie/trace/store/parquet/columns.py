"""The columns of a Parquet file of spans: what we read, and under which names writers put it.

| what | names | holds |
| --- | --- | --- |
| trace id | `trace_id`, `TraceId`, `traceId` | hex text or bytes |
| span id | `span_id`, `SpanId`, `spanId` | hex text or bytes |
| parent | `parent_id`, `parent_span_id`, `ParentSpanId`, `parentSpanId` | as span id; NULL or empty for a root |
| name | `name`, `span_name`, `SpanName` | text |
| start | `start_ns`, `start_time_unix_nano`, `startTimeUnixNano`, `start_time`, `Timestamp` | ns, or a timestamp |
| end | `end_ns`, `end_time_unix_nano`, `endTimeUnixNano`, `end_time` | as start |
| or duration | `duration_ns`, `Duration` | ns; below 0 where an unsigned one has 2^64 more, as in ClickHouse |
| kind* | `kind`, `span_kind`, `SpanKind` | OTLP's number or name |
| status* | `status_code`, `StatusCode` | OTLP's number or name |
| status message* | `status_message`, `StatusMessage` | text |
| attributes* | `attributes`, `span_attributes`, `SpanAttributes` | map, struct, or JSON text of an object |
| resource* | `resource`, `resource_attributes`, `ResourceAttributes` | as attributes |
| service* | `service_name`, `ServiceName` | text, where the resource doesn't say it |
| scope* | `scope`, `scope_name`, `ScopeName` | text |
| events* | see `parquet_values` | |
| links* | `Links.TraceId`, `links`, `Links`, `span_links` | trace ids, or structs or JSON objects that have one |

Those with a star may be missing. Files with other columns are read as `row_names` reads rows.
The names in capitals are those of the Collector's ClickHouse exporter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from punie.trace.errors import InputError

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "trace_id": ("trace_id", "TraceId", "traceId"),
        "span_id": ("span_id", "SpanId", "spanId"),
        "parent_id": ("parent_id", "parent_span_id", "ParentSpanId", "parentSpanId"),
        "name": ("name", "span_name", "SpanName"),
        "start": ("start_ns", "start_time_unix_nano", "startTimeUnixNano", "start_time", "Timestamp"),
        "end": ("end_ns", "end_time_unix_nano", "endTimeUnixNano", "end_time"),
        "duration": ("duration_ns", "Duration"),
        "kind": ("kind", "span_kind", "SpanKind"),
        "status": ("status_code", "StatusCode"),
        "status_message": ("status_message", "StatusMessage"),
        "attributes": ("attributes", "span_attributes", "SpanAttributes"),
        "resource": ("resource", "resource_attributes", "ResourceAttributes"),
        "service": ("service_name", "ServiceName"),
        "scope": ("scope", "scope_name", "ScopeName"),
        "events": ("events", "Events"),
        "event_times": ("Events.Timestamp",),
        "event_names": ("Events.Name",),
        "event_attributes": ("Events.Attributes",),
        "links": ("Links.TraceId", "links", "Links", "span_links"),
    }
)
_NEEDED: Final = ("trace_id", "span_id", "parent_id", "name", "start")
_TIMES: Final = ("start", "end")
_MICROSECOND_NS: Final = 1_000
_UNSIGNED: Final = 2**64
_INTEGERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


@dataclass(frozen=True, slots=True)
class Columns:
    """What to select, by our names, of which types it is, and the clock step of the times in nanoseconds."""

    expressions: Mapping[str, str]
    kinds: Mapping[str, str]
    resolution_ns: int

    @property
    def names(self) -> tuple[str, ...]:
        """Our names, in the order of the selection."""
        return tuple(self.expressions)

    @property
    def selection(self) -> str:
        """The SQL between SELECT and FROM."""
        return ", ".join(self.expressions.values())


def choose_columns(types: Mapping[str, str], file: str) -> Columns:
    """The columns of a file whose columns have `types`. Raises `InputError` that names what is missing or wrong."""
    found = {ours: _present(names, types) for ours, names in NAMES.items()}
    for ours in _NEEDED:
        if found[ours] is None:
            raise _missing(file, NAMES[ours], types)
    if found["end"] is None and found["duration"] is None:
        raise _missing(file, NAMES["end"] + NAMES["duration"], types)
    chosen = {ours: theirs for ours, theirs in found.items() if theirs is not None}
    steps = [_step_ns(file, chosen[ours], types[chosen[ours]]) for ours in _TIMES if ours in chosen]
    return Columns(
        MappingProxyType({ours: _expression(ours, theirs, types[theirs]) for ours, theirs in chosen.items()}),
        MappingProxyType({ours: types[theirs] for ours, theirs in chosen.items()}),
        max(steps),
    )


def all_columns(types: Mapping[str, str], file: str) -> Columns:
    """Every column of a file whose columns have `types`, by its own name; timestamps are nanoseconds."""
    times = [name for name, kind in types.items() if kind.startswith("TIMESTAMP")]
    return Columns(
        MappingProxyType({name: _plain(name, kind) for name, kind in types.items()}),
        MappingProxyType(dict(types)),
        max((_step_ns(file, name, types[name]) for name in times), default=1),
    )


def _plain(name: str, kind: str) -> str:
    """A column that Python holds without losing anything of it: its `datetime` has no nanoseconds."""
    quoted = _quoted(name)
    if kind.startswith("TIMESTAMP"):
        return f"epoch_ns({quoted})"
    if kind == "UUID":
        return f"{quoted}::VARCHAR"
    return f"to_json({quoted})" if "TIMESTAMP" in kind else quoted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _present(names: tuple[str, ...], types: Mapping[str, str]) -> str | None:
    return next((name for name in names if name in types), None)


def _missing(file: str, names: tuple[str, ...], types: Mapping[str, str]) -> InputError:
    return InputError(
        f"{file}: has no column {names[0]}",
        remedy=f"Name one of its columns {', '.join(names)}; it has {', '.join(types) or 'none'}.",
    )


INTEGERS: Final = frozenset(f"{sign}{name}" for sign in ("", "U") for name in _INTEGERS)
"""DuckDB's names of whole numbers."""


def _step_ns(file: str, column: str, kind: str) -> int:
    if kind.startswith("TIMESTAMP"):
        return 1 if kind.endswith("_NS") else _MICROSECOND_NS  # DuckDB reads milliseconds as microseconds
    if kind in INTEGERS:
        return 1
    raise InputError(
        f"{file}: column {column} is {kind}: neither whole nanoseconds nor a timestamp",
        remedy="Write it as a timestamp, or as nanoseconds in whole numbers.",
    )


def _expression(ours: str, theirs: str, kind: str) -> str:
    quoted = _quoted(theirs)
    is_timestamp = kind.startswith("TIMESTAMP")
    match ours:
        case "start" | "end" if is_timestamp:
            return f"epoch_ns({quoted})"
        case "event_times" if is_timestamp:
            return f"[epoch_ns(t) for t in {quoted}]"
        case "duration" if kind == "UBIGINT":
            signed = f"({quoted}::HUGEINT - {_UNSIGNED})::BIGINT"
            return f"CASE WHEN {quoted} >= {_UNSIGNED // 2} THEN {signed} ELSE {quoted}::BIGINT END"
        case "events" if kind != "VARCHAR":
            return f"to_json({quoted})"  # Python's datetime has no nanoseconds
    return quoted
