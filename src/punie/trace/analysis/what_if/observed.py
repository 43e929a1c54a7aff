"""The queries that a prediction can rest on: their requests one after another, with tokens and times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from punie.trace.analysis.cache.bill import CacheBill
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.queries.windows import union_ns
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Phase

Window = tuple[int, int]


class ObservedTurn(msgspec.Struct, frozen=True):
    """One request to a model.

    `prefill_ns` and `decode_ns` are None where no span separates them, `uncached_tokens` where it isn't reported
    how much of the prompt was cached.

    `read_again` are tokens that the server had read before and read again: at least, at most; None where the
    messages' digests don't show.
    """

    start_ns: int
    end_ns: int
    uncached_tokens: int | None
    output_tokens: int
    prefill_ns: int | None
    decode_ns: int | None
    read_again: tuple[int, int] | None

    @property
    def duration_ns(self) -> int:
        """From asking to the last byte."""
        return self.end_ns - self.start_ns


class ObservedQuery(msgspec.Struct, frozen=True):
    """One asked query: its turns in order.

    `tools_apart_ns` is what its tools took one after another although they were asked for together (their time
    less the longest's, summed over the turns).
    """

    query_id: str
    repeat: int
    server_start: int
    wall_ns: int
    turns: tuple[ObservedTurn, ...]
    tools_apart_ns: int


class ObservedQueries(msgspec.Struct, frozen=True):
    """What can be predicted from, and why the rest was left out: reason and count."""

    queries: tuple[ObservedQuery, ...]
    left_out: Mapping[str, int]


def tool_windows(phased: Iterable[PhasedSpan]) -> Mapping[str, tuple[Window, ...]]:
    """When the tools of every query ran, by its key: (start, end) in ns, by their start."""
    of_tool: dict[str, list[Window]] = defaultdict(list)
    for span in phased:
        if span.phase is Phase.TOOL and span.end_ns > span.start_ns:
            of_tool[span.query_key].append((span.start_ns, span.end_ns))
    return {key: tuple(sorted(windows)) for key, windows in of_tool.items()}


def observe(
    records: Sequence[QueryRecord],
    requests: Sequence[ModelRequest],
    tools: Mapping[str, Sequence[Window]],
    bill: CacheBill,
) -> ObservedQueries:
    """The queries of `records` (asked and succeeded) whose requests report their tokens and don't overlap."""
    again: dict[SpanKey, tuple[int, int]] = {
        (turn.trace_id, turn.span_id): (turn.miss.least_tokens, turn.miss.most_tokens)
        if turn.miss
        else (0, 0)
        for turn in bill.requests
        if turn.judged
    }
    of_query: dict[str, list[ModelRequest]] = defaultdict(list)
    for request in requests:
        of_query[request.query_key].append(request)
    queries, left_out = [], Counter[str]()
    for record in records:
        key = record.ledger.query_key
        own = sorted(of_query[key], key=lambda request: request.start_ns)
        reason = _unusable(record, own)
        if reason:
            left_out[reason] += 1
        else:
            queries.append(_query(record, own, tools.get(key, ()), again))
    return ObservedQueries(tuple(queries), dict(left_out))


def _unusable(record: QueryRecord, requests: Sequence[ModelRequest]) -> str:
    if not requests:
        return "no request to a model"
    if record.truncated:
        return "an answer cut at its token limit"
    if any(request.tokens.input is None or request.tokens.output is None for request in requests):
        return "a request without token counts"
    if any(request.end_ns < request.start_ns for request in requests):
        return "a request with impossible times"
    if any(later.start_ns < earlier.end_ns for earlier, later in pairwise(requests)):
        return "requests in parallel"
    return ""


def _query(
    record: QueryRecord,
    requests: Sequence[ModelRequest],
    tools: Sequence[Window],
    again: Mapping[SpanKey, tuple[int, int]],
) -> ObservedQuery:
    turns = tuple(_turn(request, again) for request in requests)
    return ObservedQuery(
        query_id=record.query_id,
        repeat=record.repeat,
        server_start=record.server_start,
        wall_ns=record.wall_ns,
        turns=turns,
        tools_apart_ns=_apart_ns(tools, [turn.start_ns for turn in turns]),
    )


def _turn(request: ModelRequest, again: Mapping[SpanKey, tuple[int, int]]) -> ObservedTurn:
    tokens, cached = request.tokens, request.tokens.cached
    return ObservedTurn(
        start_ns=request.start_ns,
        end_ns=request.end_ns,
        uncached_tokens=None if cached is None else max(0, (tokens.input or 0) - cached),
        output_tokens=tokens.output or 0,
        prefill_ns=request.prefill_ns,
        decode_ns=request.decode_ns,
        read_again=again.get((request.trace_id, request.span_id)),
    )


def _apart_ns(tools: Sequence[Window], starts: Sequence[int]) -> int:
    """Summed over the turns: how long its tools took, less the longest of them."""
    of_turn: dict[int, list[Window]] = defaultdict(list)
    for window in tools:
        of_turn[sum(1 for start in starts if start <= window[0])].append(window)
    return sum(union_ns(windows) - max(end - start for start, end in windows) for windows in of_turn.values())
