"""Which candidates of all traces are queries, and why the others are none.

Where some trace asks a model, one that asks none is no query: a health check, a page, an agent's creation. An agent's
run that failed is one, although it didn't come so far, and so is one that counts tokens. A trace that begins with a
tool has lost its caller's context, and so has a call in the time of a run that has none; both belong to the run around
them, if there is one alone. One of a server's spans alone repeats what clients tell of.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from enum import IntEnum, auto
from itertools import accumulate
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Calls
from punie.trace.analysis.queries.candidates import Candidates, Source
from punie.trace.analysis.queries.windows import is_inside
from punie.trace.analysis.trees.roles import Role, has_failed
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import Span

_STRAYS: Final = {Role.TOOL, Role.CHAT}
_OF_AGENTS: Final = {Role.AGENT, Role.TOOL, Role.WORKFLOW}


class _Asks(IntEnum):
    """Who tells that a model was asked in a candidate's time."""

    NOBODY = 0
    SERVER = auto()
    CLIENT = auto()


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidates that are queries, by what made them so, and those that are none, by why.

    `adopted` are parts of which it is known to which query they belong.
    """

    roots: set[SpanKey] = field(default_factory=set)
    stand_ins: set[SpanKey] = field(default_factory=set)
    from_afar: set[SpanKey] = field(default_factory=set)
    without_model: list[SpanKey] = field(default_factory=list)
    parts: list[SpanKey] = field(default_factory=list)
    adopted: dict[SpanKey, SpanKey] = field(default_factory=dict)


def select(found: Iterable[Candidates], forest: Forest, calls: Calls, asking: Set[SpanKey]) -> Selection:
    """Judge the candidates of every trace, those of the others known."""
    chosen = Selection()
    view = _View(forest, calls, asking)
    role = calls.role
    candidates = {key: of_trace.source for of_trace in found for key in of_trace.keys}
    asks = {key: view.asks(key) for key in candidates}
    runs = _Runs([key for key in candidates if role[key] is Role.AGENT], forest)
    around = {
        key: run for key in candidates if role[key] in _STRAYS and (run := runs.around(key)) is not None
    }
    lost = {key for key, run in around.items() if role[key] is Role.CHAT and not asks[run]}
    asks.update({around[key]: _Asks.CLIENT for key in lost})
    others = max((one for key, one in asks.items() if role[key] is not Role.TOOL), default=_Asks.NOBODY)
    somebody_asks = any(asks.values())
    for key, source in candidates.items():
        if source is Source.FROM_AFAR:
            chosen.from_afar.add(key)
        if source is not Source.OWN and (key in lost or view.is_part(key, asks[key], others)):
            chosen.parts.append(key)
        elif source is Source.OWN or asks[key] or not somebody_asks or view.is_run_all_the_same(key):
            chosen.roots.add(key)
            if source is Source.STAND_IN:
                chosen.stand_ins.add(key)
        else:
            chosen.without_model.append(key)
    chosen.adopted.update(
        {key: around[key] for key in chosen.parts if key in around and around[key] in chosen.roots}
    )
    return chosen


class _Runs:
    """The agents' runs of a source, for the traces that may be parts of one."""

    def __init__(self, runs: Iterable[SpanKey], forest: Forest) -> None:
        self._spans = forest.spans
        self._by_start = sorted(runs, key=lambda key: (self._spans[key].start_ns, key))
        self._starts = [self._spans[key].start_ns for key in self._by_start]
        self._reached = [*accumulate((self._spans[key].end_ns for key in self._by_start), max)]

    def around(self, key: SpanKey) -> SpanKey | None:
        """The only run of the same service, in another trace, in whose time a span lies."""
        span, found = self._spans[key], list[SpanKey]()
        at = bisect_right(self._starts, span.start_ns)
        while at > 0 and self._reached[at - 1] >= span.end_ns and len(found) < 2:
            at -= 1
            run = self._by_start[at]
            if (
                run[0] != key[0]
                and is_inside(span, self._spans[run])
                and _is_one_service(span, self._spans[run])
            ):
                found.append(run)
        return found[0] if len(found) == 1 else None


def _is_one_service(one: Span, other: Span) -> bool:
    return one.resource.get(semconv.SERVICE_NAME) == other.resource.get(semconv.SERVICE_NAME)


class _View:
    """What the calls of a source tell of its candidates."""

    def __init__(self, forest: Forest, calls: Calls, asking: Set[SpanKey]) -> None:
        self._forest, self._calls, self._asking = forest, calls, asking
        self._of_trace: dict[str, list[SpanKey]] = {}
        for key in calls.calls:
            self._of_trace.setdefault(key[0], []).append(key)
        self._by_start = sorted(
            (
                call.span
                for key, call in calls.calls.items()
                if calls.role[key] is Role.CHAT and not call.servers
            ),
            key=lambda span: span.start_ns,
        )
        self._starts = [span.start_ns for span in self._by_start]

    def asks(self, key: SpanKey) -> _Asks:
        """Whether a model was asked below a span, or beside it in its time."""
        spans = self._forest.spans
        within = self._of_trace.get(key[0], ())
        if key not in self._asking and not any(is_inside(spans[call], spans[key]) for call in within):
            return _Asks.NOBODY
        told = any(self._calls.role[call] is not Role.SERVER for call in within)
        return _Asks.CLIENT if told else _Asks.SERVER

    def is_run_all_the_same(self, key: SpanKey) -> bool:
        """Whether a span is an agent's run that failed, or that counts tokens although no call is there."""
        span = self._forest.spans[key]
        counts = semconv.integer(span.attributes, semconv.OUTPUT_TOKENS)
        return self._calls.role[key] is Role.AGENT and (has_failed(span) or bool(counts))

    def is_part(self, key: SpanKey, asks: _Asks, others: _Asks) -> bool:
        """Whether a candidate belongs to a query of another trace, as far as its own spans and their times tell."""
        if self._calls.role[key] is Role.TOOL:
            return others is not _Asks.NOBODY
        if asks is _Asks.SERVER:
            return others is _Asks.CLIENT
        return asks is _Asks.CLIENT and self._calls.role[key] is Role.SERVER and self._is_proxied(key)

    def _is_proxied(self, key: SpanKey) -> bool:
        """Whether a gateway made the whole trace while a call of another service asked the same of the same model."""
        within = self._of_trace.get(key[0], ())
        requests = [self._calls.requests[call] for call in within if call in self._calls.requests]
        if len(requests) != 1 or any(self._calls.role[one] in _OF_AGENTS for one in self._below(key)):
            return False
        span = self._forest.spans[key]
        earlier = self._by_start[: bisect_right(self._starts, span.start_ns)]
        return any(
            is_inside(span, call) and _asks_the_same(call, requests[0].span)
            for call in reversed(earlier[-_AT_ONCE:])
        )

    def _below(self, key: SpanKey) -> Sequence[SpanKey]:
        return tuple(self._forest.below([key]))


_AT_ONCE: Final = 64  # calls that may be open while a gateway works for one of them


def _asks_the_same(call: Span, behind: Span) -> bool:
    """Whether two services tell of one request: the same model, and no count that differs."""
    if _is_one_service(call, behind):
        return False
    pairs = [
        (semconv.first(call.attributes, names), semconv.first(behind.attributes, names))
        for names in (semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS, semconv.RESPONSE_ID)
    ]
    models = {semconv.first(one.attributes, semconv.REQUEST_MODEL) for one in (call, behind)}
    return len(models) == 1 and all(None in pair or pair[0] == pair[1] for pair in pairs)
