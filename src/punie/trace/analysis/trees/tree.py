"""Spans as trees: one span an id, mended parents, and an order in which parents come before their children.

Whatever the order of the input, the result is the same. Nothing here recurses: 5,000 levels are a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.trees.shared_ids import tell_apart
from punie.trace.model import Span

SpanKey = tuple[str, str]  # trace id, span id
_UNKNOWN: Final = 0
_WALKING: Final = 1
_DONE: Final = 2


@dataclass(frozen=True, slots=True)
class Forest:
    """Every trace of a source as trees.

    `spans` has one span a key: of duplicates the one with the longest duration. `parent` is None for a root, for
    a span whose parent is missing (`orphans`) and for the members of a cycle (`cyclic`), whose links are cut.
    `follows` are spans that only follow the one that their parent's id names: it didn't wait for them, so they are
    tops of their own. `order` lists parents before children. `repeats` has a key for every copy that was dropped,
    `conflicts` those whose copies differed. `shared` are ids that a client's span shared with its server's, which now
    has one of its own (`shared_ids`).
    """

    spans: Mapping[SpanKey, Span]
    parent: Mapping[SpanKey, SpanKey | None]
    children: Mapping[SpanKey, tuple[SpanKey, ...]]
    order: tuple[SpanKey, ...]
    orphans: frozenset[SpanKey]
    cyclic: frozenset[SpanKey]
    repeats: tuple[SpanKey, ...]
    conflicts: frozenset[SpanKey]
    follows: frozenset[SpanKey] = frozenset()
    shared: frozenset[SpanKey] = frozenset()

    @property
    def tops(self) -> Iterator[SpanKey]:
        """The spans without a parent: roots, orphans and members of cycles."""
        return (key for key in self.order if self.parent[key] is None)

    def is_one_nested_tree(self) -> bool:
        """Whether all spans hang below one and lie in its time and in their parents', none of them inverted.

        So it is with nearly every trace, and whoever looks for spans that reach out of others can leave it alone.
        """
        spans, parents = self.spans, self.parent
        tops = 0
        for key, span in spans.items():
            parent = parents[key]
            if parent is None:
                tops += 1
                if tops > 1 or span.end_ns < span.start_ns:
                    return False
                continue
            around = spans[parent]
            if not around.start_ns <= span.start_ns <= span.end_ns <= around.end_ns:
                return False
        return tops == 1

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


def grow(spans: Iterable[Span]) -> Forest:
    """Build the forest of `spans`: duplicates dropped, broken links cut."""
    spans = tuple(spans)
    kept, repeats, conflicts = _without_duplicates(spans)
    shared: frozenset[SpanKey] = frozenset()
    if conflicts:
        apart, shared = tell_apart(spans, conflicts)
        kept, repeats, conflicts = _without_duplicates(apart) if shared else (kept, repeats, conflicts)
    links, orphans, follows = _links(kept)
    children = _children(links, kept)
    order = _parents_first(links, children, kept)
    cyclic: frozenset[SpanKey] = frozenset()
    if len(order) < len(kept):  # no top leads to the others
        cyclic = _cycle_members(links)
        links.update(dict.fromkeys(cyclic))
        children = _children(links, kept)
        order = _parents_first(links, children, kept)
    return Forest(
        spans=kept,
        parent=links,
        children=children,
        order=order,
        orphans=frozenset(orphans),
        cyclic=cyclic,
        repeats=repeats,
        conflicts=conflicts,
        follows=frozenset(follows),
        shared=shared,
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
    children = _children(forest.parent, spans)
    return replace(
        forest, spans=spans, children=children, order=_parents_first(forest.parent, children, spans)
    )


def _links(
    kept: Mapping[SpanKey, Span],
) -> tuple[dict[SpanKey, SpanKey | None], list[SpanKey], list[SpanKey]]:
    """The parent of each span, those whose parent is missing, and those that only follow it.

    A parent is named by the very key that stands in `kept`: looking it up takes half the time of an equal one.
    """
    key_of = {key: key for key in kept}
    links: dict[SpanKey, SpanKey | None] = {}
    orphans: list[SpanKey] = []
    follows: list[SpanKey] = []
    for key, span in kept.items():
        links[key] = None
        if not span.parent_id:
            continue
        parent = key_of.get((key[0], span.parent_id))
        if parent is None:
            orphans.append(key)
        elif span.attributes.get(semconv.PARENT_REFERENCE) == semconv.FOLLOWS_FROM:
            follows.append(key)
        else:
            links[key] = parent
    return links, orphans, follows


def _without_duplicates(
    spans: Iterable[Span],
) -> tuple[dict[SpanKey, Span], tuple[SpanKey, ...], frozenset[SpanKey]]:
    spans = tuple(spans)
    kept = {(span.trace_id, span.span_id): span for span in spans}
    if len(kept) == len(spans):
        return kept, (), frozenset()
    kept = {}
    repeats: list[SpanKey] = []
    conflicts: set[SpanKey] = set()
    for span in spans:
        key = (span.trace_id, span.span_id)
        other = kept.get(key)
        if other is not None:
            repeats.append(key)
            if other != span:
                conflicts.add(key)
        if other is None or _preference(span) < _preference(other):
            kept[key] = span
    return kept, tuple(sorted(repeats)), frozenset(conflicts)


def _preference(span: Span) -> tuple[int, int, str, str]:
    """Sorts first what says most; the rest only makes the choice independent of the order of the input."""
    return (-span.duration_ns, span.start_ns, span.parent_id or "", repr(span))


def _cycle_members(links: Mapping[SpanKey, SpanKey | None]) -> frozenset[SpanKey]:
    state = dict.fromkeys(links, _UNKNOWN)
    members: set[SpanKey] = set()
    for start in links:
        path: list[SpanKey] = []
        at: SpanKey | None = start
        while at is not None and state[at] == _UNKNOWN:
            state[at] = _WALKING
            path.append(at)
            at = links[at]
        if at is not None and state[at] == _WALKING:
            members.update(path[path.index(at) :])
        state.update(dict.fromkeys(path, _DONE))
    return frozenset(members)


def _children(
    links: Mapping[SpanKey, SpanKey | None], spans: Mapping[SpanKey, Span]
) -> dict[SpanKey, tuple[SpanKey, ...]]:
    below: dict[SpanKey, list[SpanKey]] = {}
    for key, parent in links.items():
        if parent is not None:
            below.setdefault(parent, []).append(key)
    for found in below.values():
        if len(found) > 1:
            found.sort(key=lambda key: _place(spans[key]))
    return {key: tuple(found) for key, found in below.items()}


def _place(span: Span) -> tuple[int, int, str, str]:
    return (span.start_ns, span.end_ns, span.trace_id, span.span_id)


def _parents_first(
    links: Mapping[SpanKey, SpanKey | None],
    children: Mapping[SpanKey, tuple[SpanKey, ...]],
    spans: Mapping[SpanKey, Span],
) -> tuple[SpanKey, ...]:
    tops = (key for key, parent in links.items() if parent is None)
    order = sorted(tops, key=lambda key: _place(spans[key]))
    for key in order:  # grows while we walk it: breadth first
        order.extend(children.get(key, ()))
    return tuple(order)
