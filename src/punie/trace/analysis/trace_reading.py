"""One trace in, all that is known of its queries out: records, requests, and what is wrong with it.

Nearly everything is a question about one trace, so this is where the time of a report goes. What it takes from other
traces is in `Surroundings`, what it passes on to them in a `Reading`; its spans may be forgotten then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from textwrap import shorten
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Call
from punie.trace.analysis.calls.tools import tool_calls
from punie.trace.analysis.calls.usage import (
    Reporter,
    TokenCounts,
    counts_for_sums,
    failed_answer,
    token_counts,
    usage_of,
)
from punie.trace.analysis.integrity.checks import Checks, check_traces
from punie.trace.analysis.ledger.in_turn import by_query
from punie.trace.analysis.ledger.ledger import ledgers_of
from punie.trace.analysis.ledger.phases import phased_spans
from punie.trace.analysis.path.query_paths import paths_of
from punie.trace.analysis.queries.candidates import is_query
from punie.trace.analysis.queries.outline import Outline
from punie.trace.analysis.queries.requests import (
    ModelRequest,
    read_requests,
    reporters,
    reporters_excluding_cached,
)
from punie.trace.analysis.queries.roots import query_key
from punie.trace.analysis.queries.selection import JudgedCandidate
from punie.trace.analysis.queries.traces import PlannedKey, Surroundings, Traces, planned_keys, read_traces
from punie.trace.analysis.records import PlannedQuery, QueryLedger, QueryPath, QueryRecord
from punie.trace.analysis.trees.roles import Role, error_type, has_failed
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.analysis.what_if.observed import Window, tool_windows
from punie.trace.model import AttributeValue, Disturbance, Span, SpanSet

_DISTURBANCES: Final = frozenset(Disturbance)
_NAME_LENGTH: Final = 40  # characters of a question


class Reading(msgspec.Struct, frozen=True):
    """What is known of one trace, or of several that belong together.

    `records` are its queries by their start, `requests` theirs to models, `tools` when their tools ran, by the query's
    key. `checks` add up with those of others. Of what others have to know: `outlines` and the fates of candidates
    (`judged`); `filling` addresses and `strange` ones (`calls/contexts`); the reporters of tokens, and which of them
    report prompts `apart`.
    """

    records: tuple[QueryRecord, ...]
    requests: tuple[ModelRequest, ...]
    tools: Mapping[str, tuple[Window, ...]]
    checks: Checks
    planned: frozenset[PlannedKey]
    outlines: tuple[Outline, ...]
    judged: Mapping[SpanKey, JudgedCandidate]
    filling: Set[str]
    strange: Set[str]
    reporters: frozenset[Reporter]
    apart: frozenset[Reporter]


def read_trace(
    spans: Sequence[Span],
    planned: Sequence[PlannedQuery],
    now_ns: int | None,
    around: Surroundings | None = None,
) -> Reading:
    """Read the spans of one trace, or of several that belong together; without `around` there are no others."""
    around = around or Surroundings()
    traces = read_traces(SpanSet(tuple(spans)), planned, now_ns=now_ns, around=around)
    phased = phased_spans(traces.forest, traces.queries, traces.calls, is_nested=traces.is_one_nested_tree)
    own_apart = reporters_excluding_cached(traces)
    apart, names = around.apart | own_apart, _query_ids(traces)
    requests = read_requests(traces, names, apart)
    queries = by_query(phased)
    paths = paths_of(queries)
    return Reading(
        records=read_records(traces, names, ledgers_of(queries), requests, paths, apart),
        requests=tuple(request for of_query in requests.values() for request in of_query),
        tools=tool_windows(phased),
        checks=check_traces(traces),
        planned=planned_keys(traces) if planned else frozenset(),
        outlines=traces.outlines,
        judged=traces.judged,
        filling=traces.calls.contexts.filling or frozenset(),
        strange=traces.calls.contexts.strange or frozenset(),
        reporters=reporters(traces),
        apart=own_apart,
    )


def read_records(
    traces: Traces,
    names: Mapping[SpanKey, str],
    ledgers: Sequence[QueryLedger],
    requests: Mapping[SpanKey, Sequence[ModelRequest]],
    paths: Mapping[str, QueryPath],
    apart: Set[Reporter],
) -> tuple[QueryRecord, ...]:
    """One record a ledger, in their order; `names` and `requests` are by the query's root, `paths` by its key.

    `apart` are reporters of prompts without what of them was cached.
    """
    roots = {query_key(root): root for root in traces.queries.roots}
    members = _members(traces)
    return tuple(
        _record(traces, ledger, root, names[root], members[root], requests[root], paths, apart)
        for ledger in ledgers
        for root in (roots[ledger.query_key],)
    )


def _members(traces: Traces) -> Mapping[SpanKey, Sequence[SpanKey]]:
    """The spans of each query by its root, parents first."""
    of, order = traces.queries.of, traces.forest.order
    if len(traces.queries.roots) == 1 and len(of) == len(order):
        return {traces.queries.roots[0]: order}
    members: dict[SpanKey, list[SpanKey]] = {root: [] for root in traces.queries.roots}
    for key in order:
        if (root := of.get(key)) is not None:
            members[root].append(key)
    return members


def _network_is_known(traces: Traces, calls: Sequence[Call], members: Sequence[SpanKey]) -> bool:
    is_reported = not traces.calls.unreported or traces.calls.unreported.isdisjoint(members)
    return bool(calls) and is_reported and all(map(_shows_its_server, calls))


def _shows_its_server(call: Call) -> bool:
    return call.is_covered and any(server is not call.span for server in call.servers)


def _refused(traces: Traces, members: Sequence[SpanKey]) -> Iterator[Call]:
    """Calls of which nothing came: no requests, but perhaps the last that a query asked."""
    refused = traces.calls.refused
    return (traces.calls.calls[key] for key in (members if refused else ()) if key in refused)


def _query_ids(traces: Traces) -> dict[SpanKey, str]:
    several = _traces_with_several(traces.queries.roots)
    return {root: _query_id(traces.forest.spans[root], several) for root in traces.queries.roots}


def _traces_with_several(roots: Sequence[SpanKey]) -> frozenset[str]:
    if len(roots) < 2:
        return frozenset()
    counts = Counter(trace_id for trace_id, _ in roots)
    return frozenset(trace_id for trace_id, count in counts.items() if count > 1)


def _record(
    traces: Traces,
    ledger: QueryLedger,
    root: SpanKey,
    query_id: str,
    members: Sequence[SpanKey],
    own_requests: Sequence[ModelRequest],
    paths: Mapping[str, QueryPath],
    apart: Set[Reporter],
) -> QueryRecord:
    span, start = traces.forest.spans[root], traces.starts[root]
    calls = traces.requests[root]
    usage = usage_of(calls, _counts(traces, calls, own_requests, members, apart))
    return QueryRecord(
        query_id=query_id,
        trace_id=span.trace_id,
        ledger=ledger,
        warmup=span.attributes.get(semconv.QUERY_WARMUP) is True,
        repeat=semconv.integer(span.attributes, semconv.QUERY_REPEAT) or 0,
        server_start=start.number,
        run_id=start.run_id,
        start_in_run=start.in_run,
        position=semconv.integer(span.attributes, semconv.QUERY_POSITION) or 0,
        expected=semconv.text(span.attributes, semconv.QUERY_EXPECTED),
        ok=_truth(span.attributes.get(semconv.QUERY_OK)),
        failures=_slugs(span.attributes.get(semconv.QUERY_FAILURES)),
        failure_details=_slugs(span.attributes.get(semconv.QUERY_FAILURE_DETAILS)),
        error=_error(span, (call.span for call in _refused(traces, members)))
        or (None if is_query(span) else failed_answer([*calls, *_refused(traces, members)])),
        conversation=semconv.text(span.attributes, semconv.SESSION),
        disturbed_by=_disturbance(span),
        cache=semconv.text(span.attributes, semconv.QUERY_CACHE),
        tool_calls=len(tool_calls(traces.forest, traces.calls.role, traces.in_time(members)))
        if Role.TOOL in traces.calls.roles
        else 0,
        network_known=_network_is_known(traces, calls, members),
        model_requests=usage.model_requests,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        time_to_first_chunk_ns=usage.time_to_first_chunk_ns,
        truncated=usage.truncated,
        critical_path=paths.get(ledger.query_key),
    )


def _counts(
    traces: Traces,
    calls: Sequence[Call],
    requests: Sequence[ModelRequest],
    members: Sequence[SpanKey],
    apart: Set[Reporter],
) -> Sequence[TokenCounts]:
    """The counts of a query's requests, to be added up; where some have none, calls around several may have the sum."""
    counts = [request.tokens for request in requests]
    is_reported = all(one.input is not None and one.output is not None for one in counts)
    if is_reported or not any(map(_is_around_several, traces.calls.calls.values())):
        return counts
    around = [call for key in members if (call := traces.calls.calls.get(key)) and _is_around_several(call)]
    around.sort(key=lambda call: call.span.duration_ns)
    return counts_for_sums(
        {call.key: one for call, one in zip(calls, counts, strict=True)},
        [
            (token_counts(call, cache_arm=None, apart=apart), _innermost(call, traces.calls.calls))
            for call in around
        ],
    )


