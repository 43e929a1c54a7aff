"""Which spans of a trace may be queries: by the first of these rules that finds any.

1. The spans that a run of ours wrote as queries.
2. An agent's run that is part of no other one: not below another agent, a tool, a call or an evaluation, and not in the
   time of a tool of its trace. Where a run is below a workflow or conversation, or several runs, or a run and calls or
   tools beside it, are below one request, all of that is one query. A plain root around runs that follow each other (an
   evaluation loop) keeps them apart, and so does a connection; around runs in parallel it is the query itself.
3. A root with a model call below it, of a connection each question that was asked over it; where no trace of the source
   asks a model, any root.
4. What a server answered for a client that is traced elsewhere.
5. The first span of a trace whose root is missing stands in for it.

No second of a trace counts in two queries: of candidates that overlap all the same, the longest is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from enum import Enum, auto
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Calls
from punie.trace.analysis.queries.windows import clusters, is_inside, longest_apart
from punie.trace.analysis.trees.roles import Role, is_connection, is_server, written_provenance
from punie.trace.analysis.trees.shapes import Shape, some
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import Provenance, Span, SpanKind

_PARTS_OF_A_RUN: Final = {Role.AGENT, Role.TOOL, Role.CHAT, Role.EVALUATION}


_OF_QUERIES: Final = frozenset({semconv.QUERY_ID, semconv.QUERY_WARMUP})


class CandidateOrigin(Enum):
    """What made a span a candidate."""

    OWN = auto()
    AGENT = auto()
    ROOT = auto()
    FROM_AFAR = auto()
    STAND_IN = auto()
    LINKED = auto()
    """Of a run of ours, where only its own queries are any: may be a part of one that is linked with it."""


class Candidates(msgspec.Struct, frozen=True):
    """The candidates of one trace, by their start; no two of them overlap."""

    source: CandidateOrigin
    keys: tuple[SpanKey, ...]


def is_query(span: Span) -> bool:
    """Whether `span` is a query span of ours (warm-up included), not a span that is only called so."""
    return semconv.QUERY_ID in span.attributes or span.attributes.get(semconv.QUERY_WARMUP) is True


def _may_be_a_query(shape: Shape) -> bool:
    return not _OF_QUERIES.isdisjoint(shape.names)


class Trace(msgspec.Struct, frozen=True):
    """One trace: its spans, parents first, and those of the whole source at or below which a model is asked."""

    forest: Forest
    calls: Calls
    keys: Sequence[SpanKey]
    with_calls: Set[SpanKey]

    def candidates(self) -> Candidates:
        """By the first rule that finds any."""
        for source, rule in (
            (CandidateOrigin.OWN, self._own),
            (CandidateOrigin.AGENT, self._agents),
            (CandidateOrigin.ROOT, self._roots),
            (CandidateOrigin.FROM_AFAR, self._served_from_afar),
        ):
            if keys := longest_apart(self.forest.spans, rule()):
                return Candidates(source, keys)
        return Candidates(CandidateOrigin.STAND_IN, self._stand_in())

    def planned_queries(self) -> Candidates:
        """By the first rule; what the others find is no query, but may be a part of a linked one."""
        found = self.candidates()
        return (
            found if found.source is CandidateOrigin.OWN else Candidates(CandidateOrigin.LINKED, found.keys)
        )

    def _own(self) -> Iterable[SpanKey]:
        if not some(_may_be_a_query, self.forest.shapes):
            return ()
        own = {key for key in self.keys if is_query(self.forest.spans[key])}
        return self._outermost(own, own)

    def _outermost(self, ones: Set[SpanKey], hiding: Set[SpanKey]) -> Iterator[SpanKey]:
        """Those of `ones`, by their trees, that are below none that hides."""
        if not ones:
            return
        below: set[SpanKey] = set()
        for key in self.keys:
            parent = self.forest.parent[key]
            if parent is not None and (parent in below or parent in hiding):
                below.add(key)
            elif key in ones:
                yield key

    def _agents(self) -> Iterable[SpanKey]:
        if Role.AGENT not in self.calls.roles:
            return ()
        role, spans = self.calls.role, self.forest.spans
        agents = {key for key in self.keys if role[key] is Role.AGENT}
        hiding = {key for key in self.keys if role[key] in _PARTS_OF_A_RUN} if agents else agents
        runs = [*self._outermost(agents, hiding)]
        if len(runs) > 1:
            tools = [spans[key] for key in self.keys if role[key] is Role.TOOL]
            runs = [run for run in runs if not any(is_inside(spans[run], tool) for tool in tools)] or runs
        groups = self._groups(runs)
        by_start = sorted({groups.get(run, run) for run in runs}, key=lambda key: (spans[key].start_ns, key))
        found = [*clusters(spans, by_start)]
        return [self._shared(cluster, by_start) for cluster in found]

    def _groups(self, runs: Sequence[SpanKey]) -> dict[SpanKey, SpanKey]:
        """For each run the workflow around it, or the request, if others, calls or tools are there too."""
        around = {run: group for run in runs if (group := self._group(run)) is not None}
        if not around:
            return {}
        count = Counter(around.values())
        spans = self.forest.spans
        judging = (key for key in self.keys if self.calls.role[key] is Role.EVALUATION)
        below, parts = self.forest.below([*runs, *judging]), (Role.CHAT, Role.TOOL)
        for key in self.keys:
            if key in below or (key not in self.calls.calls and self.calls.role[key] not in parts):
                continue
            is_beside = not any(is_inside(spans[key], spans[run]) for run in runs)
            if is_beside and (group := self._group(key)) is not None:
                count[group] += 1
        shared = {run: group if count[group] > 1 else self._workflow(run) for run, group in around.items()}
        return {run: group for run, group in shared.items() if group is not None}

    def _group(self, key: SpanKey) -> SpanKey | None:
        """The outermost request, workflow or conversation above a span."""
        group = None
        for above in self.forest.above(key):
            span = self.forest.spans[above]
            is_request = span.kind in (SpanKind.SERVER, SpanKind.CONSUMER) and not is_connection(span)
            if is_request or self.calls.role[above] is Role.WORKFLOW:
                group = above
        return group

    def _workflow(self, key: SpanKey) -> SpanKey | None:
        workflows = (above for above in self.forest.above(key) if self.calls.role[above] is Role.WORKFLOW)
        return next(reversed([*workflows]), None)

    def _shared(self, cluster: Sequence[SpanKey], others: Sequence[SpanKey]) -> SpanKey:
        """The nearest span that all of `cluster` and no others hang below, itself if it is alone; else the longest."""
        if len(cluster) == 1:
            return cluster[0]
        above = [set(self.forest.above(key)) for key in cluster]
        shared = next(
            (key for key in self.forest.above(cluster[0]) if all(key in one for one in above)), None
        )
        if shared is not None and not any(
            shared in self.forest.above(key) for key in others if key not in cluster
        ):
            return shared
        return longest_apart(self.forest.spans, cluster)[0]

    def _roots(self) -> Iterable[SpanKey]:
        roots = [key for key in self.keys if self.forest.spans[key].parent_id is None]
        with_calls = (self._beside_judges(key) for key in roots if key in self.with_calls)
        return [question for key in with_calls for question in self._questions(key)] or roots

    def _questions(self, key: SpanKey) -> Iterable[SpanKey]:
        """What was asked over a connection; itself if it is none, or if tools show that one question has many calls."""
        below = self.forest.children.get(key, ())
        are_steps = any(self.calls.role[child] is Role.TOOL for child in below)
        if are_steps or not is_connection(self.forest.spans[key]):
            return (key,)
        return [child for child in below if child in self.with_calls] or (key,)

    def _beside_judges(self, key: SpanKey) -> SpanKey:
        """A root, or what below it asks a model for itself: the only one beside evaluations that ask one too."""
        while Role.EVALUATION in self.calls.roles:
            with_calls = [child for child in self.forest.children.get(key, ()) if child in self.with_calls]
            judged = [child for child in with_calls if self.calls.role[child] is not Role.EVALUATION]
            if len(judged) != 1 or len(judged) == len(with_calls):
                return key
            key = judged[0]
        return key

    def _served_from_afar(self) -> Iterable[SpanKey]:
        """The requests that a server answered, if the server alone was traced: no client's span is without its parent.

        A server's phases may be, if it was killed before it could write the request around them.
        """
        orphans = [key for key in self.keys if key in self.forest.orphans]
        tops = [self.forest.spans[key] for key in orphans]
        if not all(is_server(top) or written_provenance(top) is Provenance.SERVER for top in tops):
            return []
        return [key for key in orphans if is_server(self.forest.spans[key])]

    def _stand_in(self) -> tuple[SpanKey, ...]:
        """The earliest top that asks a model, else the earliest of all: `keys` start with it."""
        tops = [key for key in self.keys if self.forest.parent[key] is None]
        return tuple(([key for key in tops if key in self.with_calls] or tops)[:1])
