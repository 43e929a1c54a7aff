"""Every span, attribute and event name that we read or write, once, with its aliases.

Sources: OpenTelemetry's semantic conventions (GenAI, HTTP; the GenAI part is not stable), the names that
vLLM and SGLang use for what has no convention yet (`gen_ai.latency.*`), and `punie.*`, our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from punie.trace.model import Attributes, AttributeValue

# --- span names ---
SPAN_QUERY: Final = "query"
SPAN_WARMUP: Final = "warm-up"
SPAN_PARSE: Final = "parse"
SPAN_RETRY_WAIT: Final = "retry wait"
SPAN_SERVER_REQUEST: Final = "server request"  # short: Jaeger's page cuts what is longer in this row
SPAN_QUEUE: Final = "queue"
SPAN_TEMPLATE: Final = "template"
SPAN_PREFILL: Final = "prefill"
SPAN_DECODE: Final = "decode"
SPAN_LOAD: Final = "load"  # the server loads a model

# --- service names (short: Jaeger's page cuts them) ---
SERVICE_AGENT: Final = "agent"
SERVICE_SERVER: Final = "mlx_lm"

# --- ours: phases ---
PHASE: Final = "punie.phase"
PHASE_PROVENANCE: Final = "punie.phase.provenance"

# --- ours: how a span hangs on its parent, where a source knows more than one way ---
PARENT_REFERENCE: Final = "punie.parent.reference"
FOLLOWS_FROM: Final = "follows_from"  # caused by it, not waited for by it

# --- ours: the query span says all that a reader needs to judge it ---
RUN_ID: Final = "punie.run.id"
QUERY_ID: Final = "punie.query.id"
QUERY_TEXT: Final = "punie.query.text"  # content
QUERY_ANSWER: Final = "punie.query.answer"  # content
QUERY_EXPECTED: Final = "punie.query.expected"  # "tool" or "direct"
QUERY_REPEAT: Final = "punie.query.repeat"  # from 0
QUERY_POSITION: Final = "punie.query.position"  # from 0, in the server start
QUERY_SERVER_START: Final = "punie.query.server_start"  # from 0
QUERY_WARMUP: Final = "punie.query.warmup"
QUERY_CACHE: Final = "punie.query.cache"  # the prompt cache arm: "server", "off" or "unknown"
CACHE_OFF: Final = "off"
CACHE_ARMS_OF_RUN: Final = frozenset({"server", CACHE_OFF})  # the server is one that `run` started
QUERY_SUITE: Final = "punie.suite.name"
QUERY_SUITE_HASH: Final = "punie.suite.hash"
QUERY_OK: Final = "punie.score.ok"
QUERY_FAILURE_DETAILS: Final = (
    "punie.score.details"  # content: a sentence for each, which may quote the answer
)
QUERY_FAILURES: Final = "punie.score.failures"  # list of slugs, empty if ok
QUERY_ERROR: Final = "punie.query.error"  # the exception that ended it: type and message

# --- ours: what always travels in place of content ---
MESSAGE_DIGESTS: Final = "punie.message.digests"  # one short SHA-256 a message, in order
MESSAGE_LENGTHS: Final = "punie.message.lengths"  # characters, same order
MESSAGE_TOKENS: Final = "punie.message.tokens"  # same order; -1: not known apart, in the next one
MESSAGE_TOKENS_NOT_KNOWN: Final = -1
CONTENT_SEND: Final = "punie.content.send"  # true: the user asked for content to be sent

# --- ours: the wire ---
HTTP_HEADERS_NS: Final = "punie.http.time_to_headers_ns"
HTTP_FIRST_EVENT_NS: Final = "punie.http.time_to_first_event_ns"
HTTP_EVENTS: Final = "punie.http.events"
HTTP_ENDS_AT: Final = "punie.http.ends_at"  # "last_byte", "close" (not read to its end) or "headers"
HTTP_ENDS_AT_HEADERS: Final = "headers"
HTTP_ENDS_AT_LAST_BYTE: Final = "last_byte"
HTTP_SCOPES_TO_HEADERS: Final = (  # prefixes of scopes that do; aiohttp's "request end" is the headers' end
    "opentelemetry.instrumentation.httpx",
    "opentelemetry.instrumentation.aiohttp_client",
)
HTTP_ATTEMPT: Final = "http.request.resend_count"
BODY_SOURCE: Final = "punie.body.source"  # the kind of server whose timings were read
BODY_TOLD_NS: Final = "punie.body.told_ns"  # as long as the server said; the span may have been cut
HTTP_BODY_SIZE: Final = "http.response.body.size"  # bytes received, as they came over the wire

# --- ours: the server ---
SERVER_PATH: Final = "punie.server.path"  # "batch" or "single"
SERVER_DRAFTED_TOKENS: Final = "punie.server.drafted_tokens"
SERVER_ACCEPTED_TOKENS: Final = "punie.server.accepted_tokens"
SERVER_DRAFT_MODEL: Final = "punie.server.draft_model"
SERVER_ADAPTER: Final = "punie.server.adapter"
SERVER_PEAK_MEMORY: Final = "punie.server.peak_memory_bytes"
SERVER_ACTIVE_MEMORY: Final = "punie.server.active_memory_bytes"
SERVER_FOOTPRINT: Final = "punie.server.footprint_bytes"
SERVER_CONCURRENT: Final = "punie.server.concurrent_requests"  # the most at work at once, this one included
SERVER_MODEL_LOAD_NS: Final = "punie.server.model_load_ns"  # set if the request made the server load a model
SERVER_PREFILL_RATE: Final = "punie.server.prefill_tokens_per_second"  # of the tokens that were not cached
SERVER_TIME_PER_TOKEN: Final = "punie.server.time_per_output_token"  # seconds, without the first token
SERVER_DRAFT_STEPS: Final = "punie.server.draft_steps"
SERVER_ACCEPTED_BY_POSITION: Final = (
    "punie.server.accepted_tokens_by_position"  # the first place in a step first
)
SERVER_TOOL_CALLS: Final = "punie.server.tool_calls"
SERVER_PEAK_FOOTPRINT: Final = "punie.server.peak_footprint_bytes"  # on a query: of its server start, so far
MACHINE_RECOMMENDED_MEMORY: Final = "punie.machine.recommended_memory_bytes"
SERVER_PROMPT_TOKEN_IDS: Final = "punie.server.prompt_token_ids"  # content: a text, "1,2,3"
SERVER_OUTPUT_TOKEN_IDS: Final = (
    "punie.server.output_token_ids"  # content: a list: the answer, as the model made it
)
SERVER_OUTPUT_DIGEST: Final = "punie.server.output_digest"  # short SHA-256 of those ids as a text, "1,2,3"
SERVER_TOOL_CALL_TOKENS: Final = (
    "punie.server.tool_call.output_tokens"  # those of the output inside tool calls
)
SERVER_TOOL_CALL_DRAFTED: Final = "punie.server.tool_call.drafted_tokens"
SERVER_TOOL_CALL_ACCEPTED: Final = "punie.server.tool_call.accepted_tokens"
SERVER_TOOL_CALL_STEPS: Final = "punie.server.tool_call.draft_steps"
SERVER_TOOL_CALL_ACCEPTED_BY_POSITION: Final = "punie.server.tool_call.accepted_tokens_by_position"

# --- ours: benchmarks, on query spans ---
BENCH_ARM: Final = "punie.bench.arm"  # the arm's name in the plan
BENCH_BLOCK: Final = "punie.bench.block"  # from 0
BENCH_SERVER_START: Final = "punie.bench.server_start"  # an id: arms that shared a server share it

# --- OpenTelemetry GenAI ---
OPERATION: Final = "gen_ai.operation.name"
OPERATION_CHAT: Final = ("chat", "text_completion", "generate_content", "completion")
OPERATION_AGENT: Final = "invoke_agent"
OPERATION_TOOL: Final = "execute_tool"
PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system")
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FINISH_TRUNCATED: Final = frozenset({"length", "max_tokens", "MAX_TOKENS"})  # ended by the token limit
INPUT_TOKENS: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT_TOKENS: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
CACHED_TOKENS: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    "gen_ai.usage.cached_tokens",  # SGLang
)
TIME_TO_FIRST_CHUNK: Final = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
)
LATENCY_QUEUE: Final = "gen_ai.latency.time_in_queue"
LATENCY_FIRST_TOKEN: Final = "gen_ai.latency.time_to_first_token"
LATENCY_PREFILL: Final = "gen_ai.latency.time_in_model_prefill"
LATENCY_DECODE: Final = "gen_ai.latency.time_in_model_decode"
LATENCY_INFERENCE: Final = "gen_ai.latency.time_in_model_inference"
LATENCY_E2E: Final = "gen_ai.latency.e2e"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
AGENT_CALL_ID: Final = "gen_ai.agent.call.id"
RESPONSE_ID: Final = "gen_ai.response.id"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
FINAL_RESULT: Final = "final_result"  # PydanticAI's, on the span of an agent's run
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
TOOL_DEFERRAL: Final = "pydantic_ai.tool.deferral.name"
AGENT_NAME: Final = ("gen_ai.agent.name", "agent_name")

# Content: what a prompt, an answer or a tool call says. Never leaves the machine unless asked to.
CONTENT_KEYS: Final = (
    QUERY_TEXT,
    QUERY_ANSWER,
    QUERY_FAILURE_DETAILS,
    SERVER_PROMPT_TOKEN_IDS,
    SERVER_OUTPUT_TOKEN_IDS,
    INPUT_MESSAGES,
    OUTPUT_MESSAGES,
    "gen_ai.system_instructions",
    TOOL_ARGUMENTS,
    TOOL_RESULT,
    TOOL_DEFINITIONS,
    "gen_ai.prompt",
    "gen_ai.completion",
    "pydantic_ai.all_messages",
    "all_messages_events",
    "model_request_parameters",
    "logfire.json_schema",
    "tool_arguments",
    "tool_response",
    FINAL_RESULT,
    "events",
)

# What an exception says may quote a prompt or an argument: content too, wherever it stands.
EXCEPTION_TEXT_KEYS: Final = (
    "exception.message",
    "exception.stacktrace",
    "exception.logfire.data",
    "pydantic_ai.tool.deferral.metadata",
)

# What leaves the machine unasked: names whose values can't be prose, and namespaces of such names. A user's own
# attributes are on neither list, so they stay.
TRAVELLING_KEYS: Final = (
    *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.output.type"),
    *(
        "gen_ai.request.model",
        "gen_ai.request.max_tokens",
        "gen_ai.request.temperature",
        "gen_ai.request.top_p",
    ),
    *("gen_ai.request.top_k", "gen_ai.request.seed", "gen_ai.request.stream", "gen_ai.request.choice.count"),
    *("gen_ai.request.frequency_penalty", "gen_ai.request.presence_penalty", "gen_ai.request.id"),
    *(RESPONSE_ID, "gen_ai.response.model", "gen_ai.response.finish_reasons"),
    *("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk"),
    *(CONVERSATION_ID, "gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.version"),
    *(AGENT_CALL_ID, TOOL_NAME, "gen_ai.tool.type", "gen_ai.tool.call.id"),
    *("agent_name", "model_name", "logfire.span_type", "logfire.level_num"),
    *("http.request.method", "http.method", "http.response.status_code", "http.status_code"),
    *("http.request.resend_count", "http.request.body.size", "http.response.body.size", "http.scheme"),
    *("url.full", "http.url", "url.path", "url.scheme", "http.target"),  # each without its query
    *("server.address", "server.port", "net.peer.name", "net.peer.port", "error.type"),
    *("exception.type", "exception.escaped"),
)
TRAVELLING_SPACES: Final = (
    "punie.",
    "gen_ai.usage.",
    "gen_ai.aggregated_usage.",
    "gen_ai.latency.",
    "gen_ai.server.",
    "pydantic_ai.cache.",
    "network.",
)
URL_KEYS: Final = ("url.full", "url.path", "http.url", "http.target")

# What a number, a truth or a list is, for sources that keep every value as text.
NUMBER_SPACES: Final = (
    "gen_ai.usage.",
    "gen_ai.latency.",
    "llm.token_count.",
    "llm.usage.",
    "punie.http.time_",
)
NUMBER_KEYS: Final = frozenset(
    {
        *INPUT_TOKENS,
        *OUTPUT_TOKENS,
        *CACHED_TOKENS,
        *TIME_TO_FIRST_CHUNK,
        QUERY_REPEAT,
        QUERY_POSITION,
        QUERY_SERVER_START,
        HTTP_EVENTS,
        HTTP_ATTEMPT,
        HTTP_BODY_SIZE,
        BODY_TOLD_NS,
        SERVER_DRAFTED_TOKENS,
        SERVER_ACCEPTED_TOKENS,
        SERVER_PEAK_MEMORY,
        SERVER_ACTIVE_MEMORY,
        SERVER_FOOTPRINT,
        SERVER_CONCURRENT,
        SERVER_MODEL_LOAD_NS,
        SERVER_PREFILL_RATE,
        SERVER_TIME_PER_TOKEN,
        SERVER_DRAFT_STEPS,
        SERVER_TOOL_CALLS,
        SERVER_PEAK_FOOTPRINT,
        MACHINE_RECOMMENDED_MEMORY,
        "http.response.status_code",
        "http.status_code",
        "server.port",
        "net.peer.port",
    }
)
TRUTH_KEYS: Final = frozenset({QUERY_OK, QUERY_WARMUP, CONTENT_SEND})
LIST_KEYS: Final = frozenset(
    {
        FINISH_REASONS,
        MESSAGE_DIGESTS,
        MESSAGE_LENGTHS,
        MESSAGE_TOKENS,
        QUERY_FAILURES,
        QUERY_FAILURE_DETAILS,
        SERVER_ACCEPTED_BY_POSITION,
    }
)

# --- SGLang: its spans have no kind; these tell whose they are ---
SGLANG_SCOPE: Final = "sglang"  # prefix of the scope of all its spans
SGLANG_MODULE: Final = "module"  # on the span of a whole request: "sglang::request"
SGLANG_MODULES: Final = "sglang::"

# --- what other instrumentations call the same: OpenInference, Langfuse, OpenLLMetry (Traceloop) ---
FOREIGN_OPERATIONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {  # attribute: its value in small letters: our operation
        "openinference.span.kind": {"llm": "chat", "tool": OPERATION_TOOL, "agent": OPERATION_AGENT},
        "langfuse.observation.type": {"generation": "chat", "tool": OPERATION_TOOL, "agent": OPERATION_AGENT},
        "traceloop.span.kind": {"tool": OPERATION_TOOL, "agent": OPERATION_AGENT},
        "llm.request.type": {"chat": "chat", "completion": "text_completion"},
    }
)
FOREIGN_MODEL: Final = (
    "llm.request.model_name",
    "llm.model_name",
    "langfuse.observation.model.name",
    "llm.request.model",
)
FOREIGN_INPUT_TOKENS: Final = ("llm.token_count.prompt", "llm.usage.prompt_tokens")
FOREIGN_OUTPUT_TOKENS: Final = ("llm.token_count.completion", "llm.usage.completion_tokens")
FOREIGN_CACHED_TOKENS: Final = (
    "llm.token_count.prompt_details.cache_read",
    "gen_ai.usage.cache_read_input_tokens",
)
FOREIGN_FINISH_REASON: Final = (
    "llm.finish_reason",
    "gen_ai.completion.0.finish_reason",
    "langfuse.observation.metadata.finish_reason",
)
FOREIGN_TOOL_NAME: Final = ("tool.name", "traceloop.entity.name")
FOREIGN_AGENT_NAME: Final = ("agent.name", "traceloop.entity.name")
LANGFUSE_USAGE: Final = "langfuse.observation.usage_details"  # a JSON object as text
LANGFUSE_FIRST_TOKEN: Final = "langfuse.observation.completion_start_time"  # a time in ISO 8601, as JSON text
FOREIGN_CONTENT_KEYS: Final = (
    *("input.value", "output.value", "llm.input_messages", "llm.output_messages", "llm.prompts"),
    *(
        "llm.prompt_template",
        "llm.function_call",
        "llm.invocation_parameters",
        "llm.tools",
        "tool.parameters",
    ),
    *("message.content", "retrieval.documents", "embedding.embeddings", "gen_ai.event.content"),
    *("langfuse.trace.input", "langfuse.trace.output"),
    *("langfuse.observation.input", "langfuse.observation.output"),
    *("traceloop.entity.input", "traceloop.entity.output"),
)
FIRST_TOKEN_EVENTS: Final = frozenset({"First Token Stream Event", "gen_ai.content.completion.chunk"})

# --- OpenTelemetry HTTP, current names and the ones before ---
HTTP_METHOD: Final = ("http.request.method", "http.method")
HTTP_STATUS: Final = ("http.response.status_code", "http.status_code")
URL_PATH: Final = "url.path"
URL_FULL: Final = ("url.full", "http.url")
SERVER_ADDRESS: Final = ("server.address", "net.peer.name")
SERVER_PORT: Final = ("server.port", "net.peer.port")
ERROR_TYPE: Final = "error.type"

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = "process.pid"
MACHINE_NAMES: Final = (
    "k8s.node.uid",
    "k8s.node.name",
    "host.id",
    HOST_NAME,
)  # in order of trust: one clock each
PROCESS_NAMES: Final = (
    "k8s.pod.uid",
    "container.id",
    "service.instance.id",
)  # equal: one machine; else no sign
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


def first(attributes: Attributes, names: str | Iterable[str]) -> AttributeValue:
    """The value of the first of `names` that is set, else None."""
    for name in (names,) if isinstance(names, str) else names:
        value = attributes.get(name)
        if value is not None:
            return value
    return None


def integer(attributes: Attributes, names: str | Iterable[str]) -> int | None:
    """As `first`, for a count; None if it is not set or is no whole number."""
    value = first(attributes, names)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def text(attributes: Attributes, names: str | Iterable[str]) -> str | None:
    """As `first`, for a string; None if it is not set or is no string."""
    value = first(attributes, names)
    return value if isinstance(value, str) else None


# --- what the server's process says in its log, for those who start it and for reports ---

LOG_NOT_TRACED: Final = "the server runs without spans:"
LOG_SPANS_LOST: Final = "span journal:"
