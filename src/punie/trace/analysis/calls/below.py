"""What the spans below each span show. Tools hide what is below them; so do calls that begin after the one above."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from punie.trace.analysis.calls.contexts import Roles
from punie.trace.analysis.trees.roles import Role, can_be_model_request, ends_at_headers
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import PHASE_GROUP, Group, Phase, Provenance, Span


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

_SHOWN: Final = {Role.CHAT, Role.SERVER, Role.HTTP}
_GENERATION: Final = {phase for phase, group in PHASE_GROUP.items() if group is Group.GENERATION}


def look_below(forest: Forest, role: Roles, apart: Set[SpanKey]) -> dict[SpanKey, int]:
    """Walk each tree once, from below; `apart` are calls that are no part of the call above them."""
    below = [Below.NOTHING] * len(forest.order)
    shapes, parents = forest.shape_at, forest.parent_at
    for at, (key, own) in reversed([*enumerate(role.items())]):
        parent = parents[at]
        if parent >= 0 and own is not Role.TOOL and key not in apart:
            bits, known = below[at], shapes[at].known
            if own in _SHOWN:
                bits |= _of_role(forest.span_at[at], own, bits)
            if known is not None:
                bits |= _OF_PHASE[known]
            below[parent] |= bits
    return dict(zip(forest.order, below, strict=True))


def _of_role(span: Span, role: Role, below: int) -> int:
    if role is Role.CHAT:
        return Below.CHAT
    if role is Role.SERVER:
        return Below.SERVER | Below.SERVED_GENERATION if below & Below.GENERATION else Below.SERVER
    return Below.REQUEST if can_be_model_request(span) and not ends_at_headers(span) else Below.NOTHING


def _of_phase(phase: Phase, provenance: Provenance) -> int:
    if phase not in _GENERATION:
        return Below.PHASE
    reported = Below.REPORTED_GENERATION if provenance is Provenance.BODY else Below.NOTHING
    return Below.PHASE | Below.GENERATION | reported


_OF_PHASE: Final = {(phase, how): _of_phase(phase, how) for phase in Phase for how in Provenance}
