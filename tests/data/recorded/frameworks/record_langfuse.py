# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "openai==3.54.0",
#   "langchain==1.4.7",
#   "langchain-openai==1.7.3",
#   "langgraph==1.2.22",
#   "langfuse==5.0.4",
#   "opentelemetry-sdk==1.45.2",
# ]
# ///
"""Langfuse's SDK, which sends OTLP: an agent of decorated functions over its OpenAI client, and LangGraph.

punie-trace serve --port 8080 --plain-server &
uv run --script tests/data/recorded/frameworks/record_langfuse.py --server http://127.0.0.1:8080/v1
"""

from __future__ import annotations

import json
import os

os.environ["OTEL_SERVICE_NAME"] = "agent"

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langfuse import Langfuse, observe
from langfuse.langchain import CallbackHandler
from langfuse.openai import openai
from recording import (
    INSTRUCTIONS,
    MODEL,
    QUESTION,
    read_file,
    run_command,
    server_url,
    sink,
    tool_definitions,
)

observed = {
    run_command.__name__: observe(as_type="tool")(run_command),
    read_file.__name__: observe(as_type="tool")(read_file),
}


@observe(as_type="agent")
def answer_question(server: str) -> str:
    """The shortest agent loop there is."""
    client = openai.OpenAI(base_url=server, api_key="not-needed", max_retries=0)
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": QUESTION}]
    for _ in range(4):
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=tool_definitions())
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            found = observed[call.function.name](**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": found})
    return ""


def run_langgraph(server: str) -> str:
    model = ChatOpenAI(model=MODEL, base_url=server, api_key="not-needed", max_retries=0, streaming=True)
    agent = create_agent(model, [tool(run_command), tool(read_file)], system_prompt=INSTRUCTIONS)
    answer = agent.invoke({"messages": [("user", QUESTION)]}, config={"callbacks": [CallbackHandler()]})
    return str(answer["messages"][-1].content)


def main() -> None:
    server = server_url()
    with sink() as found:
        langfuse = Langfuse(public_key="pk-lf-demo", secret_key="sk-lf-demo", base_url=found.url)  # noqa: S106 # none
        print(answer_question(server))  # noqa: T201 # a recorder says what was answered
        langfuse.flush()
        found.write("langfuse_openai.jsonl")
        print(run_langgraph(server))  # noqa: T201 # as above
        langfuse.flush()
        found.write("langfuse_langgraph.jsonl")


if __name__ == "__main__":
    main()
