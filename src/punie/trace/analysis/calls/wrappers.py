"""Calls that show one request again: which of them lies around which.

Two instrumentations may show one request by two calls: if one lies inside the other in time and has a length, it is
the request, and counts come from whichever has them. A call that begins when the one above it has ended is a request
of its own, and a copy without a length is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.contexts import Contexts
from punie.trace.analysis.trees.roles import counts_tokens, has_failed
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import Span

_WORDS_OF_A_REQUEST: Final = (
    (semconv.REQUEST_MODEL,),
    (semconv.RESPONSE_ID,),
    semconv.INPUT_TOKENS,
    semconv.OUTPUT_TOKENS,
)
_INSIDE_PERCENT: Final = 90
_MOST_WRAPPERS: Final = 64
"""Around one request: no framework has a tenth of it, and a chain of n has n² pairs."""
_TOLERANCE_NS: Final = 1_000_000  # two instrumentations of one process take their times one after the other


def find_wrappers(forest: Forest, contexts: Contexts) -> Iterator[tuple[SpanKey, SpanKey]]:
    """For each call that lies in another one, in the tree or beside it, and in time, that other one."""
    wrapper: dict[SpanKey, SpanKey] = {}
    for key, outer in contexts.outer.items():
        for around in (outer, wrapper.get(outer)):
            if around is not None and _is_wrapped(forest.spans[key], forest.spans[around]):
                wrapper[key] = around
                yield key, around
                break
    for children in forest.children.values():
        if len(children) < 2:
            continue
        calls = [key for key in children if contexts.call.get(key) == key and key not in contexts.posts]
        several = len(calls) > 1 and len({forest.spans[one].scope for one in calls}) > 1
        for key in calls if several else ():
            around = next(
                (one for one in calls if _shows_the_same(forest.spans[key], forest.spans[one])), None
            )
            if around is not None and key not in wrapper and wrapper.get(around) != key:
                wrapper[key] = around
                yield key, around


def wrappers_of(
    key: SpanKey,
    forest: Forest,
    wrapper: Mapping[SpanKey, SpanKey],
    inner: Mapping[SpanKey, list[SpanKey]],
) -> tuple[Span, ...]:
    """The wrappers of a call that show its request alone, the innermost first; `inner` is `wrapper` the other way."""
    return tuple(islice(_around(key, forest, wrapper, inner), _MOST_WRAPPERS))


def _around(
    key: SpanKey,
    forest: Forest,
    wrapper: Mapping[SpanKey, SpanKey],
    inner: Mapping[SpanKey, list[SpanKey]],
) -> Iterator[Span]:
    """The wrappers that show this request alone, failed ones before it aside: what they count, it counts."""
    at = key
    while (around := wrapper.get(at)) is not None:
        answered = [one for one in inner[around] if not has_failed(forest.spans[one])]
        if (answered or inner[around]) != [at]:
            return
        yield forest.spans[around]
        at = around


def _shows_the_same(inner: Span, outer: Span) -> bool:
    """Whether two instrumentations show one request side by side: at one time, and no word of theirs differs."""
    if inner.scope == outer.scope or inner.duration_ns > outer.duration_ns or not _is_inside(inner, outer):
        return False
    pairs = (
        [semconv.first(one.attributes, names) for one in (inner, outer)] for names in _WORDS_OF_A_REQUEST
    )
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def _is_wrapped(inner: Span, outer: Span) -> bool:
    """Whether a call lies in the one above, or goes on when that one, without counts, has handed on its stream."""
    handed_on = outer.start_ns <= inner.start_ns < outer.end_ns < inner.end_ns
    return _is_inside(inner, outer) or (handed_on and not counts_tokens(outer) and not has_failed(outer))


def _is_inside(inner: Span, outer: Span) -> bool:
    """Whether a call lies in another one; it may end a little later, where that one doesn't wait for its last words."""
    shared_ns = min(inner.end_ns, outer.end_ns) - inner.start_ns
    return (
        inner.duration_ns > 0
        and outer.start_ns - _TOLERANCE_NS <= inner.start_ns
        and shared_ns * 100 >= inner.duration_ns * _INSIDE_PERCENT
    )
