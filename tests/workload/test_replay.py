"""Tools before and without running: listed with what they declare, answered from a recording."""

from __future__ import annotations

import asyncio

import pytest
from pydantic_ai import Agent, Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from small_traces import tool

from punie.trace.demo.paths import workspace_path
from punie.trace.errors import InputError, WorkloadError
from punie.trace.workload.agent import default_subject
from punie.trace.workload.listed_tools import ListedTool, listed_tools
from punie.trace.workload.replay import ReplayTools, recording_of
from punie.trace.workload.subject import Subject


def send(to: str) -> str:
    """Send something."""
    raise AssertionError(f"it ran: {to}")


def model(arguments: dict[str, str]) -> FunctionModel:
    def answer(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
        if returned:
            return ModelResponse(parts=[TextPart(f"got {returned[0].content}")])
        return ModelResponse(parts=[ToolCallPart("send", arguments)])

    return FunctionModel(answer)


RECORDED = tool(
    "t",
    None,
    0,
    1,
    {
        "gen_ai.tool.name": "send",
        "gen_ai.tool.call.arguments": '{ "to": "you" }',
        "gen_ai.tool.call.result": "sent",
    },
)


def test_a_recorded_call_gets_what_it_returned_and_nothing_runs() -> None:
    replay = ReplayTools(recording_of([RECORDED], "runs/1"))
    agent = Agent(model({"to": "you"}), tools=[send])
    assert asyncio.run(agent.run("send it", capabilities=[replay])).output == "got sent"


def test_another_call_ends_the_query_and_says_why() -> None:
    replay = ReplayTools(recording_of([RECORDED], "runs/1"))
    agent = Agent(model({"to": "them"}), tools=[send])
    with pytest.raises(WorkloadError, match="send: this call is not in the recording"):
        asyncio.run(agent.run("send it", capabilities=[replay]))


def test_a_recording_without_calls_is_refused() -> None:
    with pytest.raises(InputError, match="runs/2"):
        recording_of([], "runs/2")


def test_tools_are_listed_with_what_they_declare() -> None:
    read = Tool(send, name="read", metadata={"read_only": True})
    hinted = Tool(send, name="hinted", metadata={"annotations": {"readOnlyHint": True}})
    agent = Agent(tools=[send, read, hinted], defer_model_check=True)
    assert listed_tools(Subject(agent)) == (
        ListedTool("send", read_only=False),
        ListedTool("read", read_only=True),
        ListedTool("hinted", read_only=True),
    )


def test_the_default_agents_tools_are_declared_read_only() -> None:
    assert all(found.read_only for found in listed_tools(default_subject(workspace_path())))
