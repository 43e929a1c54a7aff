"""Attributes that no figure is read from: which of them may leave the machine, and which are content.

The content of other instrumentations is here too: the Collector strips what stands here, whoever wrote it.
"""

from __future__ import annotations

from typing import Final

from punie.trace.attributes.types import (
    BYTES,
    CONTENT,
    CONTENT_WORDS,
    COUNT,
    ERROR,
    INTEGER,
    NAME,
    NUMBER,
    PORT,
    TRUTH,
    WORD,
    WORDS,
    AttributeTable,
)

_NAMES: Final = (
    (INTEGER, "gen_ai.request.max_tokens gen_ai.request.top_k gen_ai.request.seed logfire.level_num"),
    (COUNT, "gen_ai.request.choice.count gen_ai.embeddings.dimension.count"),
    (NUMBER, "gen_ai.request.temperature gen_ai.request.top_p gen_ai.request.frequency_penalty"),
    (NUMBER, "gen_ai.request.presence_penalty"),
    (TRUTH, "gen_ai.request.stream gen_ai.conversation.compacted exception.escaped"),
    (WORD, "gen_ai.request.id gen_ai.request.reasoning.level gen_ai.output.type gen_ai.tool.type"),
    (WORD, "gen_ai.agent.id gen_ai.agent.version gen_ai.prompt.version gen_ai.token.type"),
    (NAME, "gen_ai.skill.name gen_ai.workflow.name gen_ai.prompt.name gen_ai.data_source.id model_name"),
    (WORD, "logfire.span_type http.scheme url.scheme network.transport network.type network.peer.address"),
    (WORD, "network.protocol.name network.protocol.version"),
    (PORT, "network.peer.port"),
    (BYTES, "http.request.body.size"),
    (WORDS, "gen_ai.request.encoding_formats"),
    (INTEGER, "gen_ai.openai.request.seed"),
    (WORD, "gen_ai.openai.request.response_format gen_ai.openai.request.service_tier"),
    (WORD, "gen_ai.openai.response.service_tier gen_ai.openai.response.system_fingerprint"),
    (ERROR, "exception.type"),
    # resources
    (NAME, "service.namespace deployment.environment deployment.environment.name"),
    (WORD, "host.arch os.type process.runtime.name process.runtime.version k8s.pod.name"),
    (WORD, "telemetry.sdk.name telemetry.sdk.language telemetry.sdk.version"),
    # content by the conventions, and PydanticAI's
    (CONTENT, "gen_ai.event.content gen_ai.agent.description gen_ai.tool.description"),
    (CONTENT_WORDS, "gen_ai.request.stop_sequences"),
    (CONTENT, "gen_ai.skill.definitions gen_ai.retrieval.documents gen_ai.retrieval.query.text"),
    (CONTENT, "gen_ai.evaluation.explanation gen_ai.prompt.variable"),
    (CONTENT, "pydantic_ai.all_messages all_messages_events model_request_parameters logfire.json_schema"),
    (CONTENT, "events"),
    # what an exception says may quote a prompt or an argument, wherever it stands
    (CONTENT, "exception.message exception.stacktrace exception.logfire.data"),
    (CONTENT, "pydantic_ai.tool.deferral.metadata"),
    # content by OpenInference, Langfuse, OpenLLMetry, Vercel's AI SDK
    (CONTENT, "llm.prompts"),
    (CONTENT, "llm.prompt_template llm.function_call llm.invocation_parameters tool.parameters"),
    (CONTENT, "message.content retrieval.documents embedding.embeddings"),
    (CONTENT, "langfuse.trace.input langfuse.trace.output ai.response.object ai.response.toolCalls"),
    (CONTENT, "genkit:input braintrust.input_json braintrust.output_json user_prompt"),
)


def enter_unread(table: AttributeTable) -> None:
    """Enter them all in `table`."""
    for kind, names in _NAMES:
        table.names(kind, names)
