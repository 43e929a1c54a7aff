"""What the prompt cache held turn by turn, and the bill for what it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.report import figures
from punie.trace.report.document import Section, Table, notes
from punie.trace.units import count_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from punie.trace.analysis.cache.bill import CacheBill, CachedTurn, MessageDifference, TurnTotal
    from punie.trace.report.document import Cell

_COLUMNS: Final = ("turn", "requests", "prompt", "cached", "share", "prefill", "misses")
_MOST_CAUSES: Final = 5


def cache_section(bill: CacheBill) -> Section:
    """One row a turn; empty where nobody counted the cached tokens."""
    if all(turn.cached_tokens is None for turn in bill.turns):
        return Section("")
    lines = (*_sum(bill), *(f"not on the bill: {reason}" for reason in bill.reasons), *_causes(bill))
    table = Table(_COLUMNS, tuple(map(_row, bill.turns)))
    return Section("Prompt cache, tokens by turn", table=table, notes=notes(*lines))


def _row(turn: TurnTotal) -> tuple[Cell, ...]:
    cached, prompt = turn.cached_tokens, turn.input_tokens
    share = cached / prompt if cached is not None and prompt and cached <= prompt else None
    return (
        *map(figures.count, (turn.turn + 1, turn.requests, prompt, cached)),
        figures.share(share),
        figures.duration(turn.prefill_ns),
        figures.count(turn.misses),
    )


def _sum(bill: CacheBill) -> Iterator[str]:
    judged = sum(1 for entry in bill.requests if entry.judged)
    if not judged:
        return
    if not bill.misses:
        yield f"read again although read before: nothing, in {count_text(judged, 'request')}"
        return
    tokens = _between(str(bill.least_tokens), count_text(bill.most_tokens, "token"))
    cost = "time not known"
    if bill.least_ns is not None and bill.most_ns is not None:
        cost = f"{_between(duration_text(bill.least_ns), duration_text(bill.most_ns))} of prefill"
    yield f"read again although read before: {tokens}, {cost}, in {bill.misses} of {judged} requests"


def _between(least: str, most: str) -> str:
    """`most` may have its unit; two that are alike are one."""
    if least in (most, most.partition(" token")[0]):
        return most
    return f"at most {most}" if least in ("0", "0 s") else f"{least} to {most}"


def _causes(bill: CacheBill) -> Iterator[str]:
    groups: dict[int | None, list[CachedTurn]] = {}
    for entry in bill.requests:
        if entry.miss is not None:
            at = None if entry.miss.difference is None else entry.miss.difference.message
            groups.setdefault(at, []).append(entry)
    worst = sorted(groups.values(), key=_tokens, reverse=True)
    yield from (_cause(entries) for entries in worst[:_MOST_CAUSES])
    if len(worst) > _MOST_CAUSES:
        yield f"and {len(worst) - _MOST_CAUSES} more first messages that differ"


def _tokens(entries: Sequence[CachedTurn]) -> int:
    return sum(entry.miss.most_tokens for entry in entries if entry.miss is not None)


def _cause(entries: Sequence[CachedTurn]) -> str:
    first = max(entries, key=lambda entry: entry.miss.most_tokens if entry.miss else 0)
    difference = first.miss.difference if first.miss else None
    where = f"{first.query_id} #{first.server_start}.{first.repeat} turn {first.turn + 1}"
    return f"{_differs(difference)}: {count_text(len(entries), 'request')}, most in {where}"


def _differs(difference: MessageDifference | None) -> str:
    if difference is None:
        return "no message differs (cache off, dropped, or the template rewrites them)"
    what = (
        "message 0 (instructions and tools)" if difference.message == 0 else f"message {difference.message}"
    )
    before, now = difference.earlier_length, difference.length
    lengths = "" if before is None or now is None else f", {before} → {now} characters"
    return f"{what} is the first that differs{lengths}"
