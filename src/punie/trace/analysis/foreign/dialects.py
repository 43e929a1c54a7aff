"""The attributes by which instrumentations say what a span is, and the words that they use for it.

| word of ours | what it stands for |
| --- | --- |
| `chat` | one call of a model |
| `execute_tool` | one call of a tool |
| `invoke_agent` | an agent's run, with all its turns |
| `invoke_workflow` | runs or steps that belong together: a workflow, a conversation, a crew, a chain |
| `evaluate` | what judges an answer: an evaluator, a scorer |
| `NOTHING_OF_THESE` | something else, said in so many words: an embedding, a retrieval, a guardrail |

Words are compared by their letters alone, in small ones: `chat.completions`, `ChatCompletions` and `chat_completions`
are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from punie.trace import semconv
from punie.trace.model import AttributeValue

CHAT: Final = semconv.OPERATION_CHAT[0]
TOOL: Final = semconv.OPERATION_TOOL
AGENT: Final = semconv.OPERATION_AGENT
WORKFLOW: Final = semconv.OPERATION_WORKFLOW
EVALUATION: Final = semconv.OPERATION_EVALUATION
NOTHING_OF_THESE: Final = ""
OTHERS: Final = frozenset({NOTHING_OF_THESE, EVALUATION})
"""What is no call, no run and no workflow, whatever it counts."""

MODEL_NAMES: Final = (semconv.REQUEST_MODEL, semconv.RESPONSE_MODEL, *semconv.FOREIGN_MODEL)
TOOL_NAMES: Final = (semconv.TOOL_NAME, *semconv.FOREIGN_TOOL_NAME)
TOOL_CALL_MARKS: Final = (
    semconv.TOOL_CALL_ID,
    semconv.TOOL_ARGUMENTS,
    semconv.TOOL_RESULT,
    *semconv.FOREIGN_TOOL_CALL,
    "gen_ai.tool.type",
    "gen_ai.tool.description",
    "tool_arguments",
    "tool_response",
)
AGENT_NAMES: Final = (*semconv.AGENT_NAME, *semconv.FOREIGN_AGENT_NAME)
AGENT_RUN_MARKS: Final = (semconv.FINAL_RESULT, "pydantic_ai.all_messages", "all_messages_events")
FINISH_REASONS: Final = (semconv.FINISH_REASONS, *semconv.FOREIGN_FINISH_REASON)

_OF_TEMPLATE: Final[Mapping[AttributeValue, str]] = MappingProxyType(
    {
        "Function: {name}": TOOL,
        "Agent run: {name!r}": AGENT,
        "OpenAI Agents trace: {name}": WORKFLOW,
        "evaluator: {evaluator_name}": EVALUATION,  # of Pydantic Evals
    }
)
"""What Logfire's templates stand for where nothing else tells."""

STREAM_ENDED: Final = "streaming response from "
STREAM_SECONDS: Final = "duration"
"""Logfire's template and attribute of the log at the end of a stream of OpenAI's or Anthropic's client."""

_OF_BEGINNING: Final = (  # the scope of which nothing but a span's name tells ("": any), and how that begins
    (semconv.ADK_SCOPE, "agent_run [", AGENT),
    ("livekit-agents", "agent_turn", AGENT),
    ("", "langchain4j.aiservices.", AGENT),
    ("", "langchain4j.tools.", TOOL),
)
LLAMA_INDEX: Final = "llamaindex.opentelemetry"
_LLAMA_INDEX_NAMES: Final = (  # a class, its method and an id; what calls a model is told by events alone
    (re.compile(r"\w*Tool\.a?call\b"), TOOL),
    (re.compile(r"\w*Agent\w*\.(run|a?chat|a?stream_chat)\b"), AGENT),
)
CALL_EVENTS: Final = frozenset(
    f"LLM{kind}{moment}Event" for kind in ("Chat", "Completion") for moment in ("Start", "End")
)
"""LlamaIndex' events on the span of a model's call."""

