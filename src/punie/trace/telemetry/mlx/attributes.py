"""What was seen of one request in the server, and the attributes that say so on its span."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from opentelemetry.util.types import AttributeValue

from punie.trace import semconv
from punie.trace.telemetry.mlx.draft import DraftCounter
from punie.trace.telemetry.mlx.messages import CountedMessages
from punie.trace.telemetry.mlx.writer import GoOn

PROVIDER_NAME: Final = "mlx_lm"
_NS: Final = 1_000_000_000
_DIGEST_DIGITS: Final = 16


class ServingPath(StrEnum):
    """How mlx_lm served a request: together with others, or alone (a draft model, a seed, images)."""

    BATCH = "batch"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the accelerator's allocator: the highest since it was last reset, and now."""

    peak_bytes: int
    active_bytes: int


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What answered: paths or names, as the server was given them."""

    model: str
    adapter: str | None = None
    draft: str | None = None


@dataclass(slots=True)
class ObservedRequest:
    """One request as far as it got. None: not seen (yet). Times are nanoseconds since the Unix epoch."""

    requested_model: str | None = None
    loaded: LoadedModel | None = None
    path: ServingPath | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int = 0
    finish_reason: str | None = None
    tool_calls: int = 0
    status_code: int | None = None
    draft: DraftCounter | None = None
    prompt_ids: Sequence[int] = ()
    token_ids: list[int] | None = None  # of the output; only where they are kept
    count_messages: Callable[[GoOn], CountedMessages] | None = None  # to be called when nobody waits
    memory: Memory | None = None
    concurrent: int = 1
    model_load_ns: int = 0
    queue_ns: int = 0
    prefill_start_ns: int | None = None
    first_token_ns: int | None = None
    last_token_ns: int | None = None


Attributes = dict[str, AttributeValue | None]


def request_attributes(seen: ObservedRequest, *, start_ns: int, end_ns: int) -> dict[str, AttributeValue]:
    """Everything that is known, under its name; what is not known has no entry."""
    loaded, memory = seen.loaded, seen.memory
    attributes: Attributes = {
        semconv.PROVIDER[0]: PROVIDER_NAME,
        semconv.HTTP_STATUS[0]: seen.status_code,
        semconv.REQUEST_MODEL: seen.requested_model,
        semconv.SERVER_PATH: seen.path,
        semconv.SERVER_CONCURRENT: seen.concurrent if seen.path else None,
        semconv.SERVER_MODEL_LOAD_NS: seen.model_load_ns or None,
        semconv.SERVER_TOOL_CALLS: seen.tool_calls or None,
        semconv.RESPONSE_MODEL: loaded.model if loaded else None,
        semconv.SERVER_DRAFT_MODEL: loaded.draft if loaded else None,
        semconv.SERVER_ADAPTER: loaded.adapter if loaded else None,
        semconv.FINISH_REASONS: (_wire_finish_reason(seen),) if seen.finish_reason else None,
        semconv.INPUT_TOKENS[0]: seen.prompt_tokens,
        semconv.CACHED_TOKENS[0]: seen.cached_tokens,
        semconv.OUTPUT_TOKENS[0]: seen.output_tokens if seen.path else None,
        semconv.SERVER_PEAK_MEMORY: memory.peak_bytes if memory else None,
        semconv.SERVER_ACTIVE_MEMORY: memory.active_bytes if memory else None,
        **_latency(seen, start_ns, end_ns),
        **_drafted(seen),
        **_tokens(seen),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _wire_finish_reason(seen: ObservedRequest) -> str:
    called = seen.finish_reason == "stop" and seen.tool_calls
    return "tool_calls" if called else str(seen.finish_reason)


def _latency(seen: ObservedRequest, start_ns: int, end_ns: int) -> Attributes:
    """Seconds, as vLLM and SGLang write them; a prefill rate only for a prefill that came to its end."""
    attributes: Attributes = {
        semconv.LATENCY_E2E: (end_ns - start_ns) / _NS,
        semconv.LATENCY_QUEUE: seen.queue_ns / _NS,
    }
    if seen.prefill_start_ns is None or seen.first_token_ns is None or seen.last_token_ns is None:
        return attributes
    prefill_ns = seen.first_token_ns - seen.prefill_start_ns
    decode_ns = seen.last_token_ns - seen.first_token_ns
    attributes |= {
        semconv.LATENCY_FIRST_TOKEN: (seen.first_token_ns - start_ns) / _NS,
        semconv.LATENCY_PREFILL: prefill_ns / _NS,
        semconv.LATENCY_DECODE: decode_ns / _NS,
        semconv.LATENCY_INFERENCE: (prefill_ns + decode_ns) / _NS,
    }
    if seen.output_tokens > 1:
        attributes[semconv.SERVER_TIME_PER_TOKEN] = decode_ns / _NS / (seen.output_tokens - 1)
    if seen.prompt_tokens is not None and prefill_ns > 0:
        uncached = seen.prompt_tokens - (seen.cached_tokens or 0)
        attributes[semconv.SERVER_PREFILL_RATE] = uncached * _NS / prefill_ns
    return attributes


def _drafted(seen: ObservedRequest) -> Attributes:
    if seen.draft is None:
        return {}
    in_calls = seen.draft.tool_calls
    return {
        semconv.SERVER_DRAFTED_TOKENS: seen.draft.drafted,
        semconv.SERVER_ACCEPTED_TOKENS: seen.draft.accepted,
        semconv.SERVER_DRAFT_STEPS: seen.draft.steps,
        semconv.SERVER_ACCEPTED_BY_POSITION: tuple(seen.draft.accepted_by_position),
        semconv.SERVER_TOOL_CALL_STEPS: in_calls.steps,
        semconv.SERVER_TOOL_CALL_DRAFTED: in_calls.drafted,
        semconv.SERVER_TOOL_CALL_ACCEPTED: in_calls.accepted,
        semconv.SERVER_TOOL_CALL_ACCEPTED_BY_POSITION: tuple(in_calls.accepted_by_position),
        semconv.SERVER_TOOL_CALL_TOKENS: seen.draft.tool_call_tokens,
    }


def _tokens(seen: ObservedRequest) -> Attributes:
    """The prompt's as text: a list of thousands of numbers would be four times as long in the journal."""
    if seen.token_ids is None:
        return {}
    output = ",".join(map(str, seen.token_ids))
    return {
        semconv.SERVER_PROMPT_TOKEN_IDS: ",".join(map(str, seen.prompt_ids)),
        semconv.SERVER_OUTPUT_TOKEN_IDS: tuple(seen.token_ids),
        semconv.SERVER_OUTPUT_DIGEST: hashlib.sha256(output.encode()).hexdigest()[:_DIGEST_DIGITS],
    }


def process_attributes(footprint_bytes: int | None) -> dict[str, AttributeValue]:
    """The whole process's memory, where it is known."""
    return {} if footprint_bytes is None else {semconv.SERVER_FOOTPRINT: footprint_bytes}


def message_attributes(seen: ObservedRequest, go_on: GoOn) -> dict[str, AttributeValue]:
    """Every message's digest, length and tokens; takes a while. Nothing where the prompt was no chat."""
    if seen.count_messages is None:
        return {}
    counted = seen.count_messages(go_on)
    return {
        semconv.MESSAGE_DIGESTS: counted.prompt.digests,
        semconv.MESSAGE_LENGTHS: counted.prompt.lengths,
        semconv.MESSAGE_TOKENS: counted.tokens,
    }
