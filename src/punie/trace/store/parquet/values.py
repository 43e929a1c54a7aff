"""Attributes and events of a row in Parquet, in any of the forms in which writers put them.

| column | holds |
| --- | --- |
| attributes | a map, a struct, or the JSON text of an object |
| `events`, `Events` | a list of structs or maps with name, time and attributes, or its JSON text |
| `Events.Timestamp`, `Events.Name`, `Events.Attributes` | lists side by side, of the Collector's ClickHouse exporter |

The time of an event is in nanoseconds or a timestamp. What is in no such form is counted, never dropped in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Event
from punie.trace.store.otlp.values import Unreadable, attributes_of
from punie.trace.store.timestamps import timestamp_ns

UNREAD_EVENTS: Final = "unread-events"
_TIMES: Final = ("time_unix_nano", "timeunixnano", "time_ns", "timestamp", "time")

Row = Mapping[str, Any]


@dataclass(slots=True)
class EventReader:
    """Reads the events of rows, and counts those that it could not read."""

    unread: int = 0

    def read(self, row: Row) -> tuple[Event, ...]:
        """The events of a row of our names."""
        found: list[Event] = []
        for raw in _raw_events(row):
            event = self._event(raw)
            if event is None:
                self.unread += 1
            else:
                found.append(event)
        return tuple(found)

    def _event(self, raw: object) -> Event | None:
        if not isinstance(raw, dict):
            return None
        fields = {str(key).lower(): value for key, value in raw.items()}
        at_ns = timestamp_ns(next((fields[name] for name in _TIMES if fields.get(name) is not None), None))
        if at_ns is None or not isinstance(fields.get("name"), str):
            return None
        attributes = fields.get("attributes")
        try:
            read = attributes_of(attributes) if isinstance(attributes, list) else plain_attributes(attributes)
        except Unreadable:
            return None
        return Event(fields["name"], at_ns, read)


def _raw_events(row: Row) -> Iterator[object]:
    """An object each; what is no event stays what it is."""
    if "event_names" in row or "event_times" in row:
        names, times = row.get("event_names") or (), row.get("event_times") or ()
        attributes = row.get("event_attributes") or ()
        for place in range(max(len(names), len(times))):
            columns = {"name": names, "time": times, "attributes": attributes}
            yield {name: column[place] for name, column in columns.items() if place < len(column)}
    yield from listed(row.get("events"))


def listed(value: object) -> Sequence[object]:
    """A list, or the JSON text of one; what is neither is its only member, nothing has none."""
    if not value:
        return ()
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        found = value
    return found if isinstance(found, list) else () if found is None else (found,)


def plain_attributes(value: object, name: str = "attributes") -> Attributes:
    """A map, a struct, or the JSON text of an object. Struct fields without a value are left out.

    Raises `Unreadable`, with the column's `name`, for anything else.
    """
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"{name} are no JSON: {error}") from error
    if not value:
        return NO_ATTRIBUTES
    if not isinstance(value, dict):
        raise Unreadable(f"{name} are neither a map nor an object")
    return MappingProxyType({str(key): _value(item) for key, item in value.items() if item is not None})


def _value(value: object) -> AttributeValue:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return tuple(_value(item) for item in value)
    if isinstance(value, dict):
        return MappingProxyType({str(key): _value(item) for key, item in value.items()})
    return str(value)
