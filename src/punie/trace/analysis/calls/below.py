"""What the spans below each span show. Tools hide what is below them; so do calls that begin after the one above."""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import Flag, auto

from punie.trace.analysis.calls.contexts import Roles
from punie.trace.analysis.trees.roles import Role, ends_at_headers, may_ask_a_model, written_provenance
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import PHASE_GROUP, Group, Phase, Provenance


class Below(Flag):
    """What is below a span."""

    NOTHING = 0
    CHAT = auto()
    REQUEST = auto()  # an HTTP span that may be a model's and isn't known to end before the last byte
    SERVER = auto()
    PHASE = auto()  # a span that names its phase
    GENERATION = auto()  # a span that names a phase of generation
    SERVED_GENERATION = auto()  # the same, made inside a server
    REPORTED_GENERATION = auto()  # the same, by timings in the answer's body


FINER_THAN_CHAT = Below.REQUEST | Below.SERVER | Below.GENERATION
FINER_THAN_SERVER = Below.SERVER | Below.PHASE | Below.CHAT


def look_below(
    forest: Forest, role: Roles, phases: Mapping[SpanKey, Phase], apart: Set[SpanKey]
) -> dict[SpanKey, Below]:
    """Walk each tree once, from below; `apart` are calls that are no part of the call above them."""
    found = dict.fromkeys(forest.order, Below.NOTHING)
    for key in reversed(forest.order):
        parent = forest.parent[key]
        if parent is not None and role[key] is not Role.TOOL and key not in apart:
            own = _own(forest, key, role[key], phases.get(key), found[key])
            if own or found[key]:
                found[parent] |= found[key] | own
    return found


def _own(forest: Forest, key: SpanKey, role: Role, phase: Phase | None, below: Below) -> Below:
    own = Below.NOTHING
    if role is Role.CHAT:
        own = Below.CHAT
    elif role is Role.SERVER:
        own = Below.SERVER | Below.SERVED_GENERATION if Below.GENERATION in below else Below.SERVER
    elif role is Role.HTTP:
        span = forest.spans[key]
        if may_ask_a_model(span) and not ends_at_headers(span):
            own = Below.REQUEST
    if phase is None:
        return own
    if PHASE_GROUP[phase] is not Group.GENERATION:
        return own | Below.PHASE
    if written_provenance(forest.spans[key]) is Provenance.BODY:
        own |= Below.REPORTED_GENERATION
    return own | Below.PHASE | Below.GENERATION
