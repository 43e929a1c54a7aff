"""Text of a tool call or of the chat template in an answer: the model meant to call and wrote."""

from __future__ import annotations

import re
from typing import Final

from punie.trace.workload.scoring.answer import Answer
from punie.trace.workload.suite import ExpectTool, Query

DEFAULT_TOOLS: Final = ("run_command", "read_file")
"""The tools of the default agent: their calls are recognised in an answer even where none was made."""

_MARKUP: Final = re.compile(
    r"</?tool_(?:call|response)s?>?|\btool_(?:call|response)s?>|<\|[a-z_0-9]+\|>|\[/?TOOL_CALLS?\]|<function[=\s>]|</?think>"
    r"|[\"']?(?:arguments|parameters)[\"']\s*:\s*[{\"']|[\"']name[\"']\s*:\s*[\"'][a-z_]\w*[\"']\s*,\s*[\"']arg"
)


def leaked_call(query: Query, answer: Answer) -> str | None:
    """The first piece of a tool call in the text of the answer."""
    text = answer.text or ""
    expected = query.expectation.tools if isinstance(query.expectation, ExpectTool) else ()
    names = {*DEFAULT_TOOLS, *expected, *(call.name for call in answer.tool_calls)}
    called = "|".join(sorted(map(re.escape, names)))
    match = _MARKUP.search(text) or re.search(rf"(?<!\w)(?:{called})[\"'`]?\s*[({{\[:,]", text)
    return match[0] if match else None
