"""The first request that the agent sends for each query, taken from the wire: messages and tools, as the server gets
them. Nothing is asked: a transport of ours answers "ok"."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import httpx2

from punie.trace.errors import WorkloadError

if TYPE_CHECKING:
    from pydantic_ai import Agent

    from punie.trace.workload.suite import Query

_OK: Final = {
    "id": "preflight",
    "object": "chat.completion",
    "created": 0,
    "model": "preflight",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
_TIMEOUT_S: Final = 60.0


async def first_request(agent: Agent[Any, Any], query: Query) -> dict[str, Any]:
    """`messages` and `tools` of the first request for `query`. Raises WorkloadError if the agent sends none."""
    import openai
    from pydantic_ai import UsageLimits
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    sent: list[dict[str, Any]] = []
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(_recording(sent.append))) as http:
        client = openai.AsyncOpenAI(
            base_url="http://preflight/v1", api_key="not-needed", max_retries=0, http_client=http
        )
        model = OpenAIChatModel(
            "preflight", provider=OpenAICompatibleProvider("mlx_lm", openai_client=client)
        )
        problem = ""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await agent.run(query.text, model=model, usage_limits=UsageLimits(request_limit=1))
        except Exception as error:  # noqa: BLE001 # an agent may not like "ok"; what it asked is known by then
            problem = f"{type(error).__name__}: {error}"
    if not sent:
        raise WorkloadError(f"query {query.id}: the agent sent no request: {problem}")
    return {"messages": sent[0]["messages"], "tools": sent[0].get("tools")}


def _recording(keep: Callable[[dict[str, Any]], None]) -> Callable[[httpx2.Request], httpx2.Response]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        keep(json.loads(request.content))
        return httpx2.Response(200, json=_OK)

    return answer
