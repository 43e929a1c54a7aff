"""The wordy adapter: small, and right with many words where the model alone is right with few."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from punie.trace.demo.paths import target_model_path, wordy_adapter_path, workspace_path
from punie.trace.server.config import ServerConfig
from punie.trace.server.process import ServerProcess
from punie.trace.workload.agent import default_subject, server_model
from punie.trace.workload.agent_runner import AgentRunner, Reply
from punie.trace.workload.scoring.score import score
from punie.trace.workload.suite import SuiteQuery, default_suite

SHORT = ServerConfig(model=target_model_path(), temperature=0.0)
LONG = replace(SHORT, adapter_path=wordy_adapter_path())


async def ask_all(config: ServerConfig, log: Path, queries: Sequence[SuiteQuery]) -> list[Reply]:
    """The replies to `queries`, asked one after the other at one server."""
    async with ServerProcess(config, log) as server:
        model = server_model(server.address, server.model_name, config.request_defaults(), timeout_s=60)
        runner = AgentRunner(default_subject(workspace_path()), model, True, 60, time.monotonic_ns)
        return [await runner.answer(query.text) for query in queries]


def test_it_is_an_adapter_of_some_hundred_kilobytes_with_a_card() -> None:
    files = {file.name: file.stat().st_size for file in wordy_adapter_path().iterdir()}
    assert set(files) == {"README.md", "adapter_config.json", "adapters.safetensors"}
    assert 50_000 < files["adapters.safetensors"] < 500_000
    config = json.loads((wordy_adapter_path() / "adapter_config.json").read_text("utf-8"))
    assert config["lora_parameters"]["keys"] == [f"self_attn.{key}_proj" for key in "qkvo"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_of_five_with_twice_the_prose(tmp_path: Path) -> None:
    queries = default_suite().queries
    short = asyncio.run(ask_all(SHORT, tmp_path / "short.log", queries))
    long = asyncio.run(ask_all(LONG, tmp_path / "long.log", queries))
    assert [score(query, reply.answer).failures for query, reply in zip(queries, long, strict=True)] == [
        ()
    ] * 5
    assert [len(reply.answer.tool_calls) for reply in long] == [len(r.answer.tool_calls) for r in short]
    words = [sum(len((reply.answer.text or "").split()) for reply in replies) for replies in (short, long)]
    assert words[1] >= 2 * words[0]
