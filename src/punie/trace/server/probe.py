"""Questions to an OpenAI-compatible server: are you ready, are you well, what do you serve?"""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import urlsplit

import httpx

from punie.trace.server.validation import is_loopback

RETRY_S: Final = 0.05
# Trace context that asks not to be recorded (W3C: flags 00): nobody wants to see the probe among the requests.
_NOT_RECORDED: Final = {"traceparent": f"00-{1:032x}-{1:016x}-00"}
_EXCERPT: Final = 400


class Refused(Exception):  # noqa: N818 - an answer, which the caller turns into an error
    """The server answered with something else than a completion."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status} {body[:_EXCERPT]}".rstrip())
        self.status = status
        self.body = body


def open_client(base_url: str, *, timeout_s: float | None, api_key: str | None = None) -> httpx.AsyncClient:
    """A client for `base_url`; a proxy from the environment is no way to a server on this machine."""
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=timeout_s,
        headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
        trust_env=not is_loopback(urlsplit(base_url).hostname or ""),
    )


async def complete_one_token(client: httpx.AsyncClient, model: str) -> None:
    """Ask for a completion of one token. Raises `Refused` or an `httpx.TransportError`."""
    body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "ping"}]}
    answer = await client.post("/chat/completions", json=body, headers=_NOT_RECORDED)
    if answer.status_code != httpx.codes.OK or "choices" not in _object(answer):
        raise Refused(answer.status_code, answer.text)


async def until_one_token(client: httpx.AsyncClient, model: str) -> None:
    """As `complete_one_token`, trying again while nobody listens. Has no end of its own."""
    while True:
        try:
            return await complete_one_token(client, model)
        except httpx.TransportError:
            await asyncio.sleep(RETRY_S)


async def is_healthy(base_url: str, *, timeout_s: float) -> bool:
    """What mlx_lm.server's `/health` says: False once its generation thread died.

    Raises an `httpx.TransportError` if nobody answers.
    """
    async with open_client(base_url, timeout_s=timeout_s) as client:
        answer = await client.get(httpx.URL(base_url).copy_with(path="/health"))
    return answer.status_code != httpx.codes.SERVICE_UNAVAILABLE


async def list_models(client: httpx.AsyncClient) -> tuple[str, ...]:
    """The ids that `/models` lists. Raises `Refused` or an `httpx.TransportError`."""
    answer = await client.get("/models")
    entries = _object(answer).get("data")
    if answer.status_code != httpx.codes.OK or not isinstance(entries, list):
        raise Refused(answer.status_code, answer.text)
    return tuple(
        entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    )


def _object(answer: httpx.Response) -> dict[str, object]:
    try:
        value = answer.json()
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
