"""A second slow agent, for `stub_server.py`: two tools that answer with whole catalogues, and the time of day."""

from __future__ import annotations

import asyncio
import zlib
from datetime import datetime
from typing import Any

from pydantic_ai import Agent, Tool

RESULT_LIMIT = 1_000_000  # characters of a tool's result: as good as no limit
TOOL_S = 0.03
INSTRUCTIONS = "You answer questions about a shop with its tools."

_CATALOGUE = "".join(
    f"item {number}: a line that nobody asked for, with its shelf and its supplier\n" for number in range(200)
)


async def stock(item: str) -> str:
    """How many of an item the shop has.

    Args:
        item: what it is called.
    """
    await asyncio.sleep(TOOL_S)
    return f"in stock: {zlib.crc32(item.encode()) % 90 + 10}\n{_CATALOGUE}"[:RESULT_LIMIT]


async def price(item: str) -> str:
    """What one of an item costs.

    Args:
        item: what it is called.
    """
    await asyncio.sleep(TOOL_S)
    return f"price: {zlib.crc32(item.encode()) % 900 + 100}\n{_CATALOGUE}"[:RESULT_LIMIT]


def instructions() -> str:
    """What the model is given first, made anew for each request."""
    now = f"{datetime.now():%Y-%m-%d %H:%M:%S.%f}"  # noqa: DTZ005 # the time of day, on purpose
    return f"It is {now}. {INSTRUCTIONS}"


def make_agent() -> Agent[Any, Any]:
    """The agent, for `--agent shop:make_agent`."""
    declared = {"read_only": True}
    tools = [Tool(tool, metadata=declared) for tool in (stock, price)]
    return Agent(name="shop", instructions=instructions, tools=tools, defer_model_check=True)
