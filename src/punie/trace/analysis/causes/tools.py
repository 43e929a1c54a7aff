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

import msgspec

from punie.trace.analysis.causes.model import Cause, CauseKind
from punie.trace.analysis.causes.prompts import SpanPrompt, ToolExecution, ToolResult
from punie.trace.analysis.queries.requests import ModelRequest

LONG_RESULT_CHARACTERS: Final = 2_000
_WORD: Final = re.compile(r"[^\W_]{4,}")
Calls = Mapping[str, Sequence[ToolExecution]]


def tool_causes(
    requests: Sequence[ModelRequest], prompts: Sequence[SpanPrompt], calls: Calls
) -> Iterator[Cause]:
    """What tools cost that they needn't."""
    by_query: dict[str, list[ModelRequest]] = defaultdict(list)
    for request in requests:
        if not request.warmup:
            by_query[request.query_key].append(request)
    if not by_query:
        return
    gaps = [
        (request, following, _between(calls.get(request.trace_id, ()), request, following))
        for of_query in by_query.values()
        for request, following in pairwise(of_query)
    ]
    yield from _one_after_another([ran for _, _, ran in gaps], len(by_query))
    yield from _per_turn(gaps, calls, len(by_query))
    yield from _long_results(prompts, calls, len(by_query))


def _between(
    calls: Iterable[ToolExecution], request: ModelRequest, following: ModelRequest
) -> list[ToolExecution]:
    return [call for call in calls if request.start_ns <= call.start_ns < following.start_ns]


def _one_after_another(gaps: Iterable[Sequence[ToolExecution]], queries: int) -> Iterator[Cause]:
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


Gap = tuple[ModelRequest, ModelRequest, Sequence[ToolExecution]]


def _per_turn(gaps: Sequence[Gap], calls: Calls, queries: int) -> Iterator[Cause]:
    """One turn for each of two tools, of which the second needs nothing of the first."""
    saving = []
    for request, following, ran in gaps:
        after = [c for c in calls.get(request.trace_id, ()) if c.start_ns >= following.end_ns]
        nearest = after[:1] if after and ran else []
        if (
            len(ran) == 1
            and nearest
            and _requested_by(following, nearest[0], gaps)
            and _independent(ran[0], nearest[0])
        ):
            saving.append((following, ran[0], nearest[0]))
    if not saving:
        return
    prefills = [request.prefill_ns for request, _, _ in saving]
    least = sum(ns for ns in prefills if ns is not None) if None not in prefills else 0
    most = sum(r.end_ns - r.start_ns + min(a.duration_ns, b.duration_ns) for r, a, b in saving)
    yield Cause(
        CauseKind.TOOL_PER_TURN,
        times=len(saving),
        of=len(gaps),
        least_ns=least // queries,
        most_ns=most // queries,
        tools=_names(call for _, a, b in saving for call in (a, b)),
    )


def _requested_by(request: ModelRequest, call: ToolExecution, gaps: Sequence[Gap]) -> bool:
    """Whether it is the only tool that this request asked for."""
    return any(before is request and list(ran) == [call] for before, _, ran in gaps)


def _independent(first: ToolExecution, second: ToolExecution) -> bool:
    """Whether no word of the second's arguments was learnt from the first's result; without content nobody knows."""
    if not (first.arguments and second.arguments and first.result):
        return False
    if (first.name, first.arguments) == (second.name, second.arguments):
        return False
    learnt = _words(first.result) - _words(first.arguments)
    return not _words(second.arguments) & learnt


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))


class ResultRead(msgspec.Struct, frozen=True):
    """A result of a tool in one prompt, and what each of its characters costs there: tokens go by characters.

    It was read again if an earlier prompt of the query had it already; from the prompt cache it costs nothing.
    `ns_a_character` is None where prefill or tokens aren't known, `prefill_ns` is the most that it can have cost.
    """

    query_key: str
    result: ToolResult
    again: bool
    ns_a_character: float | None
    prefill_ns: int | None

    def over_ns(self, limit: int) -> int | None:
        """The part of the request's prefill that the characters over `limit` took."""
        over = len(self.result.text) - limit
        if over <= 0 or self.ns_a_character == 0:
            return 0
        if self.ns_a_character is None or self.prefill_ns is None:
            return None
        return round(min(self.prefill_ns, over * self.ns_a_character))


def read_results(prompts: Iterable[SpanPrompt], longer_than: int) -> Iterator[ResultRead]:
    """Every result of a tool in prompts that are longer than so many characters, each time that it was read."""
    seen: set[tuple[str, str, int]] = set()
    for prompt in prompts:
        for result in prompt.results(longer_than):
            place = (prompt.request.query_key, result.call_id, result.message)
            again = place in seen
            cost = _ns_per_character(prompt.request, result, again=again)
            yield ResultRead(place[0], result, again, cost, prompt.request.prefill_ns)
            seen.add(place)


def _long_results(prompts: Sequence[SpanPrompt], calls: Calls, queries: int) -> Iterator[Cause]:
    """What is over the limit of the results of each tool, by the prefill of the requests that read them."""
    by_tool: dict[str, list[ResultRead]] = defaultdict(list)
    for read in read_results(prompts, LONG_RESULT_CHARACTERS):
        if len(read.result.text) > LONG_RESULT_CHARACTERS:
            by_tool[read.result.tool].append(read)
    ran = Counter(call.name for of_trace in calls.values() for call in of_trace)
    for tool, results in sorted(by_tool.items()):
        costs = [read.over_ns(LONG_RESULT_CHARACTERS) for read in results]
        known = [ns for ns in costs if ns is not None]
        longest = max((read.result for read in results), key=lambda result: len(result.text))
        times = sum(not read.again for read in results)
        yield Cause(
            CauseKind.LONG_TOOL_RESULTS,
            times=times,
            of=max(ran[tool], times),
            least_ns=sum(known) // queries if len(known) == len(costs) else None,
            most_ns=sum(known) // queries if len(known) == len(costs) else None,
            message=longest.message,
            tools=(tool,),
            characters=len(longest.text),
        )


def _ns_per_character(request: ModelRequest, result: ToolResult, *, again: bool) -> float | None:
    """Of the request's prefill; 0 for what came from the prompt cache, as only what was read before can."""
    lengths, tokens = request.client_messages.lengths, request.tokens
    if request.prefill_ns is None or not lengths or not tokens.input or tokens.cached is None:
        return None
    a_character = tokens.input / max(1, sum(lengths))
    uncached = tokens.input - tokens.cached
    if uncached <= 0 or (again and tokens.cached > sum(lengths[: result.message]) * a_character):
        return 0.0
    return request.prefill_ns * a_character / uncached


def _names(calls: Iterable[ToolExecution]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(call.name for call in calls))
