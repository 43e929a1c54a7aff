"""What a span stands for: by anybody's word for it, else by what only such a span has."""

from __future__ import annotations

from typing import Final

import pytest
from small_traces import START_NS, agent, chat, findings, only, phases_ms, read, server, span

from punie.trace.analysis.foreign.dialects import AGENT, CHAT, NOTHING_OF_THESE, TOOL, WORKFLOW
from punie.trace.analysis.foreign.operations import operation_of
from punie.trace.model import Attributes, Event, Span

MODEL: Final = "gen_ai.request.model"
OUTPUT: Final = "gen_ai.usage.output_tokens"
WORD: Final = "gen_ai.operation.name"


@pytest.mark.parametrize(
    ("word", "operation"),
    [
        *(
            (word, CHAT)
            for word in ("chat.completions", "ChatCompletions", "acompletion", "responses.create")
        ),
        *(
            (word, CHAT)
            for word in ("chat.streaming_completions", "create_chat_completion", "llm", "converse_stream")
        ),
        *((word, CHAT) for word in ("messages", "GENERATE", "stream-generate-content", "anthropic_messages")),
        *(
            (word, TOOL)
            for word in ("tool_call", "call-tool", "mcp.tools/call", "Function_Call", "tool.execute")
        ),
        *((word, AGENT) for word in ("agent_run", "run-agent", "invoke_agent_stream")),
        *(
            (word, WORKFLOW)
            for word in ("conversation", "crew.kickoff", "invoke_swarm", "workflow.run", "CHAIN")
        ),
        *((word, NOTHING_OF_THESE) for word in ("embeddings", "aembedding", "rerank", "image_generation")),
        *((word, NOTHING_OF_THESE) for word in ("create_agent", "search_memory", "guardrail", "moderation")),
        ("@n8n/n8n-nodes-langchain.lmChatOpenAi", CHAT),
        ("@n8n/n8n-nodes-langchain.agent", AGENT),
        ("@n8n/n8n-nodes-langchain.toolCalculator", TOOL),
        ("@n8n/n8n-nodes-langchain.memoryBufferWindow", NOTHING_OF_THESE),
        *((word, NOTHING_OF_THESE) for word in ("schedule_tool_calls", "DECISION", "tts")),
        *((word, None) for word in ("framework", "ponder", "")),
    ],
)
def test_known_operations_have_known_synonyms(word: str, operation: str | None) -> None:
    assert operation_of(span("s", None, 0, 1, {WORD: word})) == operation
    assert operation_of(span("s", None, 0, 1, {"openinference.span.kind": word})) == operation


@pytest.mark.parametrize(
    ("said", "operation"),
    [
        ({"gen_ai.tool.name": "lookup", "gen_ai.tool.call.id": "1"}, TOOL),
        ({"gen_ai.tool.name": "lookup", "tool_arguments": "{}"}, TOOL),
        ({"gen_ai.tool.name": "lookup"}, None),
        ({"gen_ai.tool.name": "lookup", "gen_ai.tool.type": "function"}, TOOL),
        ({"ai.toolCall.name": "lookup", "ai.toolCall.id": "1"}, TOOL),
        ({MODEL: "m", OUTPUT: 3}, CHAT),
        ({MODEL: "m", "gen_ai.response.finish_reasons": ("stop",)}, CHAT),
        ({"llm.model_name": "m", "llm.token_count.completion": 3}, CHAT),
        (
            {"langfuse.observation.model.name": "m", "langfuse.observation.usage_details": '{"output":3}'},
            CHAT,
        ),
        ({"langfuse.observation.model.name": "m", "langfuse.observation.usage_details": '{"input":3}'}, None),
        ({MODEL: "m"}, None),
        ({OUTPUT: 3}, None),
        ({MODEL: "m", OUTPUT: 3, WORD: "framework"}, CHAT),
        ({MODEL: "m", OUTPUT: 3, WORD: "embeddings"}, NOTHING_OF_THESE),
        ({MODEL: "m", OUTPUT: 3, "langfuse.observation.type": "span"}, CHAT),
        ({MODEL: "m", OUTPUT: 3, "langfuse.observation.type": "retriever"}, NOTHING_OF_THESE),
        ({MODEL: "m", OUTPUT: 3, "punie.phase": "parse"}, None),
        ({"agent_name": "helper", "model_name": "m", OUTPUT: 3}, AGENT),
        ({"gen_ai.agent.name": "helper", "final_result": "yes"}, AGENT),
        ({"gen_ai.agent.name": "helper"}, None),
        ({WORD: "framework", "spring.ai.kind": "tool_call"}, TOOL),
        ({"ai.operationId": "ai.streamText.doStream"}, CHAT),
        ({"ai.operationId": "ai.streamText"}, AGENT),
        ({"mcp.method.name": "tools/call"}, TOOL),
        ({"mcp.method.name": "tools/list"}, NOTHING_OF_THESE),
        ({"mlflow.spanType": '"CHAT_MODEL"'}, CHAT),
        ({"haystack.component.type": "OpenAIChatGenerator"}, CHAT),
        ({"openinference.span.kind": "LLM", "llm.prompt_template.template": "{x}"}, NOTHING_OF_THESE),
        (
            {"openinference.span.kind": "LLM", "llm.prompt_template.template": "{x}", "llm.model_name": "m"},
            CHAT,
        ),
    ],
)
def test_what_a_span_has_decides_where_no_word_does(said: Attributes, operation: str | None) -> None:
    assert operation_of(span("s", None, 0, 1, said)) == operation


