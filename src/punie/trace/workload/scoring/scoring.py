"""The strict score of one answer: right choice, sound arguments, on topic, nothing leaked, nothing made up.

Pure: the same question and answer always get the same score. `grounding` tells what counts as made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from punie.trace.workload.scoring.evidence import repeated_words
from punie.trace.workload.scoring.grounding import ungrounded
from punie.trace.workload.suite import ExpectDirect, ExpectTool, Query

ERROR_PREFIX: Final = "error:"
"""How the result of a tool call begins that was refused or failed."""


DEFAULT_TOOLS: Final = ("run_command", "read_file")
"""The tools of the default agent: their calls are recognised in an answer even where none was made."""


class Failure(StrEnum):
    """Why an answer is wrong."""

    NO_ANSWER = "no-answer"
    """There is no final text."""
    WRONG_CHOICE = "wrong-choice"
    """A tool was expected and none was called, or the reverse."""
    WRONG_TOOL = "wrong-tool"
    """Tools were called, none of them one that was expected."""
    UNSOUND_ARGUMENTS = "unsound-arguments"
    """A call's arguments are no JSON object, or no call of an expected tool matches the pattern."""
    TOOL_ERROR = "tool-error"
    """Every call with sound arguments ended in an error."""
    OFF_TOPIC = "off-topic"
    """A direct answer lacks something that it must mention."""
    TOOL_CALL_LEAK = "tool-call-leak"
    """The answer holds the markup of a tool call or of the chat template."""
    DEGENERATE = "degenerate"
    """The answer repeats the same words over and over."""
    UNGROUNDED = "ungrounded"
    """After a tool call the answer names what no tool returned, or denies or ignores what one did."""
    TRUNCATED = "truncated"
    """A model request ended at its token limit."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call as the model made it, and the text that the tool returned (None: it never did)."""

    name: str
    arguments_json: str
    result: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """All that an agent did for one question: final text, calls in order, finish reasons of the model requests."""

    text: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """The verdict on one answer.

    `failures` are `Failure` values; `details` has one sentence for each, which may quote the answer. `checks` tells
    of each check that applies whether it passed: answered, choice, tool, arguments, tool-result, topic, no-leak,
    no-loop, grounded, complete. A check that can't pass because an earlier one failed is False and adds no failure.
    """

    ok: bool
    failures: tuple[str, ...]
    details: tuple[str, ...]
    checks: Mapping[str, bool]


_Checked = tuple[str, Failure, str | None]
"""Name of a check, the failure it stands for, and what is wrong: None if it passed, "" if it follows from another."""


def score(query: Query, answer: Answer) -> Score:
    """Judges `answer` to `query`."""
    expected = query.expectation
    rows = (
        _tool_checks(expected, answer)
        if isinstance(expected, ExpectTool)
        else _direct_checks(expected, answer)
    )
    rows += _text_checks(query, answer)
    wrong = [(failure, detail) for _, failure, detail in rows if detail]
    return Score(
        ok=all(detail is None for *_, detail in rows),
        failures=tuple(failure.value for failure, _ in wrong),
        details=tuple(detail for _, detail in wrong),
        checks=MappingProxyType({name: detail is None for name, _, detail in rows}),
    )


def canonical_arguments(arguments_json: str) -> str | None:
    """The text in which an argument pattern is searched, or None if it is no JSON object."""
    try:
        value = json.loads(arguments_json)
    except ValueError:
        return None
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict) else None


