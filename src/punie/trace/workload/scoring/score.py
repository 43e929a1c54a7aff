"""The strict score of one answer: right choice, sound arguments, on topic, nothing leaked, nothing made up.

Pure: the same question and answer always get the same score. `grounding` says what counts as made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import regex

from punie.trace.analysis.calls.finish_reasons import ended_by_limit
from punie.trace.workload.scoring.answer import AgentAnswer
from punie.trace.workload.scoring.evidence import repeated_words
from punie.trace.workload.scoring.grounding import ungrounded
from punie.trace.workload.scoring.leaks import leaked_call
from punie.trace.workload.scoring.substance import adds_nothing, phrase_of_ignorance
from punie.trace.workload.suite import ExpectAny, ExpectDirect, ExpectTool, SuiteQuery

PATTERN_TIMEOUT_S: Final = 1.0
"""A suite's pattern that searches longer in one call's arguments is given up."""
# the apostrophe as typesetters and many models write it
_CURLY: Final = regex.compile(r"(?<=\w)\u2019(?=\w)")


class Failure(StrEnum):
    """Why an answer is wrong."""

    NO_ANSWER = "no-answer"
    """There is no final text, or it says that it doesn't know."""
    WRONG_CHOICE = "wrong-choice"
    """A tool was expected and none was called, or the reverse."""
    WRONG_TOOL = "wrong-tool"
    """Tools were called, none of them one that was expected."""
    UNSOUND_ARGUMENTS = "unsound-arguments"
    """A call's arguments are no JSON object, or no call of an expected tool matches the pattern."""
    TOOL_ERROR = "tool-error"
    """Every call with sound arguments ended in an error."""
    OFF_TOPIC = "off-topic"
    """A direct answer lacks something that it must mention, or repeats the question and adds nothing."""
    TOOL_CALL_LEAK = "tool-call-leak"
    """The answer holds the markup of a tool call or of the chat template."""
    DEGENERATE = "degenerate"
    """The answer repeats the same words over and over."""
    UNGROUNDED = "ungrounded"
    """After a tool call the answer names what no tool returned, or denies or ignores what one did."""
    TRUNCATED = "truncated"
    """A model request ended at its token limit."""


@dataclass(frozen=True, slots=True)
class Score:
    """The judgement on one answer.

    `ok` is None where nothing was judged: nothing is expected, or the suite's pattern never ended. `failures` are
    `Failure` values; `details` has one sentence for each, which may quote the answer. `checks` says of each check
    that applies whether it passed: answered, choice, tool, arguments, tool-result, topic, no-leak, no-loop,
    grounded, complete. A check that can't pass because an earlier one failed is False and adds no failure.
    """

    ok: bool | None
    failures: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    checks: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class _Check:
    """One check: `problem` is None if it passed, "" if it failed because another one did."""

    name: str
    failure: Failure
    problem: str | None


def score(query: SuiteQuery, answer: AgentAnswer) -> Score:
    """Judges `answer` to `query`."""
    plain = replace(answer, text=_CURLY.sub("'", answer.text or ""))
    try:
        checks = list(_checks(query, plain))
    except TimeoutError:
        pattern = f"the pattern of `arguments` searched for more than {PATTERN_TIMEOUT_S:g} s: simplify it"
        return Score(None, details=(f"not scored: {pattern}",))
    if not checks:
        return Score(None)
    wrong = [(check.failure.value, check.problem) for check in checks if check.problem]
    return Score(
        ok=all(check.problem is None for check in checks),
        failures=tuple(failure for failure, _ in wrong),
        details=tuple(problem for _, problem in wrong),
        checks=MappingProxyType({check.name: check.problem is None for check in checks}),
    )


def _checks(query: SuiteQuery, answer: AgentAnswer) -> Iterator[_Check]:
    match query.expectation:
        case ExpectAny():
            return
        case ExpectTool() as expected:
            yield from _tool_checks(expected, answer)
        case ExpectDirect() as expected:
            yield from _direct_checks(query, expected, answer)
    yield from _text_checks(query, answer)


def _tool_checks(expected: ExpectTool, answer: AgentAnswer) -> Iterator[_Check]:
    calls = [call for call in answer.tool_calls if not expected.tools or call.name in expected.tools]
    sound = [call for call in calls if _matches(expected.arguments, call.arguments)]
    malformed = any(call.arguments is None for call in answer.tool_calls)
    mismatch = (
        "a call's arguments are no JSON object" if malformed else "no call's arguments match the pattern"
    )
    wanted = " or ".join(expected.tools) or "any"
    steps = (
        ("choice", Failure.WRONG_CHOICE, answer.tool_calls, f"no tool was called, expected {wanted}"),
        ("tool", Failure.WRONG_TOOL, calls, f"{wanted} was not called"),
        ("arguments", Failure.UNSOUND_ARGUMENTS, sound and not malformed, mismatch),
        (
            "tool-result",
            Failure.TOOL_ERROR,
            any(call.succeeded for call in sound),
            "every call with sound arguments ended in an error",
        ),
    )
    failed = False
    for name, failure, passed, problem in steps:
        yield _Check(name, failure, "" if failed else None if passed else problem)
        failed = failed or not passed


def _matches(pattern: str, arguments: str | None) -> bool:
    return arguments is not None and bool(regex.search(pattern, arguments, timeout=PATTERN_TIMEOUT_S))


def _direct_checks(query: SuiteQuery, expected: ExpectDirect, answer: AgentAnswer) -> Iterator[_Check]:
    called = ", ".join(call.name for call in answer.tool_calls)
    yield _Check(
        "choice",
        Failure.WRONG_CHOICE,
        f"a direct answer was expected, {called} was called" if called else None,
    )
    text = answer.text or ""
    missing = [" or ".join(group) for group in expected.mentions if not _mentioned(group, text)]
    topic = f"the answer doesn't mention {', '.join(missing)}" if missing else None
    if adds_nothing(query.text, text):
        topic = "the answer only repeats the question"
    yield _Check("topic", Failure.OFF_TOPIC, "" if answer.is_blank else topic)
    if (unknown := phrase_of_ignorance(text)) is not None:
        yield _Check("knows", Failure.NO_ANSWER, f"the answer says that it doesn't know: {unknown}")


def _mentioned(group: tuple[str, ...], text: str) -> bool:
    return any(regex.search(rf"(?<!\w){regex.escape(mention)}", text, regex.IGNORECASE) for mention in group)


def _text_checks(query: SuiteQuery, answer: AgentAnswer) -> Iterator[_Check]:
    text = answer.text or ""
    yield _Check("answered", Failure.NO_ANSWER, "there is no answer" if answer.is_blank else None)
    if not answer.is_blank:
        leak, loop = leaked_call(query, answer), repeated_words(text)
        yield _Check("no-leak", Failure.TOOL_CALL_LEAK, leak and f"tool-call text in the answer: {leak}")
        yield _Check("no-loop", Failure.DEGENERATE, loop and f"the answer repeats: {loop}")
        if answer.tool_calls:
            yield _Check("grounded", Failure.UNGROUNDED, ungrounded(query.text, text, answer.tool_calls))
    cut = "a model request ended at its token limit" if ended_by_limit(answer.finish_reasons) else None
    yield _Check("complete", Failure.TRUNCATED, cut)
