"""The few protobuf messages of a Perfetto trace that we write, field by field.

Numbers and types are those of `protos/perfetto/trace/` in Perfetto's repository (`trace_packet.proto`,
`track_event/track_event.proto`, `track_descriptor.proto`, `counter_descriptor.proto`, `debug_annotation.proto`). They
never change there: old traces must stay readable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_MASK = (1 << 64) - 1
SEQUENCE = 1
"""All packets come from one writer."""


class EventType(IntEnum):
    """`TrackEvent.Type`."""

    SLICE_BEGIN = 1
    SLICE_END = 2
    COUNTER = 4


class CounterUnit(IntEnum):
    """`CounterDescriptor.Unit`."""

    COUNT = 2
    BYTES = 3


def process_track(uuid: int, number: int, name: str) -> bytes:
    """The packet of a process; `number` stands for its id, which must be one of its own."""
    process = _integer(1, number) + _text(6, name)
    return _packet(_message(60, _integer(1, uuid) + _message(3, process)))


def lane_track(uuid: int, parent: int, name: str) -> bytes:
    """The packet of a track below a process."""
    return _packet(_message(60, _integer(1, uuid) + _integer(5, parent) + _text(2, name)))


def counter_track(uuid: int, parent: int, name: str, unit: CounterUnit) -> bytes:
    """The packet of a counter below a process."""
    counter = _message(8, _integer(3, unit))
    return _packet(_message(60, _integer(1, uuid) + _integer(5, parent) + _text(2, name) + counter))


def slice_begin(
    time_ns: int,
    track: int,
    name: str,
    category: str,
    notes: Iterable[tuple[str, str | int]] = (),
    *,
    flow_from: int = 0,
    flow_to: int = 0,
) -> bytes:
    """A slice begins. `flow_from` is the id of a flow that leaves it, `flow_to` of one that ends in it; 0: none."""
    event = _integer(9, EventType.SLICE_BEGIN) + _integer(11, track) + _text(23, name) + _text(22, category)
    event += b"".join(_message(4, _note(key, value)) for key, value in notes)
    event += _fixed(47, flow_from) if flow_from else b""
    event += _fixed(48, flow_to) if flow_to else b""
    return _event(time_ns, event)


def slice_end(time_ns: int, track: int) -> bytes:
    """The innermost open slice of a track ends."""
    return _event(time_ns, _integer(9, EventType.SLICE_END) + _integer(11, track))


def counter_value(time_ns: int, track: int, value: int) -> bytes:
    """A counter has this value from now on."""
    return _event(time_ns, _integer(9, EventType.COUNTER) + _integer(11, track) + _integer(30, value))


def _note(name: str, value: str | int) -> bytes:
    """A `DebugAnnotation`."""
    return _text(10, name) + (_text(6, value) if isinstance(value, str) else _integer(4, value))


def _event(time_ns: int, event: bytes) -> bytes:
    return _packet(_integer(8, time_ns) + _message(11, event))


def _packet(fields: bytes) -> bytes:
    """One `TracePacket` of the `Trace`."""
    return _message(1, fields + _integer(10, SEQUENCE))


def _message(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _integer(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value & _MASK)


def _fixed(field: int, value: int) -> bytes:
    return _key(field, _FIXED64) + struct.pack("<Q", value)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
