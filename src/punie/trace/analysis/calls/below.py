"""What the spans below each span show. Tools hide what is below them; so do calls that begin after the one above."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

from punie.trace.analysis.calls.contexts import Roles
from punie.trace.analysis.trees.roles import Role, ends_at_headers, may_ask_a_model, written_provenance
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import PHASE_GROUP, Group, Phase, Provenance


class Below:
    """What is below a span: bits of an integer, for enums' flags take most of the time of the walk."""

    NOTHING: Final = 0
    CHAT: Final = 1
    REQUEST: Final = 2  # an HTTP span that may be a model's and isn't known to end before the last byte
    SERVER: Final = 4
    PHASE: Final = 8  # a span that names its phase
    GENERATION: Final = 16  # a span that names a phase of generation
    SERVED_GENERATION: Final = 32  # the same, made inside a server
    REPORTED_GENERATION: Final = 64  # the same, by timings in the answer's body


FINER_THAN_CHAT: Final = Below.REQUEST | Below.SERVER | Below.GENERATION
FINER_THAN_SERVER: Final = Below.SERVER | Below.PHASE | Below.CHAT

_PLAIN_PHASES: Final = {phase for phase, group in PHASE_GROUP.items() if group is not Group.GENERATION}
_SHOWN: Final = {Role.CHAT, Role.SERVER, Role.HTTP}


def look_below(
    forest: Forest, role: Roles, phases: Mapping[SpanKey, Phase], apart: Set[SpanKey]
) -> dict[SpanKey, int]:
    """Walk each tree once, from below; `apart` are calls that are no part of the call above them."""
    found = dict.fromkeys(forest.order, Below.NOTHING)
    parents = forest.parent
    for key in reversed(forest.order):
        parent, own = parents[key], role[key]
        if parent is not None and own is not Role.TOOL and key not in apart:
            phase = phases.get(key)
            if own is Role.OTHER and phase in _PLAIN_PHASES:
                found[parent] |= found[key] | Below.PHASE
            elif phase is not None or own in _SHOWN:
                found[parent] |= found[key] | _own(forest, key, own, phase, found[key])
            elif found[key]:
                found[parent] |= found[key]
    return found


def _own(forest: Forest, key: SpanKey, role: Role, phase: Phase | None, below: int) -> int:
    own = Below.NOTHING
    if role is Role.CHAT:
        own = Below.CHAT
    elif role is Role.SERVER:
        own = Below.SERVER | Below.SERVED_GENERATION if below & Below.GENERATION else Below.SERVER
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
