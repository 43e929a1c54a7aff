"""Tools that wait for each other although they needn't, and results of tools that are longer than anybody reads.

    turn 1   |--model--|
    tool a             |------|
    turn 2                    |--model--|         asks for b with nothing that a returned:
    tool b                              |----|    one turn could have asked for both

That b's arguments need nothing of a's result is judged by words: none of the words (of four letters or more) in them
occurs in the result, unless it was there before. It can be wrong where a's result only made the model ask for b.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from punie.trace.analysis.causes.model import Cause, CauseKind
from punie.trace.analysis.causes.prompts import Prompt, ToolCall, ToolResult
from punie.trace.analysis.queries.requests import ModelRequest

LONG_RESULT_CHARACTERS: Final = 2_000
_WORD: Final = re.compile(r"[^\W_]{4,}")
Calls = Mapping[str, Sequence[ToolCall]]


def tool_causes(requests: Sequence[ModelRequest], prompts: Sequence[Prompt], calls: Calls) -> Iterator[Cause]:
    """What tools cost that they needn't."""
    by_query: dict[str, list[ModelRequest]] = defaultdict(list)
    for request in requests:
        if not request.warmup:
            by_query[request.query_key].append(request)
    if not by_query:
        return
    gaps = [
        (asked, following, _between(calls.get(asked.trace_id, ()), asked, following))
        for of_query in by_query.values()
        for asked, following in pairwise(of_query)
    ]
    yield from _one_after_another([ran for _, _, ran in gaps], len(by_query))
    yield from _per_turn(gaps, calls, len(by_query))
    yield from _long_results(prompts, calls, len(by_query))


def _between(calls: Iterable[ToolCall], asked: ModelRequest, following: ModelRequest) -> list[ToolCall]:
    return [call for call in calls if asked.start_ns <= call.start_ns < following.start_ns]


def _one_after_another(gaps: Iterable[Sequence[ToolCall]], queries: int) -> Iterator[Cause]:
    """Asked for in one turn, and each begun when the one before had ended."""
    several = [ran for ran in gaps if len(ran) > 1]
    waiting = [ran for ran in several if all(b.start_ns >= a.end_ns for a, b in pairwise(ran))]
    if waiting:
        saved = sum(sum(c.duration_ns for c in ran) - max(c.duration_ns for c in ran) for ran in waiting)
        yield Cause(
            CauseKind.TOOLS_ONE_AFTER_ANOTHER,
            times=len(waiting),
            of=len(several),
            least_ns=saved // queries,
            most_ns=saved // queries,
            tools=_names(call for ran in waiting for call in ran),
        )


Gap = tuple[ModelRequest, ModelRequest, Sequence[ToolCall]]


def _per_turn(gaps: Sequence[Gap], calls: Calls, queries: int) -> Iterator[Cause]:
    """One turn for each of two tools, of which the second needs nothing of the first."""
    found = []
    for asked, following, ran in gaps:
        after = [c for c in calls.get(asked.trace_id, ()) if c.start_ns >= following.end_ns]
        nearest = after[:1] if after and ran else []
        if (
            len(ran) == 1
            and nearest
            and _asked_by(following, nearest[0], gaps)
            and _independent(ran[0], nearest[0])
        ):
            found.append((following, ran[0], nearest[0]))
    if not found:
        return
    prefills = [request.prefill_ns for request, _, _ in found]
    least = sum(ns for ns in prefills if ns is not None) if None not in prefills else 0
    most = sum(r.end_ns - r.start_ns + min(a.duration_ns, b.duration_ns) for r, a, b in found)
    yield Cause(
        CauseKind.TOOL_PER_TURN,
        times=len(found),
        of=len(gaps),
        least_ns=least // queries,
        most_ns=most // queries,
        tools=_names(call for _, a, b in found for call in (a, b)),
    )


def _asked_by(request: ModelRequest, call: ToolCall, gaps: Sequence[Gap]) -> bool:
    """Whether it is the only tool that this request asked for."""
    return any(asked is request and list(ran) == [call] for asked, _, ran in gaps)


def _independent(first: ToolCall, second: ToolCall) -> bool:
    """Whether no word of the second's arguments was learnt from the first's result; without content nobody knows."""
    if not (first.arguments and second.arguments and first.result):
        return False
    if (first.name, first.arguments) == (second.name, second.arguments):
        return False
    learnt = _words(first.result) - _words(first.arguments)
    return not _words(second.arguments) & learnt


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))


def _long_results(prompts: Sequence[Prompt], calls: Calls, queries: int) -> Iterator[Cause]:
    """What is over the limit of the results of each tool, by the prefill of the request that read them first."""
    by_tool: dict[str, list[tuple[Prompt, ToolResult]]] = defaultdict(list)
    seen: set[tuple[str, str, int]] = set()
    for prompt in prompts:
        for result in prompt.results(LONG_RESULT_CHARACTERS):
            place = (prompt.request.query_key, result.call_id, result.message)
            if place in seen:
                continue
            seen.add(place)
            if len(result.text) > LONG_RESULT_CHARACTERS:
                by_tool[result.tool].append((prompt, result))
    ran = Counter(call.name for of_trace in calls.values() for call in of_trace)
    for tool, found in sorted(by_tool.items()):
        costs = [_cost_ns(prompt.request, result) for prompt, result in found]
        known = [ns for ns in costs if ns is not None]
        longest = max(found, key=lambda pair: len(pair[1].text))[1]
        yield Cause(
            CauseKind.LONG_TOOL_RESULTS,
            times=len(found),
            of=max(ran[tool], len(found)),
            least_ns=sum(known) // queries if len(known) == len(costs) else None,
            most_ns=sum(known) // queries if len(known) == len(costs) else None,
            message=longest.message,
            tools=(tool,),
            characters=len(longest.text),
        )


def _cost_ns(request: ModelRequest, result: ToolResult) -> int | None:
    """The part of the request's prefill that the characters over the limit took: tokens go by characters."""
    lengths, tokens = request.told.lengths, request.tokens
    if request.prefill_ns is None or not lengths or not tokens.input or tokens.cached is None:
        return None
    uncached = tokens.input - tokens.cached
    over = (len(result.text) - LONG_RESULT_CHARACTERS) * tokens.input / max(1, sum(lengths))
    return round(request.prefill_ns * min(1.0, over / uncached)) if uncached > 0 else 0


def _names(calls: Iterable[ToolCall]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(call.name for call in calls))
