"""Programs of a user with `instrument` in them: beside logfire, with pools, on a disk that takes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The fixtures' own types live in conftest.py, which test modules can't import.
Stub = Any
Replies = Any

_USERS_PROGRAM = """
import asyncio, sys
import logfire, openai
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from punie.trace.telemetry.instrument import instrument

exporter = InMemorySpanExporter()
logfire.configure(
    send_to_logfire=False,
    console=False,
    inspect_arguments=False,  # there is no source file to inspect
    additional_span_processors=[SimpleSpanProcessor(exporter)],
)
client = openai.AsyncOpenAI(base_url=sys.argv[1] + "/v1", api_key="x", max_retries=0)
agent = Agent(OpenAIChatModel("stub", provider=OpenAIProvider(openai_client=client)), name="my helper")
instrument(agent)
with logfire.span("user's own"):
    asyncio.run(agent.run("hello"))
print(*sorted(span.name for span in exporter.get_finished_spans()), sep="|")
"""


def test_in_a_process_with_logfire_both_get_the_spans(
    tmp_path: Path, stub: Stub, openai_replies: Replies, read: Callable[[Path], list[Any]]
) -> None:
    stub.script = [openai_replies.text("hi")]
    done = subprocess.run(
        [sys.executable, "-c", _USERS_PROGRAM, stub.url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (journal,) = tmp_path.glob("runs/*-my-helper/spans/agent-*.jsonl")
    expected = ["POST", "chat stub", "invoke_agent my helper", "parse", "user's own"]
    assert sorted(span.name for span in read(journal)) == expected
    assert done.stdout.strip().split("|") == expected


_POOL_PROGRAM = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
from punie.trace.telemetry.instrument import instrument

agent = Agent(TestModel())

@agent.tool_plain
def sizes() -> list[int]:
    pools = (
        *(ProcessPoolExecutor(1, mp_context=get_context(how)) for how in ("fork", "spawn")),
        ThreadPoolExecutor(1),
    )
    return [one for pool in pools for one in pool.map(abs, [-1, -2])]

if __name__ == "__main__":
    telemetry = instrument(agent)
    print(agent.run_sync("go").output)
    print(telemetry)
"""


def test_pools_work_as_without_tracing_and_a_handle_is_short(tmp_path: Path) -> None:
    done = _run_program(tmp_path, _POOL_PROGRAM)
    output, handle = done.stdout.splitlines()
    assert output == '{"sizes":[1,2,1,2,1,2]}', done.stderr
    assert handle.startswith("<5 spans in ")
    assert len(handle) < 200


def test_where_nothing_can_be_written_the_program_goes_on_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder of runs would be")
    done = _run_program(tmp_path, _POOL_PROGRAM)
    assert done.stdout.startswith('{"sizes":[1,2,1,2,1,2]}')
    assert "5 not written: " in done.stdout
    assert "span journal: " in done.stderr
    assert "Not a directory" in done.stderr or "File exists" in done.stderr


def _run_program(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(text)
    return subprocess.run(
        [sys.executable, "program.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
