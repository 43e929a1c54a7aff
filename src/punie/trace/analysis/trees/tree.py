"""Spans as trees: one span an id, mended parents, and an order in which parents come before their children.

Whatever the order of the input, the result is the same. Nothing here recurses: 5,000 levels are a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypedDict

import msgspec
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.trees.shapes import Shape, Shapes, shape_of
from punie.trace.analysis.trees.shared_ids import separate_shared_ids
from punie.trace.model import Span

SpanKey = tuple[str, str]  # trace id, span id
_UNKNOWN: Final = 0
_WALKING: Final = 1
_DONE: Final = 2


class Forest(msgspec.Struct, frozen=True):
    """Every trace of a source as trees.

    `spans` has one span a key: of duplicates the one with the longest duration. `parent` is None for a root, for
    a span whose parent is missing (`orphans`) and for the members of a cycle (`cyclic`), whose links are cut.
    `follows` are spans that only follow the one that their parent's id names: it didn't wait for them, so they are
    tops of their own. `order` lists parents before children. `repeats` has a key for every copy that was dropped,
    `conflicts` those whose copies differed. `shared` are ids that a client's span shared with its server's, which now
    has one of its own (`shared_ids`).

    For walks over all spans, which would look up each by its key: `span_at`, `shape_at` and `parent_at` are in `order`,
    and a parent is a place in it, before its children's; -1 where there is none. `shapes` are all that there are.
    """

    spans: Mapping[SpanKey, Span]
    parent: Mapping[SpanKey, SpanKey | None]
    children: Mapping[SpanKey, tuple[SpanKey, ...]]
    order: tuple[SpanKey, ...]
    span_at: Sequence[Span]
    shape_at: Sequence[Shape]
    parent_at: Sequence[int]
    shapes: Shapes
    orphans: frozenset[SpanKey]
    cyclic: frozenset[SpanKey]
    repeats: tuple[SpanKey, ...]
    conflicts: frozenset[SpanKey]
    follows: frozenset[SpanKey] = frozenset()
    shared: frozenset[SpanKey] = frozenset()

    @property
    def tops(self) -> Iterator[SpanKey]:
        """The spans without a parent: roots, orphans and members of cycles."""
        return (key for key, parent in zip(self.order, self.parent_at, strict=True) if parent < 0)

    def is_one_nested_tree(self) -> bool:
        """Whether all spans hang below one and lie in its time and in their parents', none of them inverted.

        So it is with nearly every trace, and whoever looks for spans that reach out of others can leave it alone.
        """
        spans = self.span_at
        if not spans or spans[0].end_ns < spans[0].start_ns:
            return False
        for span, parent in zip(spans[1:], self.parent_at[1:], strict=True):
            if parent < 0:
                return False
            around = spans[parent]
            if not around.start_ns <= span.start_ns <= span.end_ns <= around.end_ns:
                return False
        return True

    def above(self, key: SpanKey) -> Iterator[SpanKey]:
        """The ancestors of `key`, nearest first."""
        at = self.parent[key]
        while at is not None:
            yield at
            at = self.parent[at]

    def below(self, tops: Iterable[SpanKey]) -> frozenset[SpanKey]:
        """`tops` and everything below them."""
        pending = list(tops)
        for key in pending:  # grows while we walk it
            pending.extend(self.children.get(key, ()))
        return frozenset(pending)


def grow(spans: Iterable[Span], shapes: Sequence[Shape] = ()) -> Forest:
    """Build the forest of `spans`: duplicates dropped, broken links cut. `shapes` are theirs, where they are known."""
    spans = tuple(spans)
    unique, repeats, conflicts = _without_duplicates(spans)
    shared: frozenset[SpanKey] = frozenset()
    if conflicts:
        apart, shared = separate_shared_ids(spans, conflicts)
        unique, repeats, conflicts = _without_duplicates(apart) if shared else (unique, repeats, conflicts)
    keys, found = (*unique,), (*unique.values(),)
    if len(shapes) != len(unique) or shared:
        shapes = [*map(shape_of, found)]
    links, orphans, follows = _links(keys, found, shapes)
    children, order = _parents_first(links, found)
    cyclic: frozenset[int] = frozenset()
    if len(order) < len(found):  # no top leads to the others
        cyclic = _cycle_members(links)
        links = [-1 if at in cyclic else parent for at, parent in enumerate(links)]
        children, order = _parents_first(links, found)
    return Forest(
        spans=unique,
        parent=dict(zip(keys, map((*keys, None).__getitem__, links), strict=True)),  # -1 is the last
        **_walked(keys, found, shapes, links, children, order),
        shapes=frozenset(shapes),
        orphans=frozenset([keys[at] for at in orphans]),
        cyclic=frozenset([keys[at] for at in cyclic]),
        repeats=repeats,
        conflicts=conflicts,
        follows=frozenset([keys[at] for at in follows]),
        shared=shared,
    )


class _Walked(TypedDict):
    """What of a forest depends on its times."""

    children: Mapping[SpanKey, tuple[SpanKey, ...]]
    order: tuple[SpanKey, ...]
    span_at: Sequence[Span]
    shape_at: Sequence[Shape]
    parent_at: Sequence[int]


def _walked(
    keys: Sequence[SpanKey],
    spans: Sequence[Span],
    shapes: Sequence[Shape],
    links: Sequence[int],
    children: Sequence[Sequence[int]],
    order: Sequence[int],
) -> _Walked:
    place = [-1] * (len(order) + 1)  # the last is for those without a parent
    for at, old in enumerate(order):
        place[old] = at
    return _Walked(
        children={
            key: tuple(map(keys.__getitem__, below))
            for key, below in zip(keys, children, strict=True)
            if below
        },
        order=tuple(map(keys.__getitem__, order)),
        span_at=[*map(spans.__getitem__, order)],
        shape_at=[*map(shapes.__getitem__, order)],
        parent_at=[place[links[at]] for at in order],
    )


def copies_in_order(spans: Sequence[Span]) -> Sequence[Span]:
    """`spans`; where several have one id, in an order in which the copy that a forest keeps is the last of them.

    So whoever looks a span up by its id before the forest is grown finds that copy, in whatever order they came.
    """
    if len({span.span_id for span in spans}) == len(spans):  # nearly always, also of several traces
        return spans
    if len({(span.trace_id, span.span_id) for span in spans}) == len(spans):
        return spans
    return sorted(spans, key=_preference, reverse=True)


def with_times(forest: Forest, spans: Mapping[SpanKey, Span]) -> Forest:
    """The same trees with `spans` in place of their own, which differ in their times alone."""
    changed = [spans[key] for key in forest.order]
    children, order = _parents_first(forest.parent_at, changed)
    walked = _walked(forest.order, changed, forest.shape_at, forest.parent_at, children, order)
    return replace(forest, spans=spans, **walked)


def _links(
    keys: Sequence[SpanKey], spans: Sequence[Span], shapes: Sequence[Shape]
) -> tuple[list[int], list[int], list[int]]:
    """The place of each span's parent (-1: none), those whose parent is missing, and those that only follow it."""
    links = _named_parents(keys, spans)
    orphans = [at for at, parent in enumerate(links) if parent < 0 and spans[at].parent_id]
    follows = [
        at
        for at, shape in enumerate(shapes)
        if shape.may_follow
        and links[at] >= 0
        and spans[at].attributes.get(semconv.PARENT_REFERENCE) == semconv.FOLLOWS_FROM
    ]
    for at in follows:
        links[at] = -1
    return links, orphans, follows


