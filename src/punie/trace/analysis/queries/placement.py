"""Spans that hang below no query: to which one they belong all the same.

Trees whose top lost its parent go to the query they must belong to: the only one of their trace, or the one around
them. So do runs, calls and tools that hang beside a query and lie in its time, but for what judges an answer. What only
follows another span goes to that one's query. Inside several queries at once a tree stays unplaced.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

from punie.trace.analysis.calls.contexts import Roles
from punie.trace.analysis.queries.windows import is_inside
from punie.trace.analysis.trees.roles import Role
from punie.trace.analysis.trees.tree import Forest, SpanKey

_WORK: Final = {Role.AGENT, Role.CHAT, Role.TOOL}
Placed = tuple[tuple[SpanKey, ...], tuple[SpanKey, ...]]


def place_the_rest(
    forest: Forest, role: Roles, of: dict[SpanKey, SpanKey], roots: Sequence[SpanKey], none: Set[SpanKey]
) -> Placed:
    """Adds to `of`; returns what is outside of all queries (`none` are no queries), and what can't be placed."""
    if len(of) == len(forest.order):
        return (), ()
    rest = _Rest(forest, role, of, roots, none)
    late = forest.below(forest.follows)
    for key in sorted(forest.order, key=late.__contains__) if late else forest.order:
        if key not in of:
            rest.place(key)
    return tuple(rest.outside), tuple(rest.unplaced)


class _Rest:
    """The spans that are placed so far, one after another, parents first."""

    def __init__(
        self,
        forest: Forest,
        role: Roles,
        of: dict[SpanKey, SpanKey],
        roots: Sequence[SpanKey],
        none: Set[SpanKey],
    ) -> None:
        self._forest, self._role, self._of = forest, role, of
        self._roots: dict[str, list[SpanKey]] = {}
        for root in roots:
            self._roots.setdefault(root[0], []).append(root)
        judging = (key for key, own in role.items() if own is Role.EVALUATION and key not in of)
        self._no_part = {key for root in roots for key in forest.above(root)} | none | forest.below(judging)
        self.outside: list[SpanKey] = []
        self.unplaced: dict[SpanKey, None] = {}

    def place(self, key: SpanKey) -> None:
        """Give `key` to the query of its parent, or to the one that it must belong to."""
        parent = self._forest.parent[key]
        if parent is not None and parent in self._of:
            self._of[key] = self._of[parent]
        elif parent in self.unplaced:
            self.unplaced[key] = None
        elif (owner := self._owner(key)) is not None:
            self._of[key] = owner
        elif self._is_lost(key) and key not in self._no_part:
            self.unplaced[key] = None
        else:
            self.outside.append(key)

    def _owner(self, key: SpanKey) -> SpanKey | None:
        if key in self._no_part:
            return None
        if key in self._forest.follows:
            return self._followed(key)
        is_lost = self._is_lost(key)
        if not is_lost and self._role[key] not in _WORK:
            return None
        roots = self._roots.get(key[0], ())
        if is_lost and len(roots) == 1:
            return roots[0]
        spans = self._forest.spans
        around = [root for root in roots if is_inside(spans[key], spans[root])]
        return around[0] if len(around) == 1 else None

    def _is_lost(self, key: SpanKey) -> bool:
        """Whether it names a parent that isn't there; a cycle's members name one that is cut off."""
        is_top = self._forest.parent[key] is None and key not in self._forest.follows
        return is_top and self._forest.spans[key].parent_id is not None

    def _followed(self, key: SpanKey) -> SpanKey | None:
        """The query of the span that `key` follows, which may belong to one that follows another in its turn."""
        seen: set[SpanKey] = set()
        while key in self._forest.follows and key not in seen:
            seen.add(key)
            followed = (key[0], self._forest.spans[key].parent_id or "")
            if followed in self._of:
                return self._of[followed]
            tops = (top for top in self._forest.above(followed) if self._forest.parent[top] is None)
            key = next(tops, followed)
        return self._of.get(key)