BEGINNINGS: Final = tuple(beginning for _, beginning, _ in _OF_BEGINNING)
CONVENTIONS: Final = frozenset({*semconv.OPERATION_CHAT, TOOL, AGENT, WORKFLOW})
_TYPE_IN_JSON: Final = re.compile(r'\{.*?"type"\s*:\s*"([^"]*)"', re.DOTALL)
_CHAT_WORDS: Final = """
    chat completion completions chat_completion chat_completions text_completion text_completions
    chat_streaming_completions streaming_chat_completions text_streaming_completions streaming_completions
    acompletion atext_completion achat chat_stream chat_streaming stream_chat streaming_chat multimodal_completion
    chat_completions_create chat_completion_create completions_create beta_chat_completions_parse chat_completions_parse
    response responses aresponse aresponses create_response responses_create responses_parse
    message messages messages_create messages_stream anthropic_messages
    generate_content agenerate_content generate_content_stream agenerate_content_stream stream_generate_content
    generate generation agenerate text_generation generate_text stream_text generate_object stream_object
    invoke_model invoke_model_with_response_stream converse converse_stream
    inference infer model_inference model_call call_model model_request request_model model_generation model_step
    llm llm_call call_llm llm_request llm_generation llm_completion invoke_llm chat_model chat_model_call model
    background_model
    ai_generate_text_do_generate ai_stream_text_do_stream ai_generate_object_do_generate ai_stream_object_do_stream
"""
_TOOL_WORDS: Final = """
    execute_tool tool tool_call tools_call call_tool run_tool invoke_tool use_tool tool_use tool_run tool_execution
    tool_invocation function function_call call_function execute_function run_function invoke_function function_tool
    function_invocation mcp_tool mcp_tool_call ai_tool_call tool_invoker tool_v2
"""
_AGENT_WORDS: Final = """
    invoke_agent agent agent_run run_agent agent_call call_agent agent_invocation agent_invoke execute_agent
    agent_execution invoke_agent_stream chat_client ai_generate_text ai_stream_text ai_generate_object ai_stream_object
"""
_WORKFLOW_WORDS: Final = """
    invoke_workflow workflow workflow_run run_workflow execute_workflow workflow_execute conversation multi_conversation
    run_conversation group_chat run_group_chat crew crew_kickoff kickoff invoke_crew swarm invoke_swarm graph
    invoke_graph run_graph team team_run run_team invoke_team pipeline pipeline_run run_pipeline chain invoke_chain
    run_chain flow flow_run orchestration invoke_orchestration multiagent multi_agent invoke_multiagent
"""
_OTHER_WORDS: Final = (  # parts of words: aembedding, retriever, image_generation, search_memory
    *(
        "embed",
        "rerank",
        "retriev",
        "moderat",
        "image",
        "speech",
        "transcri",
        "guardrail",
        "memory",
    ),
    *(
        "createagent",
        "parser",
        "counttoken",
        "tokeniz",
        "prompt",
        "vectorstore",
        "advisor",
        "toolslist",
        "listtools",
        "toolcalls",  # a step around several
        "decision",
        "chunk",
    ),
)

_EVALUATIONS: Final = ("evaluat", "scorer")


_PARTS: Final = (  # of words that nobody listed: create_chat_completion, mcp.tools/call, n8n's langchain.lmChat
    (CHAT, ("chatcompletion", "textcompletion", "generatecontent", "completionscreate", "langchainlmchat")),
    (TOOL, ("toolcall", "toolscall", "calltool", "executetool", "toolexec", "langchaintool")),
    (AGENT, ("invokeagent", "agentrun", "runagent", "langchainagent")),
    (WORKFLOW, ("workflow", "conversation", "kickoff", "groupchat")),
)


def _letters(word: str) -> str:
    return "".join(filter(str.isalpha, word.lower()))


def _words() -> Iterable[tuple[str, str]]:
    of_word = (
        (CHAT, _CHAT_WORDS),
        (TOOL, _TOOL_WORDS),
        (AGENT, _AGENT_WORDS),
        (WORKFLOW, _WORKFLOW_WORDS),
        (EVALUATION, "score"),
        (NOTHING_OF_THESE, "stt tts vad asr"),  # of voice: too short to be parts of words
    )
    return ((_letters(word), operation) for operation, words in of_word for word in words.split())


_OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(dict(_words()))

WORKFLOW_NAMES: Final = frozenset(  # a root may be called "pipeline" around anything
    word
    for word, operation in _OPERATIONS.items()
    if operation == WORKFLOW and any(map(word.count, _PARTS[3][1]))
)


def operation_of_name(scope: str, name: str, template: AttributeValue) -> str | None:
    """What a span of one of the instrumentations stands for that tell by its name, or by Logfire's template, alone."""
    if template is not None:
        return _OF_TEMPLATE.get(template) if isinstance(template, str) else None
    return operation_of_beginning(scope, name)


@lru_cache(maxsize=4096)
def operation_of_beginning(scope: str, name: str) -> str | None:
    """What a span stands for by how its name begins; a plain `workflow.run` is one (Microsoft's Agent Framework)."""
    found = next(
        (op for of, start, op in _OF_BEGINNING if name.startswith(start) and of in ("", scope)), None
    )
    if scope.startswith(LLAMA_INDEX):
        found = next((op for pattern, op in _LLAMA_INDEX_NAMES if pattern.match(name)), None)
    return found or (WORKFLOW if _letters(name) in WORKFLOW_NAMES else None)


@lru_cache(maxsize=4096)
def operation_of_first_word(name: str) -> str | None:
    """The operation with which a span's name begins, as the conventions have it: `execute_tool search`."""
    word = name.partition(" ")[0]
    return word if word in CONVENTIONS else None


def is_any_function(words: Iterable[AttributeValue]) -> bool:
    """Whether the only kind that is named is a function: Prompt flow and Braintrust call whatever is traced so."""
    return {_letters(word) for word in words if isinstance(word, str)} == {"function"}


@lru_cache(maxsize=4096)
def operation_named(word: str) -> str | None:
    """The operation that a word stands for, whoever's word it is; None for a word that says nothing or isn't known."""
    of_object = _TYPE_IN_JSON.match(word)  # Braintrust: {"type": "llm"}
    # Sentry: gen_ai.execute_tool
    letters = _letters(of_object[1] if of_object else word).removeprefix("genai")
    found = _OPERATIONS.get(letters)
    if found is not None:
        return found
    if any(part in letters for part in _EVALUATIONS):
        return EVALUATION
    if any(part in letters for part in _OTHER_WORDS):
        return NOTHING_OF_THESE
    for operation, parts in _PARTS:
        if any(part in letters for part in parts):
            return operation
    return CHAT if letters.endswith("generator") else None  # Haystack: OpenAIChatGenerator
