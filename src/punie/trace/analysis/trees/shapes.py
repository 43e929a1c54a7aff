"""What spans have in common: a source has millions of spans, and some dozens of ways in which they are written.

Most questions about a span are about its name, its kind and which attributes it has, not about its times or what its
attributes hold. They are answered once for all spans of a shape, and a trace of which no shape asks for a step is
spared the step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.trees.roles import Known, Role, role_of, written
from punie.trace.model import AttributeValue, Span, SpanKind

_WORDS: Final = (semconv.OPERATION, semconv.PHASE, semconv.PHASE_PROVENANCE)
_DECIDE: Final = frozenset({semconv.SGLANG_MODULE, *semconv.HTTP_METHOD})
"""Attributes whose values tell a role, be there an operation or not."""


class Shape(msgspec.Struct, frozen=True, eq=False):
    """All spans of one name, kind and scope with the same attributes, operation and phase; some have events, or none.

    `like` is such a span, without ids and times: of its attributes' values only operation, phase and provenance are
    there. `names` are the attributes. It `may_follow` another span without being waited for. `role` is None where other
    values tell it, `known` is the phase that is written.
    """

    like: Span
    names: frozenset[str]
    has_events: bool
    may_follow: bool
    role: Role | None
    known: Known | None


Shapes = frozenset[Shape]
"""The shapes of a trace."""


@lru_cache(maxsize=4096)
def some(test: Callable[[Shape], bool], shapes: Shapes) -> bool:
    """Whether `test` is true of some shape."""
    return any(map(test, shapes))


def shape_of(span: Span) -> Shape:
    """The shape of `span`, the same object for nearly all that have it."""
    attributes = span.attributes
    operation, phase, how = (
        attributes.get(semconv.OPERATION),
        attributes.get(semconv.PHASE),
        attributes.get(semconv.PHASE_PROVENANCE),
    )
    try:
        return _shape(
            span.name, span.kind, span.scope, (*attributes,), bool(span.events), operation, phase, how
        )
    except TypeError:  # a list where a word is meant says nothing
        words = [word if isinstance(word, str) else None for word in (operation, phase, how)]
        return _shape(span.name, span.kind, span.scope, (*attributes,), bool(span.events), *words)


@lru_cache(maxsize=4096)
def _shape(
    name: str,
    kind: SpanKind,
    scope: str,
    names: tuple[str, ...],
    has_events: bool,  # noqa: FBT001 - the cache takes half the time for arguments without names
    *words: AttributeValue,
) -> Shape:
    values = dict(zip(_WORDS, words, strict=True))
    attributes = {one: values.get(one) for one in names}
    like = Span("", "", None, name, 0, 0, kind, attributes, scope=scope)
    role = None if not _DECIDE.isdisjoint(names) else role_of(like)
    return Shape(like, frozenset(names), has_events, semconv.PARENT_REFERENCE in names, role, written(like))
