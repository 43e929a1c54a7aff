"""What each span's time was spent on: its own word first, else its name, its attributes and where it hangs.

The rules of somebody else's spans, of which only the conventions are known:

| span | phase |
| --- | --- |
| model call | framework: what is left of it; model, inferred, if nothing finer hangs below it or if it goes on for
  longer than its requests (`coverage`); retry, with its requests, if it failed without an answer |
| POST in a model call or for one, a server span below it | http |
| POST in a model call or for one, no server span below it | model, inferred |
| failed request that its client tried again | retry |
| other HTTP request in a tool or in its time | tool |
| HTTP request beside whole tools or calls | as the span around it |
| any other HTTP request | http |
| server span of a model's request | serve; model, inferred, if it shows nothing of its inside |
| `execute_tool` | tool |
| agent, query | framework |
| any other | as the span around it |

One request may be known in several ways. The best source alone counts, the others describe the same work: spans
of the server's process, else timings in the body, else what was read off the stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.calls.below import FINER_THAN_CHAT, FINER_THAN_SERVER, Below
from punie.trace.analysis.calls.calls import Calls
from punie.trace.analysis.queries.roots import Queries, query_key
from punie.trace.analysis.trees.roles import Known, Role, can_be_model_request, has_failed
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import PHASE_RANK, Phase, Provenance, Span

FRAMEWORK: Known = (Phase.FRAMEWORK, Provenance.CLIENT)
MODEL: Known = (Phase.MODEL, Provenance.INFERRED)
HTTP: Known = (Phase.HTTP, Provenance.CLIENT)
TOOL: Known = (Phase.TOOL, Provenance.CLIENT)
RETRY: Known = (Phase.RETRY, Provenance.CLIENT)
_TENTHS: Final = 10
SERVE: Known = (Phase.SERVE, Provenance.SERVER)


class PhasedSpan(msgspec.Struct, frozen=True, gc=False):
    """One span as the ledger reads it. Times are as recorded: the ledger's own text mends and clips them.

    An HTTP span that ended at the headers lasts as long as what hangs below it.
    `parent_id` is None for what has none in its query's trace, `is_root` marks the span whose window is the query's.
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
    name: str = ""


def phased_spans(
    forest: Forest, queries: Queries, calls: Calls, *, is_nested: bool = False
) -> tuple[PhasedSpan, ...]:
    """Phase and query of every span that belongs to one. Parents come before their children.

    Where the forest `is_nested` (`Forest.is_one_nested_tree`) no span goes on when the one above has ended.
    """
    known = known_phases(forest, calls)
    detached = _detached(forest, queries)
    until = {} if is_nested else _open_until(forest, calls, dict(zip(forest.order, known, strict=True)))
    moved = _moved(forest, queries, calls, detached, until, is_nested=is_nested)
    names = {root: query_key(root) for root in queries.roots}
    of, superseded = queries.of, calls.superseded
    phased: list[PhasedSpan] = []
    for key, span, parent_at, how in zip(forest.order, forest.span_at, forest.parent_at, known, strict=True):
        root = of.get(key)
        if root is None or key in superseded:
            continue
        parent = forest.order[parent_at] if parent_at >= 0 else None
        if key in moved:
            parent = moved[key]
        phased.append(
            PhasedSpan(
                names[root],
                *key,
                parent[1] if parent and of.get(parent) == root else _instead(key, root, detached),
                span.start_ns,
                until.get(key, span.end_ns),
                *how,
                root == key,
                key in detached,
                span.name,
            )
        )
    return tuple(phased)


def _instead(key: SpanKey, root: SpanKey, detached: Set[SpanKey]) -> str | None:
    """In place of a parent in the same query its root: what is missing hung below that."""
    return root[1] if key != root and key[0] == root[0] and key not in detached else None


def _detached(forest: Forest, queries: Queries) -> frozenset[SpanKey]:
    """What only follows another span, with all below it, down to queries of their own."""
    return forest.below(key for key in forest.follows if queries.of.get(key) != key)


def _open_until(forest: Forest, calls: Calls, known: Mapping[SpanKey, Known]) -> dict[SpanKey, int]:
    """The HTTP spans that ended at the headers, and until when what they asked for goes on.

    POST       |----|- - - - - - - |    nobody else is at work then, and the server's time is the server's
    server       |-----------------|
    """
    spans = forest.spans
    until: dict[SpanKey, int] = {}
    for key in reversed(forest.order):
        above, span = forest.parent[key], spans[key]
        if above is None or calls.role[above] is not Role.HTTP:
            continue
        request, end_ns = spans[above], until.get(key, span.end_ns)
        rest_ns = end_ns - request.end_ns
        goes_on = span.start_ns < request.end_ns and rest_ns * _TENTHS > end_ns - span.start_ns
        if goes_on and PHASE_RANK[known[key][0]] < PHASE_RANK[known[above][0]]:
            until[above] = max(end_ns, until.get(above, 0))
    return until


