"""Text of a tool call or of the chat template in an answer: the model meant to call and wrote."""

from __future__ import annotations

import re
from typing import Final

from punie.trace.workload.scoring.answer import DEFAULT_TOOLS, AgentAnswer
from punie.trace.workload.suite import ExpectTool, SuiteQuery

_MARKUP: Final = re.compile(
    r"</?tool_(?:call|response)s?>?|\btool_(?:call|response)s?>|<\|[a-z_0-9]+\|>|\[/?TOOL_CALLS?\]|<function[=\s>]|</?think>"
    r"|[\"']?(?:arguments|parameters)[\"']\s*:\s*[{\"']|[\"']name[\"']\s*:\s*[\"'][a-z_]\w*[\"']\s*,\s*[\"']arg"
)
# What makes of a tool's name a call, and not prose: "With run_command, I found two files (run_command: it printed …)."
_GOES_ON: Final = (
    r"[\"'`]?(?:\(|\s*[{\[]|\s*\(\s*(?:[\"'{]|\w+\s*[=:])"
    r"|\s*[:,]\s*(?:[\"'`{\[]|\w+\s*[=:]|(?:grep|find|ls|cat|head|tail|wc)\b))"
)


def leaked_call(query: SuiteQuery, answer: AgentAnswer) -> str | None:
    """The first piece of a tool call in the text of the answer."""
    text = answer.text or ""
    expected = query.expectation.tools if isinstance(query.expectation, ExpectTool) else ()
    names = {*DEFAULT_TOOLS, *expected, *(call.name for call in answer.tool_calls)}
    called = "|".join(sorted(map(re.escape, names)))
    match = _MARKUP.search(text) or re.search(rf"(?<!\w)(?:{called}){_GOES_ON}", text)
    return match[0] if match else None
