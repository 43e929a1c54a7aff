"""A first message (instructions and tools) that isn't the same every time: no prompt cache can help behind it.

What it costs is what a cache would have if the first message stayed the same: the bill of the same requests with that
message's digests made equal, less the bill as it is. That needs counts of prompt and cached tokens and message digests;
in the traces of others, who write no digests, a change is found by the text and what it costs is not known.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from punie.trace.analysis.cache.bill import CacheBill, cache_bill
from punie.trace.analysis.causes.model import Cause, CauseKind, PromptChange
from punie.trace.analysis.causes.prompts import SpanPrompt
from punie.trace.analysis.queries.requests import MessageList, ModelRequest

_TIME: Final = re.compile(
    r"\d{1,2}:\d{2}|\d{4}-\d{2}-\d{2}|\b\d{10,19}(\.\d+)?\b|\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*day\b",
    re.IGNORECASE,
)
_AROUND: Final = 12  # characters of a changed text that are shown before the change, so that it can be found
_SHOWN: Final = 60
_JOBS: Final = 8  # with the same tools, whose last instructions are held beside each other


def preamble_causes(requests: Sequence[ModelRequest], prompts: Sequence[SpanPrompt]) -> Iterator[Cause]:
    """At most one cause for instructions and one for the order of tools; together they cost what the first says."""
    with_digests = [prompt for prompt in prompts if _digests(prompt)]
    read, changes_read = _changes_read(prompt for prompt in prompts if not _digests(prompt))
    changed = [*_digest_changes(with_digests), *changes_read]
    if not changed:
        return
    least_ns, most_ns = _cost(requests)
    of = len(with_digests) + read
    for kind, pairs in _kinds(changed).items():
        first, other = pairs[0]
        yield Cause(
            kind,
            times=len(pairs),
            of=of,
            least_ns=least_ns,
            most_ns=most_ns,
            message=0,
            change=_change(kind, first, other),
            digests=(_digests(first)[0], _digests(other)[0]) if _digests(first) else None,
        )


def _digests(prompt: SpanPrompt) -> tuple[str, ...]:
    return prompt.request.client_messages.digests


def _digest_changes(prompts: Iterable[SpanPrompt]) -> Iterator[tuple[SpanPrompt, SpanPrompt]]:
    """By the digests of each agent's first message."""
    by_agent: dict[str, list[SpanPrompt]] = {}
    for prompt in prompts:
        by_agent.setdefault(prompt.request.agent, []).append(prompt)
    for of_agent in by_agent.values():
        yield from ((a, b) for a, b in pairwise(of_agent) if _digests(a)[0] != _digests(b)[0])


def _changes_read(prompts: Iterable[SpanPrompt]) -> tuple[int, list[tuple[SpanPrompt, SpanPrompt]]]:
    """By the texts, where no digests were recorded: how many could be read, and those that changed.

    Mostly nobody records whose they are either: of one job are those that are nearly equal.
    """
    read, changed = 0, []
    jobs: dict[tuple[str, ...], list[tuple[SpanPrompt, str, tuple[str, ...]]]] = {}
    for prompt in prompts:
        text, tools = prompt.instructions, prompt.tools or ()
        if text is None:
            continue
        read += 1
        last = jobs.setdefault((prompt.request.agent, *sorted(tools)), [])
        before = next((one for one in last if _nearly_equal(one[1], text)), None)
        if before is not None:
            last.remove(before)
            if before[1:] != (text, tools):
                changed.append((before[0], prompt))
        last.insert(0, (prompt, text, tools))
        del last[_JOBS:]
    return read, changed


def _nearly_equal(one: str, other: str) -> bool:
    """Whether they share more than half of the longer at their two ends."""
    if one == other:
        return True
    shared = _shared(one, other) + _shared(one[::-1], other[::-1])
    return 2 * shared > max(len(one), len(other))


def _shared(one: str, other: str) -> int:
    """How many characters they begin with alike; by halves, since texts are long."""
    return bisect_left(range(min(len(one), len(other))), 1, key=lambda at: one[: at + 1] != other[: at + 1])


def _kinds(
    changed: Sequence[tuple[SpanPrompt, SpanPrompt]],
) -> dict[CauseKind, list[tuple[SpanPrompt, SpanPrompt]]]:
    pairs: dict[CauseKind, list[tuple[SpanPrompt, SpanPrompt]]] = {}
    for one, other in changed:
        for kind in _kinds_of(one, other):
            pairs.setdefault(kind, []).append((one, other))
    return pairs


def _kinds_of(one: SpanPrompt, other: SpanPrompt) -> Iterator[CauseKind]:
    """An agent that has other tools now was given another job; that is no cause."""
    if one.instructions is None or other.instructions is None:
        yield CauseKind.CHANGING_PREAMBLE
        return
    if sorted(one.tools or ()) != sorted(other.tools or ()):
        return
    if one.instructions != other.instructions:
        yield CauseKind.CHANGING_INSTRUCTIONS
    if one.tools != other.tools:
        yield CauseKind.REORDERED_TOOLS


def _change(kind: CauseKind, one: SpanPrompt, other: SpanPrompt) -> PromptChange | None:
    if kind is CauseKind.CHANGING_INSTRUCTIONS:
        return changed_text(one.instructions or "", other.instructions or "")
    return None


def changed_text(before: str, now: str) -> PromptChange:
    """The part of a text that changed, widened to whole words, with a little of what stands before it."""
    start = _shared(before, now)
    end = _shared(before[start:][::-1], now[start:][::-1])
    while start and not before[start - 1].isspace():
        start -= 1
    while end and not before[len(before) - end].isspace():
        end -= 1
    parts = [text[start : len(text) - end] for text in (before, now)]
    is_time = all(_TIME.search(part) for part in parts)
    shown = [text[max(0, start - _AROUND) : len(text) - end][:_SHOWN].strip() for text in (before, now)]
    return PromptChange(shown[0], shown[1], is_time)


def _cost(requests: Sequence[ModelRequest]) -> tuple[int | None, int | None]:
    """Per asked query, what a cache would spare if the first message stayed the same, and doesn't as it is."""
    queries = {one.query_key for one in requests if not one.warmup}
    now, then = cache_bill(requests), cache_bill([_steady(one) for one in requests])
    if not queries or not any(entry.judged for entry in then.requests):
        return None, None
    bounds = ((then.least_ns, _least(now)), (then.most_ns, _least(now)))
    least, most = (None if of is None else max(0, of - less) // len(queries) for of, less in bounds)
    return least, most


def _least(bill: CacheBill) -> int:
    return bill.least_ns or 0


def _steady(request: ModelRequest) -> ModelRequest:
    return replace(
        request,
        client_messages=_same_start(request.client_messages),
        server_messages=_same_start(request.server_messages),
    )


def _same_start(messages: MessageList) -> MessageList:
    return replace(messages, digests=("", *messages.digests[1:])) if messages.digests else messages
