"""One rule of typing for all sources, and bounds at the edge."""

from __future__ import annotations

import math
from typing import Final

import pytest

from punie.trace import semconv
from punie.trace.model import Attributes, AttributeValue, Span, SpanSet
from punie.trace.store.attribute_values import with_typed_values

TOKENS: Final = semconv.INPUT_TOKENS[0]


def read(attributes: Attributes) -> SpanSet:
    span = Span("a" * 32, "b" * 16, None, "chat", 1, 2, attributes=attributes, resource=attributes)
    return with_typed_values(SpanSet((span,)), "file")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        (TOKENS, "17", 17),
        (TOKENS, " 17 ", 17),
        (TOKENS, "17.0", 17),
        (TOKENS, 17.0, 17),
        (TOKENS, "1.7e1", 17),
        ("gen_ai.usage.anything", "3", 3),
        (semconv.LATENCY_PREFILL, "0.25", 0.25),
        (semconv.QUERY_OK, "True", True),
        (semconv.QUERY_OK, "false", False),
        (semconv.QUERY_WARMUP, 1, True),
        (semconv.FINISH_REASONS, '["stop", "length"]', ("stop", "length")),
        (semconv.FINISH_REASONS, "['stop', 'length']", ("stop", "length")),
        (semconv.FINISH_REASONS, "stop,length", ("stop", "length")),
        (semconv.FINISH_REASONS, "stop", ("stop",)),
        (semconv.MESSAGE_LENGTHS, "[12, 40]", (12, 40)),
        (semconv.HTTP_STATUS[1], "503", 503),
    ],
)
def test_text_becomes_what_its_name_means(name: str, text: AttributeValue, value: AttributeValue) -> None:
    found = read({name: text, "shop.order": "17"})
    (span,) = found.spans
    assert span.attributes == span.resource == {name: value, "shop.order": "17"}
    assert type(span.attributes[name]) is type(value)
    assert [(note.slug, note.count) for note in found.notes] == (
        [("numbers-as-text", 2)] if isinstance(text, str) and text != "stop" else []
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (TOKENS, -1),
        ("gen_ai.usage.cost", -0.5),
        (TOKENS, 10**400),
        (TOKENS, "9" * 400),
        (TOKENS, 1e308),
        (TOKENS, 0.5),
        (TOKENS, math.nan),
        (TOKENS, "many"),
        (TOKENS, True),
        (TOKENS, {"count": 1}),
        (semconv.LATENCY_PREFILL, math.inf),
        (semconv.LATENCY_PREFILL, "NaN"),
        (semconv.LATENCY_PREFILL, -0.1),
        (semconv.SERVER_PEAK_MEMORY, -1),
        (semconv.SERVER_PEAK_MEMORY, 2**63),
        (semconv.FINISH_REASONS, {"reason": "stop"}),
        (semconv.MESSAGE_LENGTHS, (1, -2)),
        (semconv.TOOL_NAME, ("a", "b")),
        (semconv.QUERY_OK, "perhaps"),
    ],
)
def test_a_value_that_cannot_be_is_left_out_and_its_name_noted(name: str, value: AttributeValue) -> None:
    found = read({name: value, "shop.order": value})
    assert found.spans[0].attributes == {"shop.order": value}
    (note,) = found.notes
    assert (note.slug, note.case, note.count) == ("value-left-out", f"file: {name}", 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gen_ai.usage.currency", "EUR"),
        ("gen_ai.usage.cost", 0.0021),
        ("gen_ai.usage.details", {"a": 1}),
        ("gen_ai.usage.estimated", True),
        (TOKENS, 17),
        (semconv.LATENCY_PREFILL, 0.25),
        (semconv.QUERY_OK, True),
        (semconv.QUERY_TEXT, "5"),
    ],
)
def test_what_is_right_stays_the_same_object(name: str, value: AttributeValue) -> None:
    attributes = {name: value}
    assert read(attributes).spans[0].attributes is attributes