def _is_around_several(call: Call) -> bool:
    return len(call.inner) > 1


def _innermost(call: Call, calls: Mapping[SpanKey, Call]) -> Set[SpanKey]:
    """The calls in a call that have none in them."""
    innermost, inside = set(), [*call.inner]
    while inside:
        key = inside.pop()
        inside += calls[key].inner
        if not calls[key].inner:
            innermost.add(key)
    return innermost


def _query_id(root: Span, several: frozenset[str]) -> str:
    """The suite's id, or what its agent was asked and when; else the trace, since each of these was asked once."""
    if is_query(root):
        return semconv.text(root.attributes, semconv.QUERY_ID) or root.trace_id
    name = semconv.text(root.attributes, semconv.QUERY_NAME)
    if name is not None:
        words = shorten(
            semconv.text(root.attributes, semconv.QUERY_TEXT) or "", _NAME_LENGTH, placeholder="…"
        )
        return f"{name} {words}".rstrip()
    return query_key((root.trace_id, root.span_id)) if root.trace_id in several else root.trace_id


def _disturbance(span: Span) -> Disturbance | None:
    named = semconv.text(span.attributes, semconv.QUERY_DISTURBED)
    return None if named is None or named not in _DISTURBANCES else Disturbance(named)


def _truth(value: AttributeValue) -> bool | None:
    return value if isinstance(value, bool) else None


def _slugs(value: AttributeValue) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, Sequence) else ()


def _error(root: Span, failed: Iterable[Span]) -> str | None:
    """What a query's root says of how it failed, else what the calls say that failed in it."""
    written = semconv.text(root.attributes, semconv.QUERY_ERROR)
    kind = semconv.text(root.attributes, semconv.ERROR_TYPE)  # by the conventions there only after a failure
    if written is not None or not (kind or has_failed(root)):
        return written
    return root.status_message or error_type(root) or next(filter(None, map(error_type, failed)), "error")
