# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "openai==3.54.0",
#   "openai-agents==0.24.0",
#   "smolagents[openai]==1.26.0",
#   "openinference-instrumentation-openai==0.1.66",
#   "openinference-instrumentation-openai-agents==2.6.0",
#   "openinference-instrumentation-smolagents==0.1.43",
#   "opentelemetry-instrumentation-httpx==0.66b2",
#   "opentelemetry-sdk==1.45.2",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
# ]
# ///
"""OpenInference: OpenAI's client, the OpenAI Agents SDK, smolagents.

The client streams, and does it once more with OpenTelemetry's HTTP span below.

punie-trace serve --port 8080 --plain-server &
uv run --script tests/data/recorded/frameworks/record_openinference.py --server http://127.0.0.1:8080/v1
"""

from __future__ import annotations

import asyncio

import agents
import openai
import smolagents
from openinference.instrumentation.openai import OpenAIInstrumentor
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
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


def stream_answer(server: str) -> None:
    client = openai.OpenAI(base_url=server, api_key="not-needed", max_retries=0)
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": DIRECT_QUESTION}]
    chunks = client.chat.completions.create(
        model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    for _ in chunks:
        pass


async def run_openai_agents(server: str) -> None:
    client = openai.AsyncOpenAI(base_url=server, api_key="not-needed", max_retries=0)
    agent = agents.Agent(
        name="assistant",
        instructions=INSTRUCTIONS,
        model=agents.OpenAIChatCompletionsModel(model=MODEL, openai_client=client),
        tools=[agents.function_tool(run_command), agents.function_tool(read_file)],
    )
    answer = await agents.Runner.run(agent, QUESTION, max_turns=4)
    print(answer.final_output)  # noqa: T201 # a recorder says what was answered
    await client.close()


def run_smolagents(server: str) -> None:
    model = smolagents.OpenAIModel(model_id=MODEL, api_base=server, api_key="not-needed")
    tools = [smolagents.tool(run_command), smolagents.tool(read_file)]
    agent = smolagents.ToolCallingAgent(
        tools=tools, model=model, instructions=INSTRUCTIONS, max_steps=2, verbosity_level=0
    )
    print(agent.run(QUESTION))  # noqa: T201 # as above


def main() -> None:
    server = server_url()
    with sink() as found:
        provider = TracerProvider(resource=Resource({"service.name": "agent"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{found.url}/v1/traces")))
        openai_client = OpenAIInstrumentor()
        openai_client.instrument(tracer_provider=provider)
        stream_answer(server)
        provider.force_flush()
        found.write("openinference_openai_streamed.jsonl")
        http = HTTPX2ClientInstrumentor()
        http.instrument(tracer_provider=provider)
        stream_answer(server)
        http.uninstrument()
        openai_client.uninstrument()
        provider.force_flush()
        found.write("openinference_beside_httpx2.jsonl")
        OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
        asyncio.run(run_openai_agents(server))
        provider.force_flush()
        found.write("openinference_openai_agents.jsonl")
        SmolagentsInstrumentor().instrument(tracer_provider=provider)
        run_smolagents(server)
        provider.force_flush()
        found.write("openinference_smolagents.jsonl")


if __name__ == "__main__":
    main()
