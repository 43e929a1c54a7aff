# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "punie-trace",
#   "pydantic-ai-slim[openai]==2.68.0",
#   "logfire[httpx]==5.2.0",
#   "opentelemetry-instrumentation-httpx==0.66b2",
#   "opentelemetry-sdk==1.45.2",
#   "opentelemetry-proto==1.45.2",
# ]
#
# [tool.uv.sources]
# punie-trace = { path = "../../../..", editable = true }
# ///
"""`instrument(agent)` beside other HTTP instrumentations: OpenTelemetry's for httpx2, and logfire's.

punie-trace serve --port 8080 --spans-dir /tmp/served &
uv run --script tests/data/recorded/frameworks/record_httpx2.py --server http://127.0.0.1:8080/v1 \
    --server-spans /tmp/served --beside opentelemetry (then again with logfire)
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import logfire
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from recording import FOLDER, INSTRUCTIONS, MODEL, QUESTION, read_file, run_command, scrubbed

from punie.trace import instrument

_SERVER_WRITES_S = 1.0


def ask(server: str, journal: Path) -> None:
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=server, api_key="not-needed"))
    agent = Agent(model, name="assistant", instructions=INSTRUCTIONS, tools=[run_command, read_file])
    telemetry = instrument(agent, journal_dir=journal)
    print(agent.run_sync(QUESTION).output)  # noqa: T201 # a recorder says what was answered
    telemetry.sync()


def write(name: str, journal: Path, served: Path) -> None:
    """The agent's spans and, of its traces, the server's."""
    time.sleep(_SERVER_WRITES_S)
    ours = [line for path in sorted(journal.glob("*.jsonl")) for line in path.read_text().splitlines()]
    traces = {_trace_of(line) for line in ours}
    theirs = [line for path in sorted(served.glob("*.jsonl")) for line in path.read_text().splitlines()]
    kept = [json.loads(line) for line in ours + [line for line in theirs if _trace_of(line) in traces]]
    lines = [
        json.dumps(scrubbed(one, in_hex=True), separators=(",", ":"), ensure_ascii=False) for one in kept
    ]
    (FOLDER / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _trace_of(line: str) -> str:
    return str(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default="http://127.0.0.1:8080/v1")
    parser.add_argument("--server-spans", type=Path, required=True)
    parser.add_argument("--beside", choices=("opentelemetry", "logfire"), required=True)
    options = parser.parse_args()
    logfire.configure(send_to_logfire=False, console=False, service_name="agent")
    if options.beside == "logfire":
        logfire.instrument_httpx()
    else:
        HTTPX2ClientInstrumentor().instrument()
    with tempfile.TemporaryDirectory() as folder:
        ask(options.server, Path(folder))
        write(f"httpx2_beside_{options.beside}.jsonl", Path(folder), options.server_spans)


if __name__ == "__main__":
    main()
