"""What is wrong with the traces, said before any number that is made from them.

| slug | effect | meaning |
| --- | --- | --- |
| `missing-query` | no-verdict | a planned query has no root span: it was never asked, or its process was killed |
| `broken-root` | no-verdict | a query's root has no end, ends before it starts, or is missing: no wall time |
| `cycle` | no-verdict | spans that are each other's ancestors: their links are cut |
| `missing-parent` | downgraded | spans whose parent is not there; they count in their query all the same |
| `unplaced-span` | downgraded | spans with a missing parent that could belong to several queries: they count in none |
| `conflicting-duplicate` | downgraded | copies of one span that differ: the longest counts |
| `inverted-span`, `unended-span` | downgraded | spans without a duration: they count as an instant |
| `unknown-phase` | downgraded | spans with a phase that this version doesn't know: taken by their names instead |
| `clocks-disagree` | downgraded | spans of a server that began before the request or went on after its answer |
| `clock-skew` | downgraded | machines whose clock was shifted, by the rule of `clock_skew` |
| `clock-skew-unclear` | downgraded | machines of which no one shift explains the times: nothing is moved |
| `timings-too-long` | downgraded | phases of which the answer tells more time than the request had: cut off |
| `ends-at-headers` | downgraded | HTTP spans of model calls that stop before the body: the call's own span counts |
| `truncated-answer` | downgraded | model requests that ended by their token limit: shorter than what was asked for |
| `cache-arm` | downgraded | the prompt cache was to be off, and the server took tokens from it |
| `unreadable-record` | downgraded | what the reader could not turn into a span |
| `cut-by-limit` | downgraded | the source had more traces than it was asked for: some were left out |
| `spans-lost` | downgraded | the server said that it could not write spans |
| `counts-disagree` | downgraded | client and server tell different token counts of one request: the client's count |
| `outside-window` | downgraded from 1 % of the wall time, else shown | spans that reach out of their query: cut off |
| `several-roots` | shown | traces with more than one root: each is a query of its own or stands outside |
| `outside-query` | shown | spans above or beside the queries of their trace: they count in none |
| `other-trace` | shown | traces of a run that are none of its queries |
| `outside-parent` | shown | spans that reach out of their parent, inside the query |
| `host-not-known` | shown | spans of another process outside their parent, perhaps of another machine: cut off |
| `follows-from` | shown | spans that only follow another: they count, and no answer waited for them |
| `text-numbers` | shown | attributes that a source keeps as text: numbers read from it where numbers belong |
| `duplicate-span` | shown | identical copies, dropped: delivery is at least once |
| `server-not-traced` | shown | mlx_lm isn't what we know: the server ran without spans |
| `several-accounts` | shown | queries whose prefill or decode is known in more than one way |
| `missing-usage` | shown | model requests of which neither client nor server tells the tokens |
| `coarse-clock` | shown | a source with a clock step of more than a nanosecond |

Spans of warm-up queries are left out of all that is about single queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.disagreements import (
    cut_timings,
    differing_counts,
    disagreeing_clocks,
    served_by,
    several_accounts,
)
from punie.trace.analysis.requests import ModelRequest
from punie.trace.analysis.roles import Role, ends_at_headers, written_phase
from punie.trace.analysis.roots import query_key
from punie.trace.analysis.surroundings import Below, Inside, Surroundings
from punie.trace.analysis.traces import Traces, missing_planned, span_name
from punie.trace.analysis.tree import SpanKey
from punie.trace.analysis.usage import is_model_request, is_truncated, lacks_usage
from punie.trace.model import Span
from punie.trace.units import count_text, duration_text

_EXAMPLES: Final = 3
_CLIPPED_PERCENT: Final = 1


class Effect(StrEnum):
    """What a finding does to the verdicts."""

    SHOWN = "shown"
    DOWNGRADED = "downgraded"
    NO_VERDICT = "no-verdict"


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """Something that is wrong with the traces, how often, and up to three examples (spans, queries, lines)."""

    slug: str
    effect: Effect
    count: int
    message: str
    examples: tuple[str, ...]


def find_flaws(traces: Traces, requests: Sequence[ModelRequest] = ()) -> tuple[IntegrityFinding, ...]:
    """Every finding with at least one case, the gravest first, then as the table above has them.

    `requests` are the traces' model requests, with the token counts that figures are made from.
    """
    checked = (*(finding for check in _CHECKS for finding in check(traces)), *_cache_arm(traces, requests))
    findings = [finding for finding in checked if finding.count]
    gravest_first = (Effect.NO_VERDICT, Effect.DOWNGRADED, Effect.SHOWN)
    return tuple(sorted(findings, key=lambda finding: gravest_first.index(finding.effect)))


def _finding(slug: str, effect: Effect, cases: Sequence[str], message: str) -> IntegrityFinding:
    examples = tuple(dict.fromkeys(cases))[:_EXAMPLES]
    return IntegrityFinding(slug=slug, effect=effect, count=len(cases), message=message, examples=examples)


def _names(keys: Iterable[SpanKey]) -> list[str]:
    return [span_name(key) for key in sorted(keys)]


_Checked = Iterator[IntegrityFinding]


def _plan(traces: Traces) -> _Checked:
    missing = missing_planned(traces)
    cases = [
        f"{query.query_id}, repeat {query.repeat}, server start {query.server_start}" for query in missing
    ]
    yield _finding(
        "missing-query",
        Effect.NO_VERDICT,
        cases,
        f"of {len(traces.planned)} planned queries these have no root span: not asked, or killed on the way",
    )


def _roots(traces: Traces) -> _Checked:
    spans, queries = traces.forest.spans, traces.queries
    counted = {key for key, _ in traces.counted()}
    broken = [
        key
        for key in queries.roots
        if key in counted and (key in queries.stand_ins or spans[key].end_ns < spans[key].start_ns)
    ]
    yield _finding(
        "broken-root", Effect.NO_VERDICT, _names(broken), "queries whose root is missing, unended or inverted"
    )
    roots_of: dict[str, int] = {}
    for key, span in spans.items():
        if span.parent_id is None:
            roots_of[key[0]] = roots_of.get(key[0], 0) + 1
    several = sorted(trace_id for trace_id, count in roots_of.items() if count > 1)
    yield _finding("several-roots", Effect.SHOWN, several, "traces with more than one root")
    asked = {trace_id for trace_id, _ in queries.roots}
    beside = [key for key in queries.outside if key[0] in asked]
    yield _finding(
        "outside-query", Effect.SHOWN, _names(beside), "spans above or beside the query of their trace"
    )
    others = sorted({trace_id for trace_id, _ in queries.outside if trace_id not in asked})
    yield _finding("other-trace", Effect.SHOWN, others, "traces that are no query of this run")


def _links(traces: Traces) -> _Checked:
    forest = traces.forest
    yield _finding("cycle", Effect.NO_VERDICT, _names(forest.cyclic), "spans that are their own ancestors")
    parents = sorted(f"{key[0]}/{forest.spans[key].parent_id}" for key in forest.orphans)
    yield _finding(
        "missing-parent",
        Effect.DOWNGRADED,
        parents,
        f"spans whose parent was never written ({count_text(len(set(parents)), 'parent')}, named here)",
    )
    unplaced = _names(traces.queries.unplaced)
    yield _finding(
        "follows-from",
        Effect.SHOWN,
        _names(forest.follows),
        "spans that only follow another: they count, and no answer waited for them",
    )
    yield _finding("unplaced-span", Effect.DOWNGRADED, unplaced, "spans whose query can't be told")


def _copies(traces: Traces) -> _Checked:
    forest = traces.forest
    identical = [key for key in forest.repeats if key not in forest.conflicts]
    yield _finding("duplicate-span", Effect.SHOWN, _names(identical), "identical copies, dropped")
    yield _finding(
        "conflicting-duplicate",
        Effect.DOWNGRADED,
        _names(forest.conflicts),
        "copies of one span that differ: the longest counts",
    )


def _times(traces: Traces) -> _Checked:
    inverted = traces.where(lambda _, span: 0 != span.end_ns < span.start_ns)
    yield _finding("inverted-span", Effect.DOWNGRADED, inverted, "spans that end before they start")
    unended = traces.where(lambda _, span: span.end_ns == 0 < span.start_ns)
    yield _finding("unended-span", Effect.DOWNGRADED, unended, "spans without an end")
    yield from _windows(traces)
    resolution_ns = traces.source.resolution_ns
    coarse = [f"{resolution_ns} ns"] if resolution_ns > 1 else []
    yield _finding("coarse-clock", Effect.SHOWN, coarse, "the source keeps no nanoseconds")


def _windows(traces: Traces) -> _Checked:
    forest, queries = traces.forest, traces.queries
    slight: list[str] = []
    far: list[str] = []
    parents: list[str] = []
    for key, span in traces.counted():
        root = forest.spans[queries.of[key]]
        parent = forest.parent[key]
        reach_ns = _reach_ns(span, root)
        if reach_ns:
            (far if reach_ns * 100 >= root.duration_ns * _CLIPPED_PERCENT else slight).append(span_name(key))
        elif parent is not None and _reach_ns(span, forest.spans[parent]):
            parents.append(span_name(key))
    effect = Effect.DOWNGRADED if far else Effect.SHOWN
    yield _finding(
        "outside-window", effect, far + slight, "spans that reach out of their query: cut off there"
    )
    yield _finding("outside-parent", Effect.SHOWN, parents, "spans that reach out of their parent")


def _reach_ns(span: Span, around: Span) -> int:
    """Nanoseconds of `span` outside `around`; 0 where one of them has no duration."""
    if span.duration_ns <= 0 or around.duration_ns < 0:
        return 0
    inside_ns = min(span.end_ns, around.end_ns) - max(span.start_ns, around.start_ns)
    return span.duration_ns - max(inside_ns, 0)


def _meaning(traces: Traces) -> _Checked:
    unknown = traces.where(lambda _, span: semconv.PHASE in span.attributes and written_phase(span) is None)
    yield _finding("unknown-phase", Effect.DOWNGRADED, unknown, "spans with a phase that is not known here")
    headers = traces.where(partial(_is_cut_request, traces.around))
    yield _finding(
        "ends-at-headers",
        Effect.DOWNGRADED,
        headers,
        "HTTP spans that end before the body: time of the model call is taken from its own span",
    )


def _is_cut_request(around: Surroundings, key: SpanKey, span: Span) -> bool:
    """A model request of which nothing else shows the body: no server span, no longer HTTP span in or around it."""
    in_chat = around.role[key] is Role.HTTP and Inside.CHAT in around.inside[key]
    is_outermost = in_chat and Inside.HTTP not in around.inside[key]
    return is_outermost and ends_at_headers(span) and not around.below[key] & (Below.SERVER | Below.REQUEST)


def _witnesses(traces: Traces) -> _Checked:
    yield _finding(
        "clocks-disagree",
        Effect.DOWNGRADED,
        _names(disagreeing_clocks(traces)),
        "spans of a server that began before the request was sent or still generated after its last byte",
    )
    yield _finding(
        "counts-disagree",
        Effect.DOWNGRADED,
        tuple(differing_counts(traces)),
        "model requests of which client and server tell different token counts: prompt and output count as the "
        "client tells them, cached tokens as the server does",
    )
    yield _finding(
        "timings-too-long",
        Effect.DOWNGRADED,
        _names(cut_timings(traces)),
        "phases of which the answer's body tells more time than the request had: cut off",
    )
    yield _finding(
        "several-accounts",
        Effect.SHOWN,
        _names(several_accounts(traces)),
        "queries whose prefill or decode is known in more than one way: compare them with care",
    )


def _clocks(traces: Traces) -> _Checked:
    skew = traces.skew
    largest_ns = max((abs(shift.shift_ns) for shift in skew.shifts), default=0)
    widest_ns = max((shift.uncertain_ns or 0 for shift in skew.shifts), default=0)
    open_ended = any(shift.uncertain_ns is None for shift in skew.shifts)
    known_to = "at least that" if open_ended else f"known to ±{duration_text(widest_ns)}"
    yield _finding(
        "clock-skew",
        Effect.DOWNGRADED,
        [f"{shift.trace_id}: {shift.machine} by {shift.shift_ns:+,} ns" for shift in skew.shifts],
        f"clocks of other machines, shifted by up to {duration_text(largest_ns)}, {known_to}",
    )
    yield _finding(
        "clock-skew-unclear",
        Effect.DOWNGRADED,
        skew.unclear,
        "machines whose clock is off, and no one shift puts all of their spans where they belong: not shifted",
    )
    yield _finding(
        "host-not-known",
        Effect.SHOWN,
        [span_name(key) for key in skew.unknown],
        "spans of another process outside their parent, and nothing tells whether it has another clock: cut off",
    )


def _notes(traces: Traces) -> _Checked:
    for slug, (effect, message) in _NOTES.items():
        notes = [note for note in traces.source.notes if note.slug == slug]
        finding = _finding(slug, effect, [note.case for note in notes], message)
        yield replace(finding, count=sum(note.count for note in notes))


_NOTES: Final = {
    "cut-by-limit": (
        Effect.DOWNGRADED,
        "the source has more traces than were asked for: some are missing here",
    ),
    "server-not-traced": (
        Effect.SHOWN,
        "mlx_lm isn't what we know, so the server ran without spans: its phases are read off the stream",
    ),
    "spans-lost": (Effect.DOWNGRADED, "the server said that it could not write spans: some are missing here"),
    "text-numbers": (Effect.SHOWN, "numbers and lists that the source keeps as text, read as what they were"),
}


def _answers(traces: Traces) -> _Checked:
    requests = partial(is_model_request, traces.around)
    truncated = traces.where(lambda key, span: requests(key) and is_truncated(span))
    yield _finding(
        "truncated-answer", Effect.DOWNGRADED, truncated, "model requests that ended by their token limit"
    )
    served = served_by(traces)
    bare = traces.where(
        lambda key, span: requests(key) and all(map(lacks_usage, (span, *served.get(key, ()))))
    )
    yield _finding("missing-usage", Effect.SHOWN, bare, "model requests without token counts")


def _unreadable(traces: Traces) -> _Checked:
    cases = [f"{record.file}:{record.line}: {record.reason}" for record in traces.source.unreadable]
    yield _finding("unreadable-record", Effect.DOWNGRADED, cases, "records that could not be read")


def _cache_arm(traces: Traces, requests: Sequence[ModelRequest]) -> _Checked:
    off = {
        query_key(root)
        for root in traces.queries.roots
        if traces.forest.spans[root].attributes.get(semconv.QUERY_CACHE) == semconv.CACHE_OFF
    }
    cached = [
        span_name((request.trace_id, request.span_id))
        for request in requests
        if request.query_key in off and not request.warmup and request.tokens.cached
    ]
    yield _finding(
        "cache-arm",
        Effect.DOWNGRADED,
        cached,
        "model requests with cached tokens although the prompt cache was to be off",
    )


_CHECKS: Final[tuple[Callable[[Traces], _Checked], ...]] = (
    _plan,
    _roots,
    _links,
    _copies,
    _times,
    _meaning,
    _witnesses,
    _clocks,
    _answers,
    _notes,
    _unreadable,
)
