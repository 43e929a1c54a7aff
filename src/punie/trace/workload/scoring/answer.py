"""What an agent did for one question, as the score and its checks see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

ERROR_PREFIX: Final = "error:"
"""How the result of a tool call begins that was refused or failed."""

DEFAULT_TOOLS: Final = ("run_command", "read_file")
"""The tools of the default agent: their names are known in an answer even where none was called."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call as the model made it, and the text that the tool returned (None: it never did)."""

    name: str
    arguments_json: str
    result: str | None

    @property
    def arguments(self) -> str | None:
        """The text in which an argument pattern is searched, or None if the arguments are no JSON object."""
        try:
            value = json.loads(self.arguments_json)
        except (ValueError, RecursionError):
            return None
        return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict) else None

    @property
    def succeeded(self) -> bool:
        """It returned, and what it returned is no error."""
        return self.result is not None and not self.result.startswith(ERROR_PREFIX)


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """All that an agent did for one question: final text, calls in order, finish reasons of the model requests."""

    text: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reasons: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """There is no letter and no digit in it."""
        return not any(character.isalnum() for character in self.text or "")
