# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "openai==3.54.0",
#   "langchain==1.4.7",
#   "langchain-openai==1.7.3",
#   "langgraph==1.2.22",
#   "traceloop-sdk==0.62.4",
#   "opentelemetry-sdk==1.45.1",
# ]
# ///
"""OpenLLMetry (traceloop-sdk): OpenAI's client under a workflow (streamed), and LangGraph.

punie-trace serve --port 8080 --plain-server &
uv run --script tests/data/recorded/frameworks/record_openllmetry.py --server http://127.0.0.1:8080/v1
"""

from __future__ import annotations

import os

os.environ["TRACELOOP_TELEMETRY"] = "false"

import openai
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from recording import (
    DIRECT_QUESTION,
    INSTRUCTIONS,
    MODEL,
    QUESTION,
    read_file,
    run_command,
    server_url,
    sink,
)
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import workflow
from traceloop.sdk.instruments import Instruments


@workflow(name="stream_answer")
def stream_answer(server: str) -> None:
    client = openai.OpenAI(base_url=server, api_key="not-needed", max_retries=0)
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": DIRECT_QUESTION}]
    chunks = client.chat.completions.create(
        model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    for _ in chunks:
        pass


def run_langgraph(server: str) -> None:
    model = ChatOpenAI(model=MODEL, base_url=server, api_key="not-needed", max_retries=0)
    agent = create_agent(model, [tool(run_command), tool(read_file)], system_prompt=INSTRUCTIONS)
    answer = agent.invoke({"messages": [("user", QUESTION)]})
    print(answer["messages"][-1].content)  # noqa: T201 # a recorder says what was answered


def main() -> None:
    server = server_url()
    with sink() as found:
        Traceloop.init(
            app_name="agent",
            api_endpoint=found.url,
            api_key="not-needed",
            disable_batch=True,
            telemetry_enabled=False,
            instruments={Instruments.OPENAI, Instruments.LANGCHAIN},
        )
        stream_answer(server)
        found.write("openllmetry_openai_streamed.jsonl")
        run_langgraph(server)
        found.write("openllmetry_langgraph.jsonl")


if __name__ == "__main__":
    main()
