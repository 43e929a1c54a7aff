"""What traces have to know of each other to decide which of their spans are queries: a few words for each candidate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from enum import IntEnum, auto
from typing import Final, NamedTuple

from punie.trace import semconv
from punie.trace.analysis.calls.addresses import domain_of, path_of
from punie.trace.analysis.calls.below import Below
from punie.trace.analysis.calls.calls import Call, Calls
from punie.trace.analysis.queries.candidates import CandidateOrigin, Candidates
from punie.trace.analysis.queries.windows import is_inside
from punie.trace.analysis.trees.roles import Role, has_failed
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import Attributes, AttributeValue, Span, SpanKind

_UNSETTLED: Final = {Role.TOOL, Role.CHAT, Role.EVALUATION}
_OF_AGENTS: Final = {Role.AGENT, Role.TOOL, Role.WORKFLOW}
_FACTS_OF_A_REQUEST: Final = (semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS, (semconv.RESPONSE_ID,))


class ReportedBy(IntEnum):
    """Who reports a model call in a candidate's time."""

    NOBODY = 0
    SERVER = auto()
    CLIENT = auto()


class Request(NamedTuple):
    """What an instrumentation in one service reports of one request: which model, how many tokens, which answer."""

    service: AttributeValue
    scope: str
    model: AttributeValue
    facts: tuple[AttributeValue, ...]


class ClientCall(NamedTuple):
    """A call that only its client reports: when, and what."""

    start_ns: int
    end_ns: int
    request: Request


class QueryCandidate(NamedTuple):
    """One candidate: what it is, when, of which service, and who reports a model call in it.

    `is_run` is an agent's run that failed or counts tokens: a query in any case. `passes_on` is the only request of
    a trace that a gateway, or a client or library without its context, may have made alone.
    """

    key: SpanKey
    source: CandidateOrigin
    role: Role
    start_ns: int
    end_ns: int
    service: AttributeValue
    reported_by: ReportedBy
    is_run: bool
    passes_on: Request | None

    @property
    def is_settled(self) -> bool:
        """Whether it is a query whatever other traces hold."""
        is_common = self.role not in _UNSETTLED and self.passes_on is None
        return self.source in (CandidateOrigin.OWN, CandidateOrigin.LINKED) or (
            self.reported_by is ReportedBy.CLIENT and is_common
        )


class Visit(NamedTuple):
    """One HTTP request, by its client or by its server: when, to which path and, where it is known, which domain."""

    start_ns: int
    end_ns: int
    path: str
    domain: str


class Outline(NamedTuple):
    """What other traces may ask of one: its candidates by their start, and its calls that no server's span answers.

    Its spans are `linked` to these traces. Its tools `visit` servers that nothing shows there; it is itself a visit
    without a client where it `receives` one.
    """

    candidates: tuple[QueryCandidate, ...]
    calls: tuple[ClientCall, ...]
    linked: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    receives: tuple[Visit, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether its candidates are queries whatever other traces hold."""
        return not self.linked and all(one.is_settled for one in self.candidates)


def outline(
    candidates: Candidates, forest: Forest, calls: Calls, with_calls: Set[SpanKey], linked: tuple[str, ...]
) -> Outline:
    """The outline of one trace with its `candidates`; in `with_calls` or below it a model is asked."""
    trace_id = candidates.keys[0][0] if candidates.keys else ""
    within = [key for key in calls.calls if key[0] == trace_id]
    return Outline(
        tuple(
            _candidate(key, candidates.source, forest, calls, within, with_calls) for key in candidates.keys
        ),
        tuple(_unserved(calls.calls[key] for key in within if calls.role[key] is Role.CHAT)),
        linked,
        tuple(_visits(trace_id, forest, calls)),
        tuple(_received(candidates, forest)),
    )


def _visits(trace_id: str, forest: Forest, calls: Calls) -> Iterator[Visit]:
    for key in calls.contexts.in_tool:
        is_open = key[0] == trace_id and calls.role[key] is Role.HTTP and not calls.below[key] & Below.SERVER
        if is_open and (path := path_of(forest.spans[key])):
            span = forest.spans[key]
            yield Visit(span.start_ns, span.end_ns, path, domain_of(span))


def _received(candidates: Candidates, forest: Forest) -> Iterator[Visit]:
    tops = {next(reversed([key, *forest.above(key)])) for key in candidates.keys}
    for span in (forest.spans[top] for top in tops):
        if span.kind is SpanKind.SERVER and span.parent_id is None and (path := path_of(span)):
            yield Visit(span.start_ns, span.end_ns, path, domain_of(span))


def _candidate(
    key: SpanKey,
    source: CandidateOrigin,
    forest: Forest,
    calls: Calls,
    within: Sequence[SpanKey],
    with_calls: Set[SpanKey],
) -> QueryCandidate:
    span, role = forest.spans[key], calls.role[key]
    reported_by = _reported_by(key, forest, calls, within, with_calls)
    return QueryCandidate(
        key=key,
        source=source,
        role=role,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        service=span.resource.get(semconv.SERVICE_NAME),
        reported_by=reported_by,
        is_run=role is Role.AGENT and _is_run_all_the_same(span),
        passes_on=_passed_on(key, forest, calls, within)
        if reported_by is ReportedBy.CLIENT and role in (Role.SERVER, Role.HTTP, Role.CHAT)
        else None,
    )


def _reported_by(
    key: SpanKey, forest: Forest, calls: Calls, within: Sequence[SpanKey], with_calls: Set[SpanKey]
) -> ReportedBy:
    """Whether a model was asked below a span, or beside it in its time."""
    spans = forest.spans
    if key not in with_calls and not any(is_inside(spans[call], spans[key]) for call in within):
        return ReportedBy.NOBODY
    return (
        ReportedBy.CLIENT
        if any(calls.role[call] is not Role.SERVER for call in within)
        else ReportedBy.SERVER
    )


def _is_run_all_the_same(span: Span) -> bool:
    """Whether an agent's run failed, or counts tokens although no call is there."""
    return has_failed(span) or bool(semconv.integer(span.attributes, semconv.OUTPUT_TOKENS))


def _passed_on(key: SpanKey, forest: Forest, calls: Calls, within: Sequence[SpanKey]) -> Request | None:
    """The only request of a trace without any agent below the span; a POST without its call may be anybody's."""
    if key in calls.contexts.posts:
        return _request(forest.spans[key])
    requests = [calls.requests[call] for call in within if call in calls.requests]
    if len(requests) != 1 or any(calls.role[one] in _OF_AGENTS for one in forest.below([key])):
        return None
    return _request(*requests[0].all_spans)


def _unserved(calls: Iterable[Call]) -> Iterator[ClientCall]:
    for call in calls:
        if not call.servers:
            yield ClientCall(call.span.start_ns, call.span.end_ns, _request(*call.all_spans))


def _request(span: Span, *others: Span) -> Request:
    """What the span of a call reports, or the next of the `others` that does."""
    attributes = [one.attributes for one in (span, *others)]
    return Request(
        service=span.resource.get(semconv.SERVICE_NAME),
        scope=span.scope,
        model=_first_reported(attributes, (semconv.REQUEST_MODEL,)),
        facts=tuple([_first_reported(attributes, names) for names in _FACTS_OF_A_REQUEST]),
    )


def _first_reported(reported: Sequence[Attributes], names: Sequence[str]) -> AttributeValue:
    found = (semconv.first(attributes, names) for attributes in reported)
    return next((value for value in found if value is not None), None)
