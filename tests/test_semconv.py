"""The table of attributes: of several names the order in which they count is fixed."""

from __future__ import annotations

import pytest

from punie.trace import semconv
from punie.trace.attributes.types import MEASURE

PRECEDENCE = {
    semconv.INPUT_TOKENS: (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "gen_ai.response.input_tokens",
        "gen_ai.response.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "llm.usage.input_tokens",
        "gen_ai.usage.input_token_count",
        "gen_ai.usage.prompt_token_count",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "braintrust.metrics.prompt_tokens",
        "input_tokens",
    ),
    semconv.CACHED_TOKENS: (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.cached_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.input_cached_tokens",
        "braintrust.metrics.prompt_cached_tokens",
        "cache_read_tokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
    ),
    semconv.CACHE_WRITE_TOKENS: (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.cache_creation_tokens",
        "cache_creation_tokens",
    ),
    semconv.TIME_TO_FIRST_CHUNK: (
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.inference.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
    ),
    semconv.PROVIDER: ("gen_ai.provider.name", "gen_ai.system"),
    semconv.HTTP_STATUS: ("http.response.status_code", "http.status_code"),
}


@pytest.mark.parametrize("names", PRECEDENCE)
def test_the_first_name_that_is_set_counts(names: tuple[str, ...]) -> None:
    assert names == PRECEDENCE[names]
    for place, name in enumerate(names):
        attributes = {other: number for number, other in enumerate(names) if number >= place}
        assert semconv.first(attributes, names) == attributes[name] == place


def test_names_of_one_attribute_have_one_type() -> None:
    for names in PRECEDENCE:
        assert len({semconv.TABLE.types[name] for name in names}) == 1


def test_a_name_without_an_entry_has_the_type_of_its_family_or_none() -> None:
    assert semconv.TABLE.type_of("gen_ai.usage.anything") is MEASURE
    assert semconv.TABLE.type_of("gen_ai.anything") is None
