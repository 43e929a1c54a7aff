"""Reasons why an answer ended, in the spellings of the providers."""

from __future__ import annotations

import pytest

from punie.trace.analysis.calls.finish_reasons import failure_in
from punie.trace.analysis.pipeline import read_queries
from punie.trace.model import Span, SpanSet


@pytest.mark.parametrize(
    ("reasons", "failure"),
    [
        (("stop",), None),
        (("tool_calls",), None),
        (("length",), None),
        (("ERROR_LIMIT",), None),
        (("content_filter",), "contentfilter"),
        ("FinishReason.SAFETY", "safety"),
        (("abort",), "abort"),
        ("<FinishReason.ERROR: 'error'>", "error"),
        (None, None),
    ],
)
def test_reasons_without_an_answer(reasons: str | tuple[str, ...] | None, failure: str | None) -> None:
    assert failure_in(reasons) == failure


@pytest.mark.parametrize(
    ("first", "last", "failed"), [("error", "stop", False), ("tool_calls", "abort", True)]
)
def test_a_query_fails_whose_last_answer_was_none(first: str, last: str, failed: bool) -> None:
    """A broken-off answer that was asked for again is no failure of its query."""
    root = Span(
        "a", "1", None, "invoke_agent x", 0, 100, attributes={"gen_ai.operation.name": "invoke_agent"}
    )
    chats = [
        Span(
            *("a", f"{number + 2}", "1", "chat m", 10 + 40 * number, 40 + 40 * number),
            attributes={"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": (reason,)},
        )
        for number, reason in enumerate((first, last))
    ]
    (record,) = read_queries(SpanSet((root, *chats))).records
    assert (record.error is not None) is failed