def _named_parents(keys: Sequence[SpanKey], spans: Sequence[Span]) -> list[int]:
    """The places of the spans whose ids are named as parents; -1 where there is none."""
    if len({span.trace_id for span in spans}) == 1:
        by_id: dict[str | None, int] = {span.span_id: at for at, span in enumerate(spans)}
        return [by_id.get(span.parent_id or None, -1) for span in spans]
    by_key = {key: at for at, key in enumerate(keys)}
    return [by_key.get((span.trace_id, span.parent_id), -1) if span.parent_id else -1 for span in spans]


def _without_duplicates(
    spans: Iterable[Span],
) -> tuple[dict[SpanKey, Span], tuple[SpanKey, ...], frozenset[SpanKey]]:
    spans = tuple(spans)
    unique = {(span.trace_id, span.span_id): span for span in spans}
    if len(unique) == len(spans):
        return unique, (), frozenset()
    unique = {}
    repeats: list[SpanKey] = []
    conflicts: set[SpanKey] = set()
    for span in spans:
        key = (span.trace_id, span.span_id)
        other = unique.get(key)
        if other is not None:
            repeats.append(key)
            if other != span:
                conflicts.add(key)
        if other is None or _preference(span) < _preference(other):
            unique[key] = span
    return unique, tuple(sorted(repeats)), frozenset(conflicts)


def _preference(span: Span) -> tuple[int, int, str, str]:
    """Sorts first what says most; the rest only makes the choice independent of the order of the input."""
    return (-span.duration_ns, span.start_ns, span.parent_id or "", repr(span))


def _cycle_members(links: Sequence[int]) -> frozenset[int]:
    state = [_UNKNOWN] * len(links)
    members: set[int] = set()
    for start in range(len(links)):
        path: list[int] = []
        at = start
        while at >= 0 and state[at] == _UNKNOWN:
            state[at] = _WALKING
            path.append(at)
            at = links[at]
        if at >= 0 and state[at] == _WALKING:
            members.update(path[path.index(at) :])
        for one in path:
            state[one] = _DONE
    return frozenset(members)


def _parents_first(links: Sequence[int], spans: Sequence[Span]) -> tuple[list[list[int]], list[int]]:
    """The children of each span, by their start, and all spans, breadth first."""
    children: list[list[int]] = [[] for _ in spans]
    order: list[int] = []
    for at in _by_start(spans):
        (order if links[at] < 0 else children[links[at]]).append(at)
    for at in order:  # grows while we walk it
        order += children[at]
    return children, order


def _by_start(spans: Sequence[Span]) -> list[int]:
    starts = [span.start_ns for span in spans]
    if len(set(starts)) == len(starts):
        return sorted(range(len(spans)), key=starts.__getitem__)
    places = [(span.start_ns, span.end_ns, span.trace_id, span.span_id) for span in spans]
    return sorted(range(len(spans)), key=places.__getitem__)
