"""Content that was sent by mistake ends in the Collector; content that was meant to be sent passes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest

from punie.trace import semconv
from stack import Stack, wait_for_trace

PROMPT: Final = "Where is the class Settings defined?"
CONTENT: Final = semconv.CONTENT_KEYS
BELOW: Final = (
    "gen_ai.prompt.0.content",
    "llm.input_messages.1.message.content",
    "gen_ai.completion.0.content",
)
HARMLESS: Final = {
    semconv.PHASE: "decode",
    semconv.REQUEST_MODEL: "default_model",
    semconv.MESSAGE_DIGESTS: "cae870318e9ae171",
    "gen_ai.usage.prompt_tokens": "17",
    "shop.order": "4711",
}


def _pairs(attributes: Mapping[str, str | bool]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"boolValue" if isinstance(value, bool) else "stringValue": value}}
        for key, value in attributes.items()
    ]


def _send(stack: Stack, attributes: Mapping[str, str | bool]) -> str:
    """One span with `attributes`, which also fail and quote the secret in an event; returns its trace id."""
    now = time.time_ns()
    trace_id = secrets.token_hex(16)
    span = {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": "chat default_model",
        "kind": 3,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "attributes": _pairs(attributes),
        "status": {"code": 2, "message": PROMPT},
        "events": [
            {
                "name": "exception",
                "timeUnixNano": str(now),
                "attributes": _pairs({"exception.type": "ValueError", **dict.fromkeys(CONTENT, PROMPT)}),
            }
        ],
    }
    resource = {"attributes": _pairs({semconv.SERVICE_NAME: "careless"})}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    httpx.post(f"{stack.otlp_http}/v1/traces", json=body, trust_env=False).raise_for_status()
    return trace_id


def test_content_sent_by_mistake_is_gone_and_the_rest_is_there(stack: Stack) -> None:
    careless = {
        **dict.fromkeys((*CONTENT, *BELOW), PROMPT),
        **HARMLESS,
        semconv.QUERY_ERROR: f"ValueError: {PROMPT}\n{PROMPT}",
        "gen_ai.completion.0.finish_reason": "length",
    }
    (span,) = wait_for_trace(stack, _send(stack, careless))
    assert PROMPT not in str(span)
    attributes = {pair["key"]: pair["value"]["stringValue"] for pair in span["attributes"]}
    assert attributes == attributes | HARMLESS | {
        semconv.QUERY_ERROR: "ValueError",
        semconv.FINISH_REASONS: '["length"]',
    }
    assert [event["name"] for event in span["events"]] == ["exception"]
    assert span["events"][0]["attributes"] == _pairs({"exception.type": "ValueError"})


@pytest.mark.parametrize("mark", ["true", False])
def test_only_the_mark_itself_lets_content_pass(stack: Stack, mark: str | bool) -> None:
    (span,) = wait_for_trace(stack, _send(stack, {semconv.QUERY_TEXT: PROMPT, semconv.CONTENT_SEND: mark}))
    assert PROMPT not in str(span)


def test_content_that_was_meant_to_be_sent_passes_whole(stack: Stack) -> None:
    meant: dict[str, str | bool] = {**dict.fromkeys((*CONTENT, *BELOW), PROMPT), semconv.CONTENT_SEND: True}
    (span,) = wait_for_trace(stack, _send(stack, meant))
    kept = {pair["key"] for pair in span["attributes"] if pair["value"].get("stringValue") == PROMPT}
    assert kept >= {*CONTENT, *BELOW}
    assert span["status"]["message"] == PROMPT
    assert PROMPT in str(span["events"])
