"""What is below a model call, found once: call → HTTP request → server's span → spans of its phases.

    call    |----------------------------------------------|
    POST       |-- refused --|      |--------------------|      an attempt, and the next one
    server                            |----------------|        who answered it
    phases                             |prefill|-decode-|       what it was at

Where two calls show one request, `wrappers` beside this says which of them is the request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.calls.addresses import address, is_model_address
from punie.trace.analysis.calls.below import Below, look_below
from punie.trace.analysis.calls.contexts import OPENING, Contexts, Roles, find_contexts
from punie.trace.analysis.calls.coverage import AFTER_PERCENT, covers
from punie.trace.analysis.calls.finish_reasons import failure_in
from punie.trace.analysis.calls.wrappers import find_wrappers, wrappers_of
from punie.trace.analysis.trees.roles import (
    Known,
    Role,
    can_be_model_request,
    counts_tokens,
    has_failed,
    role_of,
)
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import PHASE_GROUP, Group, Phase, Provenance, Span

_OF_AGENTS: Final = {Role.AGENT, Role.TOOL, Role.WORKFLOW}


class PhaseSpan(msgspec.Struct, frozen=True, gc=False):
    """A span that names its phase, and how that is known. `attempt` is the HTTP request it reports, or the call."""

    span: Span
    phase: Phase
    provenance: Provenance
    attempt: SpanKey


class Call(msgspec.Struct, frozen=True, gc=False):
    """One call of a model: its span, or the POST or the server's span that stands for it where nobody traced it.

    All are by their start. `attempts` are the HTTP requests below it, `servers` the spans of who answered them,
    `phases` those that name a phase, the best source's alone. `inner` are calls that show the same request again,
    `wrappers` the spans around it that show no other request. `is_covered` is False where it goes on for longer than
    its requests explain.
    """

    key: SpanKey
    span: Span
    attempts: tuple[Span, ...] = ()
    servers: tuple[Span, ...] = ()
    phases: tuple[PhaseSpan, ...] = ()
    inner: tuple[SpanKey, ...] = ()
    wrappers: tuple[Span, ...] = ()
    is_covered: bool = True

    @property
    def client_spans(self) -> tuple[Span, ...]:
        """The spans in which clients report the request, the innermost first."""
        return (self.span, *self.wrappers)

    @property
    def all_spans(self) -> tuple[Span, ...]:
        """Clients' and servers', in the order in which they are asked for what a client knows best."""
        return (self.span, *self.wrappers, *reversed(self.servers))

    @property
    def is_refused(self) -> bool:
        """Whether it failed and no answer came of it: neither tokens nor work of the model."""
        return (
            not any(PHASE_GROUP[one.phase] is Group.GENERATION for one in self.phases)
            and (has_failed(self.span) or _broke_off(self.span, self.attempts))
            and not any(semconv.integer(span.attributes, semconv.OUTPUT_TOKENS) for span in self.all_spans)
        )


def _broke_off(span: Span, attempts: Sequence[Span]) -> bool:
    """Whether something else than its status shows that a call came to nothing."""
    reasons = span.attributes.get(semconv.FINISH_REASONS)
    if reasons:
        return failure_in(reasons) is not None
    if any(event.name == semconv.EXCEPTION_EVENT for event in span.events):
        return True
    rest_ns = span.end_ns - max((one.end_ns for one in attempts if can_be_model_request(one)), default=0)
    return all(map(has_failed, attempts)) and rest_ns * 100 <= span.duration_ns * AFTER_PERCENT


class Calls(msgspec.Struct, frozen=True):
    """The calls of a source by their spans, and the role and the surroundings of every span; `roles` are all there are.

    `requests` are the calls that are one request to a model each, `refused` those that failed without an answer,
    `unreported` POSTs to a model without a call or a count. `superseded` are spans that repeat what a better
    source of the same request reports. `phases` has what each span says that names its phase. `gateways` are servers
    that pass one request on, where only servers were traced.
    """

    role: Roles
    roles: Set[Role]
    contexts: Contexts
    below: Mapping[SpanKey, int]
    phases: Mapping[SpanKey, Known]
    calls: Mapping[SpanKey, Call] = msgspec.field(default_factory=dict)
    requests: Mapping[SpanKey, Call] = msgspec.field(default_factory=dict)
    refused: Set[SpanKey] = frozenset()
    unreported: Set[SpanKey] = frozenset()
    superseded: Set[SpanKey] = frozenset()
    gateways: Set[SpanKey] = frozenset()


def find_calls(forest: Forest, addresses: Set[str] = frozenset()) -> Calls:
    """Everything that is known of the model calls of `forest`, in a few walks over it.

    `addresses` are those at which models answer in other traces (`Contexts.filling`).
    """
    role, phases = _roles(forest), _phases(forest)
    roles = frozenset(role.values())
    contexts = find_contexts(forest, role, addresses) if roles & OPENING else Contexts()
    wrapper = dict(find_wrappers(forest, contexts)) if contexts.call else {}
    apart = contexts.outer.keys() - wrapper.keys()
    below = look_below(forest, role, apart)
    for around in wrapper.values():
        below[around] |= Below.CHAT
    lone = tuple(_lone_servers(forest, role, below, contexts)) if Role.SERVER in roles else ()
    for key in lone:
        contexts.call.update(dict.fromkeys(forest.below([key]), key))
    superseded = frozenset(_superseded(contexts, below, phases)) if contexts.request else frozenset()
    calls = _gather(forest, role, contexts, below, phases, wrapper, superseded)
    refused = frozenset([key for key, call in calls.items() if not call.inner and call.is_refused])
    requests = {
        key: call
        for key, call in calls.items()
        if key not in refused and _is_request(call, contexts, wrapper)
    }
    return Calls(
        role=role,
        roles=roles,
        contexts=contexts,
        below=below,
        phases=phases,
        calls=calls,
        requests=requests,
        refused=refused,
        unreported=frozenset(_unreported(forest, role, contexts.posts - requests.keys() - refused))
        if contexts.posts
        else frozenset(),
        superseded=superseded,
        gateways=frozenset(_gateways(forest, role, lone, roles)) if lone else frozenset(),
    )


def _roles(forest: Forest) -> dict[SpanKey, Role]:
    found = zip(forest.shape_at, forest.span_at, strict=True)
    return dict(zip(forest.order, [shape.role or role_of(span) for shape, span in found], strict=True))


def _phases(forest: Forest) -> dict[SpanKey, Known]:
    found = zip(forest.order, forest.shape_at, strict=True)
    return {key: shape.known for key, shape in found if shape.known is not None}


def _unreported(forest: Forest, role: Roles, posts: Set[SpanKey]) -> Iterator[SpanKey]:
    """The POSTs to a model that lie in the time of no call of their trace: nothing else reports their request."""
    traces = {trace_id for trace_id, _ in posts}
    chats: dict[str, list[Span]] = {}
    for key, own in role.items() if posts else ():
        if own is Role.CHAT and key[0] in traces:
            chats.setdefault(key[0], []).append(forest.spans[key])
    for key in posts:
        if not any(_is_its_post(forest.spans[key], chat) for chat in chats.get(key[0], ())):
            yield key


def _is_its_post(post: Span, chat: Span) -> bool:
    """Whether a POST lies mostly in a call, or began in one that ended at its headers."""
    goes_on = chat.start_ns <= post.start_ns < chat.end_ns and chat.duration_ns < post.duration_ns
    return goes_on or _is_mostly_inside(post, chat)


def _is_mostly_inside(inner: Span, outer: Span) -> bool:
    shared_ns = min(inner.end_ns, outer.end_ns) - max(inner.start_ns, outer.start_ns)
    return 2 * shared_ns > inner.duration_ns


def _is_request(call: Call, contexts: Contexts, wrapper: Mapping[SpanKey, SpanKey]) -> bool:
    """Whether a call is one request: no wrapper of another, no copy without a length, no POST without any counts."""
    if call.inner or (call.span.duration_ns <= 0 and call.key in contexts.outer):
        return False
    return call.key not in contexts.posts or any(counts_tokens(server) for server in call.servers)


def _lone_servers(
    forest: Forest, role: Roles, below: Mapping[SpanKey, int], contexts: Contexts
) -> Iterator[SpanKey]:
    """Servers that answered as models, in traces in which no client reports a call: their span stands for it."""
    traced = {key[0] for key in contexts.call}
    for key, own in role.items():
        if own is not Role.SERVER or key[0] in traced or below[key] & Below.SERVER:
            continue
        if below[key] & Below.GENERATION or _answers_as_a_model(forest.spans[key]):
            yield key


def _answers_as_a_model(span: Span) -> bool:
    return (
        counts_tokens(span)
        or semconv.text(span.attributes, semconv.OPERATION) in semconv.OPERATION_CHAT
        or (can_be_model_request(span) and is_model_address(address(span)))
    )


def _gateways(forest: Forest, role: Roles, lone: Iterable[SpanKey], roles: Set[Role]) -> Iterator[SpanKey]:
    """A server above a single one that answered, or that answers as a model, if nothing of the trace is an agent's.

    `roles` are all there are.
    """
    agents = {key[0] for key, own in role.items() if own in _OF_AGENTS} if roles & _OF_AGENTS else ()
    passed_on = Counter([above for key in lone if key[0] not in agents for above in forest.above(key)])
    return (
        key
        for key, count in passed_on.items()
        if role[key] is Role.SERVER and (count == 1 or _answers_as_a_model(forest.spans[key]))
    )


def _superseded(
    contexts: Contexts, below: Mapping[SpanKey, int], phases: Mapping[SpanKey, Known]
) -> Iterator[SpanKey]:
    """They are left out rather than renamed: beside the server's spans they would look like work in parallel."""
    for key, (_, how) in phases.items():
        request = contexts.request.get(key)
        if request is None or request == key:
            continue
        match how:
            case Provenance.STREAM if below[request] & (Below.SERVED_GENERATION | Below.REPORTED_GENERATION):
                yield key
            case Provenance.BODY if below[request] & Below.SERVED_GENERATION:
                yield key
            case _:
                pass


