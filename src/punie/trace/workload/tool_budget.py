"""Results of tools, cut to a budget before the model reads them: for any agent, by a processor of its history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic_ai.capabilities import AbstractCapability, ProcessHistory
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelRequestPart, ToolReturnPart


def tool_result_budget(characters: int) -> AbstractCapability[Any]:
    """What lets an agent's model see at most `characters` of each result of a tool.

    The same result is cut the same way in every request, so that the prompt cache finds it again.
    """

    def cut(messages: list[ModelMessage]) -> list[ModelMessage]:
        return [_cut_message(message, characters) for message in messages]

    return ProcessHistory(cut)


def _cut_message(message: ModelMessage, characters: int) -> ModelMessage:
    if not isinstance(message, ModelRequest):
        return message
    return replace(message, parts=[_cut_part(part, characters) for part in message.parts])


def _cut_part(part: ModelRequestPart, characters: int) -> ModelRequestPart:
    # its subclasses are the library's own, of a form that it reads again
    if type(part) is not ToolReturnPart:
        return part
    text = part.model_response_str()
    if len(text) <= characters:
        return part
    shown = f"{text[:characters]}\n[cut: {len(text) - characters} more characters]"
    whole: Any = part  # its declared type has those of its subclasses in it
    shorter: ToolReturnPart = replace(whole, content=shown)
    return shorter
