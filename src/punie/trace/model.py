"""The words of the project as types: spans as we read them, phases, groups, provenance.

Frozen values only. Times are integer nanoseconds since the Unix epoch, ids lower-case hex.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

AttributeValue = str | bool | int | float | Sequence["AttributeValue"] | Mapping[str, "AttributeValue"] | None
Attributes = Mapping[str, AttributeValue]
NO_ATTRIBUTES: Final[Attributes] = MappingProxyType({})


class SpanKind(IntEnum):
    """OTLP's span kinds, with OTLP's numbers."""

    __hash__ = int.__hash__  # Enum's own is Python, and shapes of spans are looked up by it

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """OTLP's status codes, with OTLP's numbers."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Event(msgspec.Struct, frozen=True):
    """Something that happened at one instant of a span."""

    name: str
    time_ns: int
    attributes: Attributes = NO_ATTRIBUTES


class Span(msgspec.Struct, frozen=True, gc=False):
    """One span as a source recorded it: nothing mended, nothing clipped.

    `end_ns` may lie before `start_ns` (a broken clock) and is 0 if the span never ended.
    `parent_id` is None for a root. `resource` are the attributes of the process that made it. `linked` are the ids of
    the other traces that its links lead to.

    A struct and no dataclass: there are millions, made four times as fast, and the garbage collector passes them by.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Attributes = NO_ATTRIBUTES
    status: StatusCode = StatusCode.UNSET
    status_message: str = ""
    events: tuple[Event, ...] = ()
    resource: Attributes = NO_ATTRIBUTES
    scope: str = ""
    linked: tuple[str, ...] = ()

    @property
    def duration_ns(self) -> int:
        """`end_ns - start_ns`; negative for an inverted span."""
        return self.end_ns - self.start_ns


class Group(StrEnum):
    """What a user can act on; each phase belongs to one."""

    __hash__ = str.__hash__  # Enum's own is Python, and there is one for each look into a mapping

    GENERATION = "generation"
    SERVER = "server"
    FRAMEWORK = "framework"
    NETWORK = "network"
    TOOL = "tool"


class Phase(StrEnum):
    """What an instant was spent on, in order of precedence: of several open spans, the first wins."""

    __hash__ = str.__hash__

    DECODE = "decode"
    PREFILL = "prefill"
    MODEL = "model"
    QUEUE = "queue"
    TEMPLATE = "template"
    PARSE = "parse"
    SERVE = "serve"
    RETRY = "retry"
    HTTP = "http"
    TOOL = "tool"
    FRAMEWORK = "framework"


PHASES: Final[tuple[Phase, ...]] = tuple(Phase)
PHASE_RANK: Final[Mapping[Phase, int]] = MappingProxyType({phase: rank for rank, phase in enumerate(PHASES)})
PHASE_GROUP: Final[Mapping[Phase, Group]] = MappingProxyType(
    {
        Phase.DECODE: Group.GENERATION,
        Phase.PREFILL: Group.GENERATION,
        Phase.MODEL: Group.GENERATION,
        Phase.QUEUE: Group.SERVER,
        Phase.TEMPLATE: Group.SERVER,
        Phase.PARSE: Group.FRAMEWORK,
        Phase.SERVE: Group.SERVER,
        Phase.RETRY: Group.NETWORK,
        Phase.HTTP: Group.NETWORK,
        Phase.TOOL: Group.TOOL,
        Phase.FRAMEWORK: Group.FRAMEWORK,
    }
)


PHASES_OF_GROUP: Final[Mapping[Group, tuple[Phase, ...]]] = MappingProxyType(
    {group: tuple(phase for phase in PHASES if PHASE_GROUP[phase] is group) for group in Group}
)


class Provenance(StrEnum):
    """How a phase is known.

    `server`: a span made in the server's process. `client`: a span made in the agent's process.
    `stream`: read off the response stream. `body`: timings in the response body.
    `inferred`: request sent to last byte, of a server that we can't see into.
    """

    __hash__ = str.__hash__

    SERVER = "server"
    CLIENT = "client"
    STREAM = "stream"
    BODY = "body"
    INFERRED = "inferred"


class Disturbance(StrEnum):
    """What kept a query's times from counting: what an earlier query had left running, or the clock."""

    SERVER_WORK = "server-work"
    """The server's work on a query that was given up."""
    TOOL_THREAD = "tool-thread"
    """A tool's thread, which nobody can stop."""
    CLOCK_STEP = "clock-step"
    """The wall clock, from which all times come, was set while the query was asked."""


class Verdict(StrEnum):
    """A finding's answer. `undecided` is an answer too: the evidence doesn't reach."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


class UnreadableRecord(msgspec.Struct, frozen=True):
    """A line or an item that a reader could not turn into a span: counted and named, never dropped in silence."""

    file: str
    line: int
    reason: str


class SourceNote(msgspec.Struct, frozen=True):
    """What a reader says of its source beside the records that it could not read.

    `slug` is integrity's, `count` how many times `case` was met.
    """

    slug: str
    case: str
    count: int = 1


class SpanSet(msgspec.Struct, frozen=True):
    """What a source gave: its spans in the order read (duplicates included) and what could not be read.

    `resolution_ns` is the clock step of the source's format: 1 for OTLP, 1000 for Jaeger's old JSON.
    """

    spans: tuple[Span, ...]
    unreadable: tuple[UnreadableRecord, ...] = ()
    resolution_ns: int = 1
    notes: tuple[SourceNote, ...] = ()