@pytest.mark.parametrize(
    ("name", "said", "operation"),
    [
        ("chat m", {MODEL: "m"}, CHAT),
        ("execute_tool lookup", {"gen_ai.tool.name": "lookup"}, TOOL),
        ("invoke_agent helper", {"gen_ai.agent.name": "helper"}, AGENT),
        ("chat m", {MODEL: "m", WORD: "embeddings"}, NOTHING_OF_THESE),
        ("chat m", {}, None),  # any span may be called so
        ("chatter", {MODEL: "m"}, None),
        ("auth", {MODEL: "m"}, None),
        ("chat m", {MODEL: "m", "punie.phase": "parse"}, None),
    ],
)
def test_a_name_as_the_conventions_have_it_tells_what_its_attributes_describe(
    name: str, said: Attributes, operation: str | None
) -> None:
    assert operation_of(span(name, None, 0, 1, said)) == operation
    assert operation_of(server(name, None, 0, 1, said)) in (None, NOTHING_OF_THESE)


def test_a_root_that_is_any_function_is_no_tool_s_call() -> None:
    kind = {"span_type": "Function"}
    assert operation_of(span("s", None, 0, 1, kind)) is None
    assert operation_of(span("s", "parent", 0, 1, kind)) == TOOL
    assert operation_of(span("s", None, 0, 1, {**kind, WORD: "execute_tool"})) == TOOL


def test_a_server_s_counts_make_its_span_no_client_s_call() -> None:
    assert operation_of(server("s", None, 0, 1, {MODEL: "m", OUTPUT: 3})) is None


@pytest.mark.parametrize(
    ("said", "is_named"),
    [
        ({OUTPUT: 3}, True),
        ({WORD: "ponder", MODEL: "m"}, True),
        ({"gen_ai.response.finish_reasons": ("stop",)}, True),
        ({MODEL: "m"}, False),
        ({WORD: "embeddings", MODEL: "m", OUTPUT: 3}, False),
        ({WORD: "ponder"}, False),
    ],
)
def test_what_looks_like_a_model_call_and_is_none_is_named(said: Attributes, is_named: bool) -> None:
    found = findings(agent("a", None, 0, 10), span("s", "a", 1, 9, said))
    assert ("unrecognised-model-call" in found) is is_named


@pytest.mark.parametrize("kind", ["prompt", "retriever", "embedding"])
def test_a_chat_that_is_another_thing_by_its_kind_is_no_call(kind: str) -> None:
    said = {WORD: "chat", "langsmith.span.kind": kind}
    asked = chat("c", "a", 10, 60)
    query = only(agent("a", None, 0, 100), span("p", "a", 0, 10, said), asked)
    assert (query.model_requests, query.output_tokens) == (1, 1)
    assert phases_ms(query) == {"model": 50, "framework": 50}


@pytest.mark.parametrize(("name", "queries"), [("workflow.run", 1), ("pipeline", 2), ("evaluate", 2)])
def test_a_workflow_that_its_name_alone_tells_is_one_query(name: str, queries: int) -> None:
    runs = (agent("a", name, 0, 40), chat("c", "a", 0, 40), agent("b", name, 50, 90), chat("d", "b", 50, 90))
    assert len(read(span(name, None, 0, 100), *runs).records) == queries


def test_a_template_tells_where_nothing_else_does() -> None:
    def of_template(name: str, parent: str | None, start: int, end: int, template: str) -> Span:
        return span(name, parent, start, end, {"logfire.msg_template": template, "name": "x"})

    spans = (
        of_template("w", None, 0, 100, "OpenAI Agents trace: {name}"),
        of_template("a", "w", 0, 50, "Agent run: {name!r}"),
        chat("c", "a", 0, 20),
        of_template("t", "a", 20, 50, "Function: {name}"),
        of_template("b", "w", 50, 99, "Agent run: {name!r}"),
        chat("d", "b", 50, 90),
        of_template("e", "b", 90, 99, "Evaluating {name}"),
    )
    query = only(*spans)
    assert phases_ms(query) == {"model": 60, "tool": 30, "framework": 10}
    assert query.tool_calls == 1


def test_what_llama_index_calls_is_told_by_names_and_events() -> None:
    def of_llama_index(name: str, parent: str | None, start: float, end: float, *events: str) -> Span:
        at = tuple(Event(event, START_NS) for event in events)
        return span(name, parent, start, end, scope="llamaindex.opentelemetry.tracer", events=at)

    spans = (
        of_llama_index("AgentWorkflow.run-1", None, 0, 100),
        of_llama_index("AgentWorkflow.run_agent_step-2", "AgentWorkflow.run-1", 0, 50),
        of_llama_index("LLM.predict-3", "AgentWorkflow.run_agent_step-2", 0, 50, "LLMPredictStartEvent"),
        of_llama_index("OpenAI.achat-4", "LLM.predict-3", 0, 40, "LLMChatStartEvent", "LLMChatEndEvent"),
        of_llama_index("FunctionTool.acall-5", "AgentWorkflow.run-1", 50, 90),
    )
    query = only(*spans)
    assert phases_ms(query) == {"model": 40, "tool": 40, "framework": 20}
    assert (query.model_requests, query.tool_calls) == (1, 1)


def test_a_run_that_only_its_name_tells_of_asks_for_itself() -> None:
    run = span("agent_run [b]", "c", 31, 99, scope="gcp.vertex.agent")
    query = only(agent("a", None, 0, 100), chat("c", "a", 0, 100), run, chat("d", run.span_id, 32, 90))
    assert (query.model_requests, query.output_tokens) == (2, 2)
    assert operation_of(span("agent_run [b]", "c", 31, 99, scope="app")) is None
