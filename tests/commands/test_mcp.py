"""The tools for coding agents, over the protocol's own client: bounded answers, no content unless allowed."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult
from short_suites import write_suite

from punie.trace.commands.mcp import make_server
from punie.trace.usecases.tool_answers import ToolAnswers

RECORDED = Path(__file__).parents[1] / "data/recorded/frameworks/openllmetry_langgraph.jsonl"


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


def call(tool: str, answers: ToolAnswers, **arguments: object) -> Any:  # noqa: ANN401 # as JSON is
    """What a client gets; the text of an error."""

    async def ask() -> CallToolResult:
        async with Client(make_server(answers)) as client:
            return await client.call_tool(tool, arguments)

    result = asyncio.run(ask())
    text = text_of(result)
    return text if result.is_error else json.loads(text)


def test_a_report_is_the_json_of_the_command_with_bounded_lists() -> None:
    few = call("report", ToolAnswers(rows=1), source=str(RECORDED))
    assert few["schema"] == "punie.trace.report"
    assert len(few["queries"]) == 1
    many = call("report", ToolAnswers(rows=1_000), source=str(RECORDED))
    assert many["rows_left_out"] == {}
    assert few == call("report", ToolAnswers(rows=1), source=str(RECORDED))
    assert all(count > 0 for count in few["rows_left_out"].values())


@pytest.mark.parametrize("tool", ["report", "show", "compare"])
def test_no_answer_has_content_unless_it_is_allowed(tool: str, tmp_path: Path) -> None:
    words = "the launch codes"
    traces = [
        json.loads(line.replace("What is the weather", words)) for line in RECORDED.read_text().splitlines()
    ]
    for trace in traces:
        for resource in trace["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    span["status"] = {"code": 2, "message": words}
                    span.setdefault("attributes", []).append(
                        {"key": "gen_ai.input.messages", "value": {"stringValue": words}}
                    )
    file = tmp_path / "traces.jsonl"
    file.write_text("".join(json.dumps(trace) + "\n" for trace in traces))
    other = shutil.copy(file, tmp_path / "other.jsonl")
    arguments = {"a": [str(file)], "b": [str(other)]} if tool == "compare" else {"source": str(file)}
    answer = call(tool, ToolAnswers(rows=1_000), **arguments)
    assert words not in json.dumps(answer)


def test_content_is_there_where_it_is_allowed() -> None:
    held = json.dumps(call("show", ToolAnswers(), source=str(RECORDED))["said"])
    shown = json.dumps(call("show", ToolAnswers(content=True), source=str(RECORDED))["said"])
    assert len(shown) > len(held)


def test_an_error_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    text = call("report", ToolAnswers(), source=str(tmp_path / "none"))
    assert "none" in text
    assert "[input]" in text


@pytest.mark.slow
def test_a_run_is_made_and_reported_over_standard_input_and_output(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "suite.toml", "orm-or-sql")

    async def ask() -> CallToolResult:
        command = ["-m", "punie.trace", "mcp", "--runs", str(tmp_path / "runs")]
        async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {
                "run",
                "report",
                "compare",
                "show",
            }
            return await client.call_tool("run", {"suite": suite})

    result = asyncio.run(ask())
    assert not result.is_error, text_of(result)
    answer = json.loads(text_of(result))
    assert Path(answer["run"]).is_dir()
    assert [query["query_id"] for query in answer["queries"]] == ["orm-or-sql"]