def _moved(
    forest: Forest,
    queries: Queries,
    calls: Calls,
    detached: Set[SpanKey],
    until: Mapping[SpanKey, int],
    *,
    is_nested: bool,
) -> Mapping[SpanKey, SpanKey | None]:
    """The parents of what goes on when the span above has ended: the nearest that is open for the half of it.

    A call beside another one that shows the same request hangs below that one.
    """
    moved: dict[SpanKey, SpanKey | None] = dict(_beside_their_wrapper(forest, calls))
    spans, roots = forest.spans, {*queries.roots}
    for key in () if is_nested else forest.order:
        above, span = forest.parent[key], spans[key]
        if (
            above is None
            or spans[above].end_ns >= span.end_ns
            or above in until
            or key in detached
            or key in moved
        ):
            continue
        middle_ns = (span.start_ns + span.end_ns) // 2
        while above is not None and above not in roots and _ends_before(spans[above], middle_ns):
            above = moved.get(above, forest.parent[above])
        if above != forest.parent[key]:
            moved[key] = above
    return moved


def _ends_before(span: Span, time_ns: int) -> bool:
    return span.start_ns < span.end_ns <= time_ns


def _beside_their_wrapper(forest: Forest, calls: Calls) -> Iterator[tuple[SpanKey, SpanKey]]:
    """Calls that show the same as one that began before them, beside it: parents have to come first."""
    for key, call in calls.calls.items():
        for inner in call.inner:
            if (
                forest.parent[inner] == forest.parent[key]
                and call.span.start_ns < forest.spans[inner].start_ns
            ):
                yield inner, key


def known_phases(forest: Forest, calls: Calls) -> list[Known]:
    """Phase and provenance of every span of the forest in its order, each taken for itself."""
    retried = forest.below(_retried(forest, calls)) if Role.HTTP in calls.roles else frozenset()
    known: list[Known] = []
    for at, (shape, parent) in enumerate(zip(forest.shape_at, forest.parent_at, strict=True)):
        if shape.known is not None:
            known.append(shape.known)
            continue
        key, around = forest.order[at], FRAMEWORK if parent < 0 else known[parent]
        known.append(RETRY if key in retried else _by_role(forest.span_at[at], key, calls, around))
    return known


def _by_role(span: Span, key: SpanKey, calls: Calls, around: Known) -> Known:
    match calls.role[key]:
        case Role.CHAT:
            return _of_call(key, calls)
        case Role.TOOL:
            return TOOL
        case Role.AGENT:
            return FRAMEWORK
        case Role.HTTP:
            return _of_request(span, key, calls, around)
        case Role.SERVER:
            return _of_server(span, key, calls, around)
        case _:
            return FRAMEWORK if semconv.QUERY_ID in span.attributes else around


def _of_call(key: SpanKey, calls: Calls) -> Known:
    call = calls.calls[key]
    if key in calls.refused:
        return RETRY
    shows_more = bool(call.inner) or bool(calls.below[key] & FINER_THAN_CHAT)
    return FRAMEWORK if shows_more and call.is_covered else MODEL


def _of_request(span: Span, key: SpanKey, calls: Calls, around: Known) -> Known:
    contexts = calls.contexts
    if key in contexts.call:
        if contexts.call[key] in calls.refused:
            return RETRY
        return MODEL if can_be_model_request(span) and not calls.below[key] & Below.SERVER else HTTP
    if key in contexts.in_tool:
        return TOOL
    return around if key in contexts.background else HTTP


def _of_server(span: Span, key: SpanKey, calls: Calls, around: Known) -> Known:
    contexts = calls.contexts
    is_model = semconv.text(span.attributes, semconv.OPERATION) in semconv.OPERATION_CHAT
    if key in contexts.call or (is_model and key not in contexts.in_tool):
        if contexts.call.get(key) in calls.refused:
            return RETRY
        return SERVE if calls.below[key] & FINER_THAN_SERVER else MODEL
    if key in contexts.in_tool:
        return TOOL
    return SERVE if key in contexts.request or key in calls.gateways else around


def _retried(forest: Forest, calls: Calls) -> Set[SpanKey]:
    """Failed requests of a model call after whose end the same parent began another one."""
    retried: set[SpanKey] = set()
    for children in forest.children.values():
        if len(children) < 2:
            continue
        requests = [key for key in children if calls.role[key] is Role.HTTP and key in calls.contexts.call]
        if len(requests) > 1:
            last_start_ns = forest.spans[requests[-1]].start_ns
            ended = (key for key in requests[:-1] if forest.spans[key].end_ns <= last_start_ns)
            retried.update(key for key in ended if has_failed(forest.spans[key]))
    return retried
