"""What a cause is: something in the user's own code that costs time, where it shows, and what it costs."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class CauseKind(StrEnum):
    """What in the user's code costs time."""

    CHANGING_INSTRUCTIONS = "changing-instructions"
    REORDERED_TOOLS = "reordered-tools"
    CHANGING_PREAMBLE = "changing-preamble"  # instructions or tools: only digests are there
    TOOLS_ONE_AFTER_ANOTHER = "tools-one-after-another"
    TOOL_PER_TURN = "tool-per-turn"
    LONG_TOOL_RESULTS = "long-tool-results"


class PromptChange(msgspec.Struct, frozen=True):
    """What differs between two prompts: `before` and `now` are excerpts (content), empty where only digests are there.

    `is_time` is whether both look like a date or a time of day.
    """

    before: str = ""
    now: str = ""
    is_time: bool = False


class Cause(msgspec.Struct, frozen=True):
    """One cause.

    `message` is the place of the message that changed or is too long (0: instructions and tools), None where it is
    about turns. `tools` are the tools that it is about. `times` of `of` requests (or turns) show it. `least_ns` and
    `most_ns` bound what it costs a query, the mean over all queries; None where it isn't known. `characters` is the
    longest result. `digests` are the first message's before and now.
    """

    kind: CauseKind
    times: int
    of: int
    least_ns: int | None
    most_ns: int | None
    message: int | None = None
    tools: tuple[str, ...] = ()
    change: PromptChange | None = None
    digests: tuple[str, str] | None = None
    characters: int | None = None
