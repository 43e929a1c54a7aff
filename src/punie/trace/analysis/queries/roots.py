"""Which query a span belongs to: ours by its own span, somebody else's by the outermost agent, the root or a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from punie.trace import semconv
from punie.trace.analysis.trees.roles import Role, is_server, role_of, written_provenance
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import Provenance, Span


class QueryRule(Enum):
    """What counts as a query.

    `PLANNED`: only the spans that a run of ours wrote as queries. What a killed run left of an unfinished query
    is none. `ANY`: in traces without such a span also the outermost `invoke_agent`, else the root, else what a
    server made for each request of a client that is traced elsewhere.
    """

    PLANNED = auto()
    ANY = auto()


@dataclass(frozen=True, slots=True)
class Queries:
    """The query roots, in the order of time, and whose each span is.

    `of` maps a span to its query's root. `outside` are spans above or beside the queries of their trace,
    `unplaced` those whose missing parent leaves it open to which query they belong. `stand_ins` are roots that
    are none: the earliest span of a trace whose real root is missing. `from_afar` are roots whose parent is their
    client's span, which whoever served it never has.
    """

    roots: tuple[SpanKey, ...]
    of: Mapping[SpanKey, SpanKey]
    outside: tuple[SpanKey, ...] = ()
    unplaced: tuple[SpanKey, ...] = ()
    stand_ins: frozenset[SpanKey] = frozenset()
    from_afar: frozenset[SpanKey] = frozenset()


def is_query(span: Span) -> bool:
    """Whether `span` is a query span of ours (warm-up included), not a span that is only called so."""
    return semconv.QUERY_ID in span.attributes or span.attributes.get(semconv.QUERY_WARMUP) is True


def query_key(root: SpanKey) -> str:
    """The name of a query in rows and ledgers: trace id and root span id."""
    return f"{root[0]}/{root[1]}"


def find_queries(forest: Forest, rule: QueryRule = QueryRule.ANY) -> Queries:
    """Find the queries and give every span to one, or say why not."""
    found = _candidates(forest, rule)
    of: dict[SpanKey, SpanKey] = {}
    for key in forest.order:
        parent = forest.parent[key]
        owner = of.get(parent) if parent is not None else None
        if owner is not None:
            of[key] = owner
        elif key in found.roots:
            of[key] = key
    roots = tuple(key for key in forest.order if of.get(key) == key)
    outside, unplaced = _place_orphans(forest, of, roots)
    stand_ins, from_afar = frozenset(found.stand_ins), frozenset(found.from_afar)
    return Queries(roots, of, outside, unplaced, stand_ins, from_afar)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Spans that are queries if none around them is one, and which of them are so for want of a root."""

    roots: set[SpanKey] = field(default_factory=set)
    stand_ins: set[SpanKey] = field(default_factory=set)
    from_afar: set[SpanKey] = field(default_factory=set)


def _candidates(forest: Forest, rule: QueryRule) -> _Candidates:
    found = _Candidates()
    for keys in _by_trace(forest.order).values():
        chosen = [key for key in keys if is_query(forest.spans[key])]
        if not chosen and rule is QueryRule.ANY:
            chosen = _own_agents(forest, [key for key in keys if role_of(forest.spans[key]) is Role.AGENT])
            chosen = chosen or [key for key in keys if forest.spans[key].parent_id is None]
            if not chosen:
                chosen = _served_from_afar(forest, keys)
                found.from_afar.update(chosen)
            if not chosen:
                chosen = keys[:1]  # `order` starts with the earliest top
                found.stand_ins.update(chosen)
        found.roots.update(chosen)
    return found


def _served_from_afar(forest: Forest, keys: list[SpanKey]) -> list[SpanKey]:
    """The requests that a server answered, if the server alone was traced: no client's span is without its parent.

    A server's phases may be, if it was killed before it could write the request around them.
    """
    tops = [forest.spans[key] for key in keys if key in forest.orphans]
    if not all(is_server(top) or written_provenance(top) is Provenance.SERVER for top in tops):
        return []
    return [key for key in keys if key in forest.orphans and is_server(forest.spans[key])]


def _own_agents(forest: Forest, agents: list[SpanKey]) -> list[SpanKey]:
    """Without those that lost their parent inside another agent's time: sub-agents of that one, not queries."""
    lost = {key for key in agents if forest.parent[key] is None and forest.spans[key].parent_id is not None}
    whole = [forest.spans[key] for key in agents if key not in lost]
    return [
        key
        for key in agents
        if key not in lost or not any(_is_inside(forest.spans[key], one) for one in whole)
    ]


def _is_inside(inner: Span, outer: Span) -> bool:
    return outer.start_ns <= inner.start_ns and inner.end_ns <= outer.end_ns


def _by_trace(keys: Iterable[SpanKey]) -> dict[str, list[SpanKey]]:
    traces: dict[str, list[SpanKey]] = {}
    for key in keys:
        traces.setdefault(key[0], []).append(key)
    return traces


def _place_orphans(
    forest: Forest, of: dict[SpanKey, SpanKey], roots: tuple[SpanKey, ...]
) -> tuple[tuple[SpanKey, ...], tuple[SpanKey, ...]]:
    """Trees whose top lost its parent go to the query they must belong to: the only one, or the one around them.

    Inside several queries at once they stay unplaced. Adds to `of`; returns what is outside, and the unplaced.
    """
    roots_of = _by_trace(roots)
    above_a_root = {key for root in roots for key in forest.above(root)}
    lost: set[SpanKey] = set()
    outside: list[SpanKey] = []
    unplaced: list[SpanKey] = []
    late = forest.below(forest.follows)
    for key in sorted(forest.order, key=late.__contains__) if late else forest.order:
        if key in of:
            continue
        parent = forest.parent[key]
        if parent is not None and parent in of:
            of[key] = of[parent]
        elif key in forest.follows:
            followed = None if key in above_a_root else _query_followed(forest, of, key)
            if followed is None:
                outside.append(key)
            else:
                of[key] = followed
        elif parent is None and key not in above_a_root and forest.spans[key].parent_id is not None:
            owner = _owner(forest.spans[key], [forest.spans[root] for root in roots_of.get(key[0], [])])
            if owner is not None:
                of[key] = owner
                continue
            lost.add(key)
            unplaced.append(key)
        elif parent in lost:
            lost.add(key)
            unplaced.append(key)
        else:
            outside.append(key)
    return tuple(outside), tuple(unplaced)


def _query_followed(forest: Forest, of: Mapping[SpanKey, SpanKey], key: SpanKey) -> SpanKey | None:
    """The query of the span that `key` follows, which may belong to one that follows another in its turn."""
    seen: set[SpanKey] = set()
    while key in forest.follows and key not in seen:
        seen.add(key)
        followed = (key[0], forest.spans[key].parent_id or "")
        if followed in of:
            return of[followed]
        key = next((top for top in forest.above(followed) if forest.parent[top] is None), followed)
    return of.get(key)


def _owner(orphan: Span, roots: list[Span]) -> SpanKey | None:
    if len(roots) == 1:
        return (roots[0].trace_id, roots[0].span_id)
    around = [root for root in roots if _is_inside(orphan, root)]
    return (around[0].trace_id, around[0].span_id) if len(around) == 1 else None
