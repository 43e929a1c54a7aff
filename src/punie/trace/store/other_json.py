"""What JSON is that holds no spans that we read, where it can be recognised: what it is, and what to give instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from punie.trace.store.otlp.values import integer

UNKNOWN: Final = "JSON, but no spans in a form that is known"
_SIGNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "request_created_at": "requests as Helicone lists them, which name no run: trace the agent itself",
        "rootTraceName": "Tempo's list of traces, without their spans: ask it for each, /api/traces/ID",
        "rejectedSpans": "a receiver's answer that it refused some of the spans: they are missing",
        "traceEvents": "Chrome's trace events, which have no ids: give the spans that they were made from",
        "resultType": "Prometheus' answer to a query of metrics: give traces",
        "TraceSummaries": "X-Ray's list of traces, without their segments: ask for them with batch-get-traces",
        "execution_duration": "MLflow's list of traces, without their spans: ask for traces with include_spans",
    }
)
"""A field that only such a document has, and what the document is."""
_DEEPEST: Final = 4


def holds_none(document: object) -> bool:
    """Whether it stands beside spans and reports nothing of its own: the head of a trace of OpenAI's Agents SDK."""
    return isinstance(document, dict) and document.get("object") == "trace" and "workflow_name" in document


def rejected_spans(document: object) -> int:
    """How many spans a receiver refused, if it is an answer that says so, which may stand beside what it took."""
    answer = document.get("partialSuccess") if isinstance(document, dict) else None
    return max(integer(answer.get("rejectedSpans")) or 0, 0) if isinstance(answer, dict) else 0


def what_it_is(document: object) -> str:
    """Why a document is refused, in words."""
    return next((f"{UNKNOWN}: {_SIGNS[name]}" for name in _fields(document, 0) if name in _SIGNS), UNKNOWN)


def _fields(document: Any, depth: int) -> list[str]:  # noqa: ANN401 - whatever JSON holds
    """The names of the fields of a document's first objects, those that are further out first."""
    if isinstance(document, list):
        return _fields(document[0], depth) if document and depth < _DEEPEST else []
    if not isinstance(document, dict) or depth >= _DEEPEST:
        return []
    return [*document, *(name for held in document.values() for name in _fields(held, depth + 1))]
