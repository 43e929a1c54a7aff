"""Every span, attribute and event name that we read or write: one entry each, with its type and its other names.

The type (`attributes/types.py`) says what a value may be, whether it may leave the machine unasked and whether it is
content; what is in no entry never leaves. Of several names the first that is set counts: first the conventions' name of
today, then those that they had before or have next, then those of other instrumentations.

Sources: OpenTelemetry's semantic conventions (GenAI, HTTP; the GenAI part is not stable), the names that vLLM and
SGLang use for what has no convention yet (`gen_ai.latency.*`), OpenInference, Langfuse, OpenLLMetry (Traceloop),
Vercel's AI SDK, and `punie.*`, our own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from punie.trace.attributes.types import (
    BYTES,
    CONTENT,
    CONTENT_INTEGERS,
    CONTENT_WORDS,
    COUNT,
    COUNTS,
    ERROR,
    HTTP_CODE,
    INTEGER,
    MEASURE,
    NAME,
    NANOSECONDS,
    NUMBER,
    PORT,
    RATE,
    SECONDS,
    TEXT,
    TRUTH,
    URL,
    WORD,
    WORDS,
    AttributeTable,
    Names,
    one_of,
)
from punie.trace.attributes.unread import enter_unread
from punie.trace.model import PHASES, Attributes, AttributeValue, Disturbance, Provenance

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"  # whose names our own spans use

TABLE: Final = AttributeTable()
_one = TABLE.name
_any = TABLE.names

# --- span names (short: Jaeger's page cuts what is longer) ---
SPAN_QUERY: Final = "query"
SPAN_WARMUP: Final = "warm-up"
SPAN_PARSE: Final = "parse"
SPAN_RETRY_WAIT: Final = "retry wait"
SPAN_SERVER_REQUEST: Final = "server request"
SPAN_QUEUE: Final = "queue"
SPAN_TEMPLATE: Final = "template"
SPAN_PREFILL: Final = "prefill"
SPAN_DECODE: Final = "decode"
SPAN_LOAD: Final = "load"  # the server loads a model

# --- service names (short: Jaeger's page cuts them) ---
SERVICE_AGENT: Final = "agent"
SERVICE_SERVER: Final = "mlx_lm"

# --- ours: phases ---
PHASE: Final = _one(one_of(*PHASES), "punie.phase")
PHASE_PROVENANCE: Final = _one(one_of(*Provenance), "punie.phase.provenance")

# --- ours: how a span hangs on its parent, where a source knows more than one way ---
FOLLOWS_FROM: Final = "follows_from"  # caused by it, not waited for by it
PARENT_REFERENCE: Final = _one(one_of(FOLLOWS_FROM), "punie.parent.reference")

# --- ours: the query span has all that a reader needs to judge it ---
RUN_ID: Final = _one(WORD, "punie.run.id")
QUERY_ID: Final = _one(NAME, "punie.query.id")
QUERY_NAME: Final = _one(NAME, "punie.query.name")  # of one that no suite asks: agent and time of day
QUERY_TEXT: Final = _one(CONTENT, "punie.query.text")
QUERY_ANSWER: Final = _one(CONTENT, "punie.query.answer")
QUERY_EXPECTED: Final = _one(one_of("tool", "direct", "any"), "punie.query.expected")
QUERY_DISTURBED: Final = _one(one_of(*Disturbance), "punie.query.disturbed_by")
QUERY_REPEAT: Final = _one(COUNT, "punie.query.repeat")  # from 0
QUERY_POSITION: Final = _one(COUNT, "punie.query.position")  # from 0, in the server start
QUERY_SERVER_START: Final = _one(COUNT, "punie.query.server_start")  # from 0
QUERY_WARMUP: Final = _one(TRUTH, "punie.query.warmup")
CACHE_OFF: Final = "off"
CACHE_SERVER: Final = "server"
CACHE_ARMS_OF_RUN: Final = frozenset({CACHE_SERVER, CACHE_OFF})  # the server is one that `run` started
QUERY_CACHE: Final = _one(one_of(*CACHE_ARMS_OF_RUN, "unknown"), "punie.query.cache")  # the prompt cache arm
QUERY_SUITE: Final = _one(NAME, "punie.suite.name")
QUERY_SUITE_HASH: Final = _one(WORD, "punie.suite.hash")
QUERY_OK: Final = _one(TRUTH, "punie.score.ok")
# a sentence each, may quote the answer
QUERY_FAILURE_DETAILS: Final = _one(CONTENT_WORDS, "punie.score.details")
QUERY_FAILURES: Final = _one(WORDS, "punie.score.failures")  # slugs, empty if ok
QUERY_ERROR: Final = _one(ERROR, "punie.query.error")  # the exception that ended it: type and message

# --- ours: what always travels in place of content ---
MESSAGE_DIGESTS: Final = _one(WORDS, "punie.message.digests")  # one short SHA-256 a message, in order
MESSAGE_LENGTHS: Final = _one(COUNTS, "punie.message.lengths")  # characters, same order
# same order; -1: not known apart, in the next one
MESSAGE_TOKENS: Final = _one(COUNTS, "punie.message.tokens")
MESSAGE_TOKENS_NOT_KNOWN: Final = -1
CONTENT_SEND: Final = _one(TRUTH, "punie.content.send")  # true: the user asked for content to be sent

# --- ours: the wire ---
HTTP_HEADERS_NS: Final = _one(NANOSECONDS, "punie.http.time_to_headers_ns")
HTTP_FIRST_EVENT_NS: Final = _one(NANOSECONDS, "punie.http.time_to_first_event_ns")
HTTP_EVENTS: Final = _one(COUNT, "punie.http.events")
HTTP_ENDS_AT_HEADERS: Final = "headers"
HTTP_ENDS_AT_LAST_BYTE: Final = "last_byte"
HTTP_ENDS_AT: Final = _one(  # "close": not read to its end
    one_of(HTTP_ENDS_AT_HEADERS, HTTP_ENDS_AT_LAST_BYTE, "close"), "punie.http.ends_at"
)
HTTP_SCOPES_TO_HEADERS: Final = (  # prefixes of scopes that do; aiohttp's "request end" is the headers' end
    "opentelemetry.instrumentation.httpx",
    "opentelemetry.instrumentation.aiohttp_client",
)
HTTP_ATTEMPT: Final = _one(COUNT, "http.request.resend_count")
BODY_SOURCE: Final = _one(WORD, "punie.body.source")  # the kind of server whose timings were read
# by the server's count; the span may have been cut
BODY_REPORTED_NS: Final = _one(NANOSECONDS, "punie.body.told_ns")
HTTP_BODY_SIZE: Final = _one(BYTES, "http.response.body.size")  # received, as they came over the wire

# --- ours: the server ---
SERVER_PATH: Final = _one(one_of("batch", "single"), "punie.server.path")
SERVER_DRAFTED_TOKENS: Final = _one(COUNT, "punie.server.drafted_tokens")
SERVER_ACCEPTED_TOKENS: Final = _one(COUNT, "punie.server.accepted_tokens")
SERVER_DRAFT_MODEL: Final = _one(NAME, "punie.server.draft_model")
SERVER_ADAPTER: Final = _one(NAME, "punie.server.adapter")
SERVER_PEAK_MEMORY: Final = _one(BYTES, "punie.server.peak_memory_bytes")
SERVER_ACTIVE_MEMORY: Final = _one(BYTES, "punie.server.active_memory_bytes")
SERVER_FOOTPRINT: Final = _one(BYTES, "punie.server.footprint_bytes")
# the most at once, this one included
SERVER_CONCURRENT: Final = _one(COUNT, "punie.server.concurrent_requests")
# if the request made it load a model
SERVER_MODEL_LOAD_NS: Final = _one(NANOSECONDS, "punie.server.model_load_ns")
# of tokens that were not cached
SERVER_PREFILL_RATE: Final = _one(RATE, "punie.server.prefill_tokens_per_second")
SERVER_TIME_PER_TOKEN: Final = _one(SECONDS, "punie.server.time_per_output_token")  # without the first token
SERVER_DRAFT_STEPS: Final = _one(COUNT, "punie.server.draft_steps")
SERVER_ACCEPTED_BY_POSITION: Final = _one(  # the first place in a step first
    COUNTS, "punie.server.accepted_tokens_by_position"
)
SERVER_TOOL_CALLS: Final = _one(COUNT, "punie.server.tool_calls")
# on a query: of its start, so far
SERVER_PEAK_FOOTPRINT: Final = _one(BYTES, "punie.server.peak_footprint_bytes")
MACHINE_RECOMMENDED_MEMORY: Final = _one(BYTES, "punie.machine.recommended_memory_bytes")
SERVER_PROMPT_TOKEN_IDS: Final = _one(CONTENT, "punie.server.prompt_token_ids")  # a text, "1,2,3"
# as the model made them
SERVER_OUTPUT_TOKEN_IDS: Final = _one(CONTENT_INTEGERS, "punie.server.output_token_ids")
# short SHA-256 of those ids as "1,2,3"
SERVER_OUTPUT_DIGEST: Final = _one(WORD, "punie.server.output_digest")
# of the output, in tool calls
SERVER_TOOL_CALL_TOKENS: Final = _one(COUNT, "punie.server.tool_call.output_tokens")
SERVER_TOOL_CALL_DRAFTED: Final = _one(COUNT, "punie.server.tool_call.drafted_tokens")
SERVER_TOOL_CALL_ACCEPTED: Final = _one(COUNT, "punie.server.tool_call.accepted_tokens")
SERVER_TOOL_CALL_STEPS: Final = _one(COUNT, "punie.server.tool_call.draft_steps")
SERVER_TOOL_CALL_ACCEPTED_BY_POSITION: Final = _one(
    COUNTS, "punie.server.tool_call.accepted_tokens_by_position"
)

# --- ours: benchmarks, on query spans ---
BENCH_ARM: Final = _one(NAME, "punie.bench.arm")  # the arm's name in the plan
BENCH_BLOCK: Final = _one(COUNT, "punie.bench.block")  # from 0
# an id: arms that shared a server share it
BENCH_SERVER_START: Final = _one(WORD, "punie.bench.server_start")

# --- OpenTelemetry GenAI: what a span is ---
OPERATION: Final = _one(WORD, "gen_ai.operation.name")
OPERATION_CHAT: Final = ("chat", "text_completion", "generate_content", "completion")
OPERATION_AGENT: Final = "invoke_agent"
OPERATION_TOOL: Final = "execute_tool"
OPERATION_WORKFLOW: Final = "invoke_workflow"
OPERATION_EVALUATION: Final = "evaluate"  # ours: the conventions have an event alone
PROVIDER: Final = _any(WORD, "gen_ai.provider.name gen_ai.system")
REQUEST_MODEL: Final = _one(NAME, "gen_ai.request.model")
RESPONSE_MODEL: Final = _one(NAME, "gen_ai.response.model")
FOREIGN_MODEL: Final = _any(
    NAME,
    """llm.request.model_name llm.model_name langfuse.observation.model.name llm.request.model ai.model.id
    ai.response.model llm.response.model gen_ai.model_name braintrust.metadata.model""",
)
CONVERSATION_ID: Final = _one(WORD, "gen_ai.conversation.id")
SESSION: Final = _any(
    WORD, "gen_ai.conversation.id session.id langfuse.session.id langsmith.metadata.thread_id"
)
AGENT_NAME: Final = _any(NAME, "gen_ai.agent.name agent_name")
AGENT_CALL_ID: Final = _one(WORD, "gen_ai.agent.call.id")
FOREIGN_AGENT_NAME: Final = _any(NAME, "agent.name traceloop.entity.name")
TOOL_NAME: Final = _one(NAME, "gen_ai.tool.name")
TOOL_CALL_ID: Final = _one(WORD, "gen_ai.tool.call.id")
TOOL_DEFERRAL: Final = _one(TEXT, "pydantic_ai.tool.deferral.name")
FOREIGN_TOOL_NAME: Final = _any(
    NAME,
    """tool.name traceloop.entity.name ai.toolCall.name spring.ai.tool.definition.name mcp.tool.name
    lk.function_tool.name tool_name""",
)
FOREIGN_TOOL_CALL: Final = _any(WORD, "ai.toolCall.id tool_call.id lk.function_tool.id call_id")
# What an instrumentation calls a span's part; `foreign/dialects.py` has the words.
FOREIGN_KIND: Final = _any(
    WORD,
    """openinference.span.kind langfuse.observation.type traceloop.span.kind llm.request.type
    spring.ai.kind ai.operationId mcp.method.name ag2.span.type gen_ai.span.kind lmnr.span.type
    langsmith.span.kind mlflow.spanType mastra.span.type genkit:metadata:subtype haystack.component.type
    langwatch.type sentry.op vercel.ai.operationId braintrust.span_attributes.type honeyhive_event_type
    braintrust.span_attributes n8n.node.type""",
)
MESSAGE_TEMPLATE: Final = _one(TEXT, "logfire.msg_template")
MCP_METHOD: Final = "mcp.method.name"

# --- OpenTelemetry GenAI: what a request used, how long it took and how it ended ---
INPUT_TOKENS: Final = _any(
    COUNT,
    """gen_ai.usage.input_tokens gen_ai.usage.prompt_tokens gen_ai.response.input_tokens
    gen_ai.response.prompt_tokens llm.token_count.prompt llm.usage.prompt_tokens llm.usage.input_tokens
    gen_ai.usage.input_token_count gen_ai.usage.prompt_token_count ai.usage.inputTokens
    ai.usage.promptTokens braintrust.metrics.prompt_tokens input_tokens""",
)
OUTPUT_TOKENS: Final = _any(
    COUNT,
    """gen_ai.usage.output_tokens gen_ai.usage.completion_tokens gen_ai.response.output_tokens
    gen_ai.response.completion_tokens llm.token_count.completion llm.usage.completion_tokens
    llm.usage.output_tokens gen_ai.usage.output_token_count gen_ai.usage.completion_token_count
    ai.usage.outputTokens ai.usage.completionTokens braintrust.metrics.completion_tokens output_tokens""",
)
CACHED_TOKENS: Final = _any(
    COUNT,
    """gen_ai.usage.cache_read.input_tokens gen_ai.usage.details.cache_read_tokens
    gen_ai.usage.details.cached_tokens gen_ai.usage.cached_tokens gen_ai.usage.cache_read_input_tokens
    llm.token_count.prompt_details.cache_read ai.usage.cachedInputTokens
    gen_ai.usage.input_tokens.cached gen_ai.usage.cache_read_tokens gen_ai.usage.cached_input_tokens
    gen_ai.usage.input_cached_tokens braintrust.metrics.prompt_cached_tokens cache_read_tokens
    ai.usage.inputTokenDetails.cacheReadTokens""",
)
CACHE_WRITE_TOKENS: Final = _any(
    COUNT,
    """gen_ai.usage.cache_write.input_tokens gen_ai.usage.cache_creation.input_tokens
    gen_ai.usage.details.cache_write_tokens gen_ai.usage.cache_creation_input_tokens
    llm.token_count.prompt_details.cache_write gen_ai.usage.cache_write_tokens
    gen_ai.usage.cache_write_input_tokens gen_ai.usage.cache_creation_tokens cache_creation_tokens""",
)
REASONING_TOKENS: Final = _any(
    COUNT,
    """gen_ai.usage.reasoning.output_tokens gen_ai.usage.details.reasoning_tokens gen_ai.usage.reasoning_tokens
    gen_ai.usage.experimental.reasoning_tokens llm.token_count.completion_details.reasoning llm.usage.reasoning_tokens
    ai.usage.reasoningTokens ai.usage.outputTokenDetails.reasoningTokens gen_ai.usage.details.thoughts_tokens
    gen_ai.usage.thoughts_token_count gen_ai.usage.output_tokens.reasoning""",
)
TOTAL_TOKENS: Final = _any(
    COUNT,
    """gen_ai.usage.total_tokens llm.usage.total_tokens llm.token_count.total ai.usage.totalTokens
    gen_ai.usage.total_token_count""",
)
TABLE.family(
    MEASURE, "gen_ai.usage.", "gen_ai.aggregated_usage.", "llm.token_count.", "llm.usage.", "ai.usage."
)
LANGFUSE_USAGE: Final = "langfuse.observation.usage_details"
GENKIT_OUTPUT: Final = _one(CONTENT, "genkit:output")
# a JSON object as text each
USAGE_OBJECTS: Final = (
    *_any(
        TEXT,
        f"""{LANGFUSE_USAGE} mlflow.chat.tokenUsage braintrust.metrics gen_ai.usage llm.usage metadata.usage_object
        usage""",
    ),
    GENKIT_OUTPUT,
)
TIME_TO_FIRST_CHUNK: Final = _any(
    SECONDS,
    """gen_ai.response.time_to_first_chunk gen_ai.client.operation.time_to_first_chunk
    gen_ai.client.inference.time_to_first_chunk gen_ai.server.time_to_first_token""",
)
# ISO 8601, as JSON text
LANGFUSE_FIRST_TOKEN: Final = _one(TEXT, "langfuse.observation.completion_start_time")
FIRST_TOKEN_EVENTS: Final = frozenset({"First Token Stream Event", "gen_ai.content.completion.chunk"})
LATENCY_QUEUE: Final = _one(SECONDS, "gen_ai.latency.time_in_queue")
LATENCY_FIRST_TOKEN: Final = _one(SECONDS, "gen_ai.latency.time_to_first_token")
LATENCY_PREFILL: Final = _one(SECONDS, "gen_ai.latency.time_in_model_prefill")
LATENCY_DECODE: Final = _one(SECONDS, "gen_ai.latency.time_in_model_decode")
LATENCY_INFERENCE: Final = _one(SECONDS, "gen_ai.latency.time_in_model_inference")
LATENCY_E2E: Final = _one(SECONDS, "gen_ai.latency.e2e")
TABLE.family(MEASURE, "gen_ai.latency.", "gen_ai.server.")
RESPONSE_ID: Final = _one(WORD, "gen_ai.response.id")
FINISH_REASONS: Final = _one(WORDS, "gen_ai.response.finish_reasons")
FOREIGN_FINISH_REASON: Final = _any(
    WORDS,
    """gen_ai.response.finish_reason llm.finish_reason gen_ai.completion.0.finish_reason
    langfuse.observation.metadata.finish_reason ai.response.finishReason gen_ai.response.stop_reason
    gen_ai.finish_reasons gen_ai.finish_reason llm.response.finish_reason llm.response.stop_reason
    llm.output_messages.0.message.finish_reason stop_reason""",
)
EXCEPTION_EVENT: Final = "exception"
CHOICE_EVENT: Final = "gen_ai.choice"  # the answer as an event, with why it ended
CHOICE_FINISH_REASON: Final = "finish_reason"
TABLE.family(MEASURE, "pydantic_ai.cache.")

# --- OpenTelemetry GenAI: what an evaluation came to, as an event on the query ---
EVENT_EVALUATION: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = _one(NAME, "gen_ai.evaluation.name")
EVALUATION_SCORE: Final = _one(NUMBER, "gen_ai.evaluation.score.value")
EVALUATION_LABEL: Final = _one(WORD, "gen_ai.evaluation.score.label")

# --- content: what a prompt, an answer or a tool call says. Never leaves the machine unless asked to. ---
SYSTEM_INSTRUCTIONS: Final = _one(CONTENT, "gen_ai.system_instructions")
INPUT_MESSAGES: Final = _one(CONTENT, "gen_ai.input.messages")
OUTPUT_MESSAGES: Final = _one(CONTENT, "gen_ai.output.messages")
TOOL_ARGUMENTS: Final = _one(CONTENT, "gen_ai.tool.call.arguments")
TOOL_RESULT: Final = _one(CONTENT, "gen_ai.tool.call.result")
TOOL_DEFINITIONS: Final = _one(CONTENT, "gen_ai.tool.definitions")
FINAL_RESULT: Final = _one(CONTENT, "final_result")  # PydanticAI's, on the span of an agent's run
FOREIGN_TOOL_ARGUMENTS: Final = _any(CONTENT, "tool_arguments ai.toolCall.args")
FOREIGN_TOOL_RESULT: Final = _any(CONTENT, "tool_response ai.toolCall.result")
# what went into a span's part, or came out of it, whatever the part is
FOREIGN_INPUT: Final = _any(
    CONTENT, "input.value langfuse.observation.input traceloop.entity.input ai.prompt"
)
FOREIGN_OUTPUT: Final = _any(
    CONTENT, "output.value langfuse.observation.output traceloop.entity.output ai.response.text"
)
PROMPT_TEMPLATE: Final = "llm.prompt_template"  # prefix of its text, variables and version
# prefixes: an attribute for each field of each message, `llm.input_messages.0.message.role`
FLAT_INPUT_MESSAGES: Final = _any(CONTENT, "llm.input_messages gen_ai.prompt")
FLAT_OUTPUT_MESSAGES: Final = _any(CONTENT, "llm.output_messages gen_ai.completion")
FLAT_TOOL_DEFINITIONS: Final = _any(CONTENT, "llm.tools llm.request.functions")

# --- SGLang: its spans have no kind; these show whose they are ---
SGLANG_SCOPE: Final = "sglang"  # prefix of the scope of all its spans
SGLANG_MODULE: Final = _one(TEXT, "module")  # on the span of a whole request: "sglang::request"
SGLANG_MODULES: Final = "sglang::"

ADK_SCOPE: Final = "gcp.vertex.agent"  # of all spans of Google's ADK

# --- OpenTelemetry HTTP, current names and the ones before ---
HTTP_METHOD: Final = _any(WORD, "http.request.method http.method")
HTTP_STATUS: Final = _any(HTTP_CODE, "http.response.status_code http.status_code")
URL_PATH: Final = _one(URL, "url.path")
URL_TARGET: Final = _one(URL, "http.target")
HTTP_ROUTE: Final = _one(URL, "http.route")
URL_FULL: Final = _any(URL, "url.full http.url")
SERVER_ADDRESS: Final = _any(WORD, "server.address net.peer.name")
SERVER_PORT: Final = _any(PORT, "server.port net.peer.port")
ERROR_TYPE: Final = _one(ERROR, "error.type")

# --- resources: which process, on which machine ---
SERVICE_NAME: Final = _one(NAME, "service.name")
SERVICE_VERSION: Final = _one(WORD, "service.version")
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = _one(INTEGER, "process.pid")
# In order of trust: one clock each.
MACHINE_NAMES: Final = _any(WORD, f"k8s.node.uid k8s.node.name host.id {HOST_NAME}")
# Equal: one machine; else no sign.
PROCESS_NAMES: Final = _any(WORD, "k8s.pod.uid container.id service.instance.id")

enter_unread(TABLE)
CONTENT_KEYS: Final = tuple(TABLE.content())  # never leaves the machine unless asked to
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


def first(attributes: Attributes, names: str | Iterable[str]) -> AttributeValue:
    """The value of the first of `names` that is set, else None."""
    if isinstance(names, str):
        return attributes.get(names)
    if isinstance(names, Names) and names.every.isdisjoint(attributes):
        return None
    for name in names:
        value = attributes.get(name)
        if value is not None:
            return value
    return None


def integer(attributes: Attributes, names: str | Iterable[str]) -> int | None:
    """As `first`, for a count; None if it is not set or is no whole number."""
    if isinstance(names, Names) and names.every.isdisjoint(attributes):
        return None
    value = first(attributes, names)
    if value is None or isinstance(value, bool):
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


# --- what the server's process says in its log, for the process that starts it and for reports ---

LOG_NOT_TRACED: Final = "the server runs without spans:"
LOG_SPANS_LOST: Final = "span journal:"
LOG_TOOLS_IGNORED: Final = "Received tools but model does not support tool calling."
"""What mlx_lm.server (0.32) logs at each request whose tools it can't give to the model."""