def _tool_checks(expected: ExpectTool, answer: Answer) -> list[_Checked]:
    calls = [call for call in answer.tool_calls if call.name in expected.tools]
    written = [canonical_arguments(call.arguments_json) for call in answer.tool_calls]
    sound = [call for call in calls if _matches(expected.arguments, call.arguments_json)]
    wanted = " or ".join(expected.tools)
    problems: list[tuple[str, Failure, Callable[[], bool], str]] = [
        (
            "choice",
            Failure.WRONG_CHOICE,
            lambda: bool(answer.tool_calls),
            f"no tool was called, expected {wanted}",
        ),
        ("tool", Failure.WRONG_TOOL, lambda: bool(calls), f"{wanted} was not called"),
        (
            "arguments",
            Failure.UNSOUND_ARGUMENTS,
            lambda: bool(sound) and None not in written,
            "a call's arguments are no JSON object"
            if None in written
            else "no call's arguments match the pattern",
        ),
        (
            "tool-result",
            Failure.TOOL_ERROR,
            lambda: any(
                call.result is not None and not call.result.startswith(ERROR_PREFIX) for call in sound
            ),
            "every call with sound arguments ended in an error",
        ),
    ]
    rows: list[_Checked] = []
    failed = False
    for name, failure, passes, problem in problems:
        rows.append((name, failure, "" if failed else None if passes() else problem))
        failed = failed or rows[-1][2] is not None
    return rows


def _matches(pattern: str, arguments_json: str) -> bool:
    text = canonical_arguments(arguments_json)
    return text is not None and re.search(pattern, text) is not None


def _direct_checks(expected: ExpectDirect, answer: Answer) -> list[_Checked]:
    called = ", ".join(call.name for call in answer.tool_calls)
    choice = f"a direct answer was expected, {called} was called" if called else None
    missing = [" or ".join(group) for group in expected.mentions if not _mentioned(group, answer.text or "")]
    topic = f"the answer doesn't mention {', '.join(missing)}" if missing else None
    if not _answered(answer):
        topic = ""
    return [("choice", Failure.WRONG_CHOICE, choice), ("topic", Failure.OFF_TOPIC, topic)]


def _mentioned(group: tuple[str, ...], text: str) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(mention)}", text, re.IGNORECASE) for mention in group)


def _answered(answer: Answer) -> bool:
    return any(character.isalnum() for character in answer.text or "")


_LEAKS: Final = re.compile(
    r"</?tool_(?:call|response)s?>?|\btool_(?:call|response)s?>|<\|[a-z_0-9]+\|>|\[/?TOOL_CALLS?\]|<function[=\s>]|</?think>"
    r"|[\"']?(?:arguments|parameters)[\"']\s*:\s*[{\"']|[\"']name[\"']\s*:\s*[\"'][a-z_]\w*[\"']\s*,\s*[\"']arg"
)


def _leak(query: Query, answer: Answer) -> str | None:
    """The first piece of a tool call in the text of the answer."""
    expected = query.expectation
    names = {*DEFAULT_TOOLS, *(call.name for call in answer.tool_calls)}
    if isinstance(expected, ExpectTool):
        names.update(expected.tools)
    called = "|".join(sorted(map(re.escape, names)))
    text = answer.text or ""
    match = _LEAKS.search(text) or re.search(rf"(?<!\w)(?:{called})[\"'`]?\s*[({{\[:,]", text)
    return match[0] if match else None


def _text_checks(query: Query, answer: Answer) -> list[_Checked]:
    cut = "a model request ended at its token limit" if "length" in answer.finish_reasons else None
    complete: _Checked = ("complete", Failure.TRUNCATED, cut)
    if not _answered(answer):
        return [("answered", Failure.NO_ANSWER, "there is no answer"), complete]
    leak, loop = _leak(query, answer), repeated_words(answer.text or "")
    rows: list[_Checked] = [
        ("answered", Failure.NO_ANSWER, None),
        (
            "no-leak",
            Failure.TOOL_CALL_LEAK,
            None if leak is None else f"tool-call text in the answer: {leak}",
        ),
        ("no-loop", Failure.DEGENERATE, None if loop is None else f"the answer repeats: {loop}"),
    ]
    if answer.tool_calls:
        returned = [(call.arguments_json, call.result) for call in answer.tool_calls]
        problem = ungrounded(query.text, answer.text or "", returned, error_prefix=ERROR_PREFIX)
        rows.append(("grounded", Failure.UNGROUNDED, problem))
    return [*rows, complete]