class _Members(msgspec.Struct):
    """What hangs in one call, in the order of the trees."""

    attempts: list[Span] = msgspec.field(default_factory=list)
    servers: list[Span] = msgspec.field(default_factory=list)
    phases: list[PhaseSpan] = msgspec.field(default_factory=list)


def _gather(
    forest: Forest,
    role: Roles,
    contexts: Contexts,
    below: Mapping[SpanKey, int],
    phases: Mapping[SpanKey, Known],
    wrapper: Mapping[SpanKey, SpanKey],
    superseded: Set[SpanKey],
) -> dict[SpanKey, Call]:
    members: dict[SpanKey, _Members] = {}
    for key, call in contexts.call.items():
        into = members.get(call) or members.setdefault(call, _Members())
        span, known = forest.spans[key], phases.get(key)
        if role[key] is Role.HTTP:
            into.attempts.append(span)
        elif role[key] is Role.SERVER:
            into.servers.append(span)
        if known is not None and key not in superseded:
            into.phases.append(PhaseSpan(span, *known, contexts.request.get(key, call)))
    inner: dict[SpanKey, list[SpanKey]] = {}
    for key, around in wrapper.items():
        inner.setdefault(around, []).append(key)
    return {
        key: Call(
            key=key,
            span=forest.spans[key],
            attempts=_by_start(within.attempts),
            servers=_by_start(within.servers),
            phases=tuple(sorted(within.phases, key=lambda one: (one.span.start_ns, one.span.span_id))),
            inner=tuple(inner.get(key, ())),
            wrappers=wrappers_of(key, forest, wrapper, inner),
            is_covered=_is_covered(forest.spans[key], within, below[key]),
        )
        for key, within in members.items()
    }


def _by_start(spans: Sequence[Span]) -> tuple[Span, ...]:
    if len(spans) > 1:
        spans = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    return tuple(spans)


def _is_covered(span: Span, members: _Members, below: int) -> bool:
    """Whether nothing is left open of what the call waited for: all is shown below it, or nothing is."""
    if below & (Below.CHAT | Below.GENERATION) or not below & (Below.REQUEST | Below.SERVER):
        return True
    return covers((*members.attempts, *members.servers), span)
