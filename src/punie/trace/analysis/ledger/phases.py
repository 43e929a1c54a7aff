"""What each span's time was spent on: its own word first, else its name, its attributes and where it hangs.

The rules of somebody else's spans, of which only the conventions are known:

| span | phase |
| --- | --- |
| model call (`chat`) | framework: what is left of it; model, inferred, if nothing finer hangs below it or if it
  outlasts its requests (`outlasting`) |
| POST below a model call, a server span below it | http |
| POST below a model call, no server span below it | model, inferred |
| HTTP request below a tool | tool |
| failed request that its client tried again | retry |
| any other HTTP request | http |
| server span of a request | serve; model, inferred, if it is a model's and shows nothing of its inside |
| `execute_tool` | tool |
| agent, query | framework |
| any other | as the span around it |

One request may be known in several ways. The best account alone counts, the others describe the same work: spans
of the server's process, else timings in the body, else what was read off the stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from punie.trace import semconv
from punie.trace.analysis.foreign.agents import with_conventions
from punie.trace.analysis.foreign.servers import with_foreign_phases
from punie.trace.analysis.queries.roots import Queries, find_queries, query_key
from punie.trace.analysis.queries.surroundings import (
    FINER_THAN_CHAT,
    FINER_THAN_SERVER,
    Below,
    Inside,
    Surroundings,
    look_around,
)
from punie.trace.analysis.trees.roles import (
    Role,
    has_failed,
    may_ask_a_model,
    written_phase,
    written_provenance,
)
from punie.trace.analysis.trees.tree import Forest, SpanKey, grow
from punie.trace.model import Phase, Provenance, Span

Known = tuple[Phase, Provenance]
FRAMEWORK: Known = (Phase.FRAMEWORK, Provenance.CLIENT)
MODEL: Known = (Phase.MODEL, Provenance.INFERRED)
HTTP: Known = (Phase.HTTP, Provenance.CLIENT)
TOOL: Known = (Phase.TOOL, Provenance.CLIENT)
RETRY: Known = (Phase.RETRY, Provenance.CLIENT)
SERVE: Known = (Phase.SERVE, Provenance.SERVER)


@dataclass(frozen=True, slots=True)
class PhasedSpan:
    """One span as the ledger reads it. Times are as recorded: the ledger's own text mends and clips them.

    `parent_id` is None where the link was missing or cut, `is_root` marks the span whose window is the query's.
    `detached` are spans that only follow another one, and all below them: they count, and nobody waited for them.
    """

    query_key: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start_ns: int
    end_ns: int
    phase: Phase
    provenance: Provenance
    is_root: bool = False
    detached: bool = False


def classify(spans: Iterable[Span]) -> tuple[PhasedSpan, ...]:
    """Phase and query of every span that belongs to one, for spans from any source."""
    forest = grow(with_foreign_phases(with_conventions(spans)))
    return phased_spans(forest, find_queries(forest), look_around(forest))


def phased_spans(forest: Forest, queries: Queries, around: Surroundings) -> tuple[PhasedSpan, ...]:
    """As `classify`, for a forest whose queries are known. Parents come before their children."""
    known = known_phases(forest, around)
    detached = _detached(forest, queries)
    left_out = second_accounts(forest, around)
    return tuple(
        PhasedSpan(
            query_key=query_key(queries.of[key]),
            trace_id=key[0],
            span_id=key[1],
            parent_id=_parent_id(forest, queries, key),
            start_ns=forest.spans[key].start_ns,
            end_ns=forest.spans[key].end_ns,
            phase=known[key][0],
            provenance=known[key][1],
            is_root=queries.of[key] == key,
            detached=key in detached,
        )
        for key in forest.order
        if key in queries.of and key not in left_out
    )


def _detached(forest: Forest, queries: Queries) -> frozenset[SpanKey]:
    """What only follows another span, with all below it, down to queries of their own."""
    return forest.below(key for key in forest.follows if queries.of.get(key) != key)


def _parent_id(forest: Forest, queries: Queries, key: SpanKey) -> str | None:
    parent = forest.parent[key]
    return parent[1] if parent is not None and queries.of.get(parent) == queries.of[key] else None


def second_accounts(forest: Forest, around: Surroundings) -> frozenset[SpanKey]:
    """The spans that tell of a request what a better witness tells as well.

    They are left out rather than renamed: beside the server's spans they would look like work in parallel.
    """
    found: set[SpanKey] = set()
    request: dict[SpanKey, SpanKey | None] = {}
    for key in forest.order:
        parent = forest.parent[key]
        request[key] = key if around.role[key] is Role.HTTP else None if parent is None else request[parent]
        asked = request[key]
        if asked is not None and asked != key and _is_second(forest.spans[key], around.below[asked]):
            found.add(key)
    return frozenset(found)


def _is_second(span: Span, known_of_request: Below) -> bool:
    if written_phase(span) is None:
        return False
    match written_provenance(span):
        case Provenance.STREAM:
            return bool(known_of_request & (Below.SERVED_GENERATION | Below.TOLD_GENERATION))
        case Provenance.BODY:
            return Below.SERVED_GENERATION in known_of_request
        case _:
            return False


def known_phases(forest: Forest, around: Surroundings) -> dict[SpanKey, Known]:
    """Phase and provenance of every span of the forest, each taken for itself."""
    retried = _retried(forest, around)
    known: dict[SpanKey, Known] = {}
    for key in forest.order:
        parent = forest.parent[key]
        around_it = FRAMEWORK if parent is None else known[parent]
        written = _written(forest.spans[key])
        if written is None:
            known[key] = RETRY if key in retried else _by_role(forest.spans[key], key, around, around_it)
        else:
            known[key] = written
    return known


def _written(span: Span) -> Known | None:
    phase = written_phase(span)
    return None if phase is None else (phase, written_provenance(span))


def _by_role(span: Span, key: SpanKey, around: Surroundings, around_it: Known) -> Known:
    inside, below = around.inside[key], around.below[key]
    match around.role[key]:
        case Role.CHAT:
            return FRAMEWORK if below & FINER_THAN_CHAT and key not in around.outlasting else MODEL
        case Role.TOOL:
            return TOOL
        case Role.AGENT:
            return FRAMEWORK
        case Role.HTTP:
            return _of_request(span, inside, below)
        case Role.SERVER:
            return _of_server(span, inside, below, around_it)
        case Role.OTHER:
            return FRAMEWORK if semconv.QUERY_ID in span.attributes else around_it


def _of_request(span: Span, inside: Inside, below: Below) -> Known:
    if Inside.TOOL in inside:
        return TOOL
    if Inside.CHAT in inside and may_ask_a_model(span) and Below.SERVER not in below:
        return MODEL
    return HTTP


def _of_server(span: Span, inside: Inside, below: Below, around_it: Known) -> Known:
    if Inside.TOOL in inside:
        return TOOL
    is_model = (
        Inside.CHAT in inside or semconv.text(span.attributes, semconv.OPERATION) in semconv.OPERATION_CHAT
    )
    if is_model:
        return SERVE if below & FINER_THAN_SERVER else MODEL
    return SERVE if Inside.HTTP in inside else around_it


def _retried(forest: Forest, around: Surroundings) -> set[SpanKey]:
    """Failed requests of a model call after whose end the same parent began another one."""
    found: set[SpanKey] = set()
    for children in forest.children.values():
        requests = [
            key for key in children if around.role[key] is Role.HTTP and Inside.CHAT in around.inside[key]
        ]
        if len(requests) > 1:
            last_start_ns = forest.spans[requests[-1]].start_ns
            ended = (key for key in requests[:-1] if forest.spans[key].end_ns <= last_start_ns)
            found.update(key for key in ended if has_failed(forest.spans[key]))
    return found
