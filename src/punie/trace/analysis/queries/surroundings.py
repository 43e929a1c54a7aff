"""What stands above and below each span: the facts of a tree that decide what a span's time was spent on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from enum import Flag, auto

from punie.trace import semconv
from punie.trace.analysis.queries.outlasting import outlasts
from punie.trace.analysis.trees.roles import (
    Role,
    ends_at_headers,
    may_ask_a_model,
    role_of,
    written_phase,
    written_provenance,
)
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import PHASE_GROUP, Group, Provenance, Span


class Below(Flag):
    """What is found below a span. Tools hide what is below them: their requests are their own."""

    NOTHING = 0
    CHAT = auto()
    REQUEST = auto()  # an HTTP span that may be a model's and isn't known to end before the last byte
    SERVER = auto()
    PHASE = auto()  # a span that names its phase
    GENERATION = auto()  # a span that names a phase of generation
    SERVED_GENERATION = auto()  # the same, made inside a server
    TOLD_GENERATION = auto()  # the same, by timings in the answer's body


class Inside(Flag):
    """What a span is inside of; of model calls and tools only the nearest counts."""

    NOTHING = 0
    CHAT = auto()
    TOOL = auto()
    HTTP = auto()


FINER_THAN_CHAT = Below.CHAT | Below.REQUEST | Below.SERVER | Below.GENERATION
FINER_THAN_SERVER = Below.SERVER | Below.PHASE | Below.CHAT


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Role, inside and below of every span of a forest."""

    role: Mapping[SpanKey, Role]
    inside: Mapping[SpanKey, Inside]
    below: Mapping[SpanKey, Below]
    lone: Set[SpanKey] = frozenset()
    """Server spans that generated an answer, in traces in which no client tells of a model call."""
    outlasting: Set[SpanKey] = frozenset()
    """Model calls that go on after the requests below them, with nothing else that tells what they waited for."""


def look_around(forest: Forest) -> Surroundings:
    """Walk each tree once down and once up."""
    role = {key: role_of(span) for key, span in forest.spans.items()}
    below = _below(forest, role)
    return Surroundings(
        role=role,
        inside=_inside(forest, role),
        below=below,
        lone=_lone_servers(forest, role, below),
        outlasting=_outlasting(forest, role, below),
    )


def _lone_servers(
    forest: Forest, role: Mapping[SpanKey, Role], below: Mapping[SpanKey, Below]
) -> Set[SpanKey]:
    told = {key[0] for key, one in role.items() if one is Role.CHAT}
    return {
        key
        for key, one in role.items()
        if one is Role.SERVER
        and key[0] not in told
        and Below.SERVER not in below[key]
        and (Below.GENERATION in below[key] or _counts_tokens(forest.spans[key]))
    }


def _outlasting(forest: Forest, role: Mapping[SpanKey, Role], below: Mapping[SpanKey, Below]) -> Set[SpanKey]:
    return {
        key
        for key, one in role.items()
        if one is Role.CHAT
        and below[key] & (Below.REQUEST | Below.SERVER)
        and not below[key] & (Below.CHAT | Below.GENERATION)
        and outlasts(forest.spans[key], _requests_below(forest, role, key))
    }


def _requests_below(forest: Forest, role: Mapping[SpanKey, Role], call: SpanKey) -> Iterator[Span]:
    found = list(forest.children.get(call, ()))
    for key in found:  # grows while we walk it
        if role[key] is not Role.TOOL:
            found.extend(forest.children.get(key, ()))
        if role[key] in (Role.HTTP, Role.SERVER):
            yield forest.spans[key]


def _counts_tokens(span: Span) -> bool:
    return semconv.integer(span.attributes, semconv.OUTPUT_TOKENS) is not None


def _inside(forest: Forest, role: Mapping[SpanKey, Role]) -> dict[SpanKey, Inside]:
    found: dict[SpanKey, Inside] = {}
    for key in forest.order:
        parent = forest.parent[key]
        found[key] = Inside.NOTHING if parent is None else _entered(found[parent], role[parent])
    return found


def _entered(inside: Inside, role: Role) -> Inside:
    match role:
        case Role.CHAT:
            return Inside.CHAT
        case Role.TOOL:
            return Inside.TOOL
        case Role.HTTP:
            return inside | Inside.HTTP
        case _:
            return inside


def _below(forest: Forest, role: Mapping[SpanKey, Role]) -> dict[SpanKey, Below]:
    found = dict.fromkeys(forest.order, Below.NOTHING)
    for key in reversed(forest.order):
        parent = forest.parent[key]
        if parent is not None and role[key] is not Role.TOOL:
            found[parent] |= found[key] | _own(forest.spans[key], role[key], found[key])
    return found


def _own(span: Span, role: Role, below: Below) -> Below:
    own = Below.NOTHING
    if role is Role.CHAT:
        own |= Below.CHAT
    elif role is Role.SERVER:
        own |= Below.SERVER
        if Below.GENERATION in below:
            own |= Below.SERVED_GENERATION
    elif role is Role.HTTP and may_ask_a_model(span) and not ends_at_headers(span):
        own |= Below.REQUEST
    phase = written_phase(span)
    if phase is not None:
        own |= Below.PHASE
        if PHASE_GROUP[phase] is Group.GENERATION:
            own |= Below.GENERATION
            if written_provenance(span) is Provenance.BODY:
                own |= Below.TOLD_GENERATION
    return own
