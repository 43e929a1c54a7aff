"""What a span is by its kind and its attributes, in the conventions' words, whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from punie.trace import semconv
from punie.trace.model import Phase, Provenance, Span, SpanKind, StatusCode

Known = tuple[Phase, Provenance]
"""A phase, and how it is known."""

_PROVENANCES: Final = {provenance.value: provenance for provenance in Provenance}
_WRITTEN: Final[Mapping[str, Mapping[str | None, Known]]] = {
    phase.value: {
        None: (phase, Provenance.CLIENT),
        **{value: (phase, provenance) for value, provenance in _PROVENANCES.items()},
    }
    for phase in Phase
}


class Role(Enum):
    """The part that a span plays in a query."""

    __hash__ = object.__hash__  # Enum's own is Python

    CHAT = auto()
    TOOL = auto()
    AGENT = auto()
    WORKFLOW = auto()  # several runs or steps that belong together: a workflow, a conversation, a crew
    EVALUATION = auto()  # what judges an answer: nobody waited for it
    HTTP = auto()
    SERVER = auto()
    OTHER = auto()


_ROLES: Final = {
    **dict.fromkeys(semconv.OPERATION_CHAT, Role.CHAT),
    semconv.OPERATION_TOOL: Role.TOOL,
    semconv.OPERATION_AGENT: Role.AGENT,
    semconv.OPERATION_WORKFLOW: Role.WORKFLOW,
    semconv.OPERATION_EVALUATION: Role.EVALUATION,
}


_ROLE_NAMES: Final = frozenset({semconv.OPERATION, semconv.SGLANG_MODULE, *semconv.HTTP_METHOD})


def role_of(span: Span) -> Role:
    """The role by the GenAI and HTTP conventions; a server may say that it runs an agent or a tool."""
    attributes = span.attributes
    if _ROLE_NAMES.isdisjoint(attributes):
        return Role.SERVER if span.kind is SpanKind.SERVER else Role.OTHER
    operation = attributes.get(semconv.OPERATION)
    role = _ROLES.get(operation) if isinstance(operation, str) else None
    if (role is None or role is Role.CHAT) and is_server(span):
        return Role.SERVER
    if role is not None:
        return role
    return Role.HTTP if semconv.first(attributes, semconv.HTTP_METHOD) is not None else Role.OTHER


def is_server(span: Span) -> bool:
    """Whether a server process made it for one request, whoever's server: SGLang doesn't say so by the kind."""
    if span.kind is SpanKind.SERVER:
        return True
    module = span.attributes.get(semconv.SGLANG_MODULE)
    return module is not None and isinstance(module, str) and module.startswith(semconv.SGLANG_MODULES)


def is_connection(span: Span) -> bool:
    """Whether a server's span is of a connection over which many questions may come: a WebSocket's."""
    scheme = semconv.text(span.attributes, ("url.scheme", "http.scheme", *semconv.URL_FULL)) or ""
    return scheme.lower().startswith("ws") or semconv.integer(span.attributes, semconv.HTTP_STATUS) == 101


def written(span: Span) -> Known | None:
    """The phase that the span itself names, and how it is known; None if it names none that we know."""
    phase = span.attributes.get(semconv.PHASE)
    ways = _WRITTEN.get(phase) if isinstance(phase, str) else None
    if ways is None:
        return None
    how = span.attributes.get(semconv.PHASE_PROVENANCE)
    return ways.get(how, ways[None]) if isinstance(how, str) else ways[None]


def written_provenance(span: Span) -> Provenance:
    """How the written phase is known; a span's maker is its client unless it says otherwise."""
    value = span.attributes.get(semconv.PHASE_PROVENANCE)
    return _PROVENANCES.get(value, Provenance.CLIENT) if isinstance(value, str) else Provenance.CLIENT


def ends_at_headers(span: Span) -> bool:
    """Whether an HTTP span stops when the response's headers are there, before its body is read."""
    written = semconv.text(span.attributes, semconv.HTTP_ENDS_AT)
    if written is not None:
        return written == semconv.HTTP_ENDS_AT_HEADERS
    return span.scope.startswith(semconv.HTTP_SCOPES_TO_HEADERS)


def waited_for_last_byte(request: Span) -> bool:
    """Whether the client waited for the last byte: a server works on for a while after a client that left."""
    written = semconv.text(request.attributes, semconv.HTTP_ENDS_AT)
    return (
        written in (None, semconv.HTTP_ENDS_AT_LAST_BYTE)
        and not ends_at_headers(request)
        and not has_failed(request)
    )


def has_failed(span: Span) -> bool:
    """Whether a span says that what it stands for failed; by the conventions `error.type` is there only then."""
    if span.status is StatusCode.ERROR or span.attributes.get(semconv.ERROR_TYPE):
        return True
    status = semconv.integer(span.attributes, semconv.HTTP_STATUS)
    return status is not None and status >= 400


def error_type(span: Span) -> str:
    """What a span says of how it failed, in a word: its error's type, an exception's, or its HTTP status."""
    exceptions = (event.attributes.get("exception.type") for event in span.events)
    status = semconv.integer(span.attributes, semconv.HTTP_STATUS) or 0
    words = (
        semconv.text(span.attributes, semconv.ERROR_TYPE),
        *exceptions,
        status if status >= 400 else None,
    )
    return next((str(word) for word in words if word), "")


def counts_tokens(span: Span) -> bool:
    """Whether a span has the number of tokens that a model produced."""
    return semconv.integer(span.attributes, semconv.OUTPUT_TOKENS) is not None


def can_be_model_request(span: Span) -> bool:
    """Whether an HTTP span can carry a model request: these are POSTs that were not sent elsewhere."""
    redirects = (semconv.integer(span.attributes, semconv.HTTP_STATUS) or 0) // 100 == 3
    method = semconv.text(span.attributes, semconv.HTTP_METHOD) or ""
    return not redirects and method.upper() in ("POST", "_OTHER")
