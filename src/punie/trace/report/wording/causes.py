"""Causes in the user's own code as sentences: what was seen, what it costs, which line to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from punie.trace.analysis.causes.model import Cause, CauseKind
from punie.trace.analysis.causes.tools import LONG_RESULT_CHARACTERS
from punie.trace.report.inert import one_line
from punie.trace.units import count_text, duration_text

_STAY: Final = "nothing behind it can come from the prompt cache"


def cause_text(cause: Cause) -> str:
    """What was seen and what it costs."""
    return f"{_SEEN[cause.kind](cause)}: {cost_text(cause)}"


def cause_cases(cause: Cause) -> tuple[str, ...]:
    """Where it shows, and what to change."""
    return (*_places(cause), f"change: {_CHANGES[cause.kind](cause)}")


def cause_name(cause: Cause) -> str:
    """A few words, for a table."""
    return _NAMES[cause.kind](cause)


def change_text(cause: Cause) -> str:
    """What to change, one sentence."""
    return _CHANGES[cause.kind](cause)


def cost_text(cause: Cause) -> str:
    """What it costs a query."""
    least, most = cause.least_ns, cause.most_ns
    if least is None or most is None:
        return "what it costs is not known"
    if least == most or not least:
        bound = "" if least == most else "up to "
        return f"costs {bound}{duration_text(most)} a query"
    return f"costs {duration_text(least)} to {duration_text(most)} a query"


def _places(cause: Cause) -> tuple[str, ...]:
    places = []
    if cause.change is not None:
        before, now = one_line(cause.change.before), one_line(cause.change.now)
        places.append(f'message {cause.message} (instructions and tools) was "{before}", then "{now}"')
    elif cause.digests is not None:
        before, now = cause.digests
        places.append(f"message {cause.message} (instructions and tools) had digest {before}, then {now}")
    elif cause.characters is not None:
        places.append(
            f"the longest is message {cause.message} of its prompt: {cause.characters:,} characters"
        )
    return tuple(places)


def _preamble(what: str) -> Callable[[Cause], str]:
    return lambda cause: f"{what} ({cause.times} of {cause.of} requests), so that {_STAY}"


def _tools(cause: Cause) -> str:
    return " and ".join(map(one_line, cause.tools))


def _instructions_change(cause: Cause) -> str:
    moment = " a date or a time of day" if cause.change and cause.change.is_time else " what changes"
    return (
        f"leave{moment} out of the instructions, or put it at the end of the question; a date alone, "
        "without the time, changes once a day"
    )


_NAMES: Final[Mapping[CauseKind, Callable[[Cause], str]]] = {
    CauseKind.CHANGING_INSTRUCTIONS: lambda c: (
        "a date or time in the instructions" if c.change and c.change.is_time else "instructions that change"
    ),
    CauseKind.REORDERED_TOOLS: lambda _: "tools in another order",
    CauseKind.CHANGING_PREAMBLE: lambda _: "instructions or tools that change",
    CauseKind.TOOLS_ONE_AFTER_ANOTHER: lambda _: "tools one after another",
    CauseKind.TOOL_PER_TURN: lambda _: "a turn for each tool",
    CauseKind.LONG_TOOL_RESULTS: lambda c: f"long results of {_tools(c)}",
}
_SEEN: Final[Mapping[CauseKind, Callable[[Cause], str]]] = {
    CauseKind.CHANGING_INSTRUCTIONS: _preamble("the instructions change between requests"),
    CauseKind.REORDERED_TOOLS: _preamble("the tools come in another order"),
    CauseKind.CHANGING_PREAMBLE: _preamble("instructions or tools change between requests"),
    CauseKind.TOOLS_ONE_AFTER_ANOTHER: lambda c: (
        f"{_tools(c)} ran one after another, although asked for together ({c.times} of {count_text(c.of, 'turn')})"
    ),
    CauseKind.TOOL_PER_TURN: lambda c: (
        f"{_tools(c)} took a turn each, although the second needed nothing of the first's result "
        f"({c.times} of {count_text(c.of, 'turn')})"
    ),
    CauseKind.LONG_TOOL_RESULTS: lambda c: (
        f"{c.times} of {count_text(c.of, 'result')} of {_tools(c)} are longer than {LONG_RESULT_CHARACTERS:,} "
        "characters; to read what is beyond that"
    ),
}
_CHANGES: Final[Mapping[CauseKind, Callable[[Cause], str]]] = {
    CauseKind.CHANGING_INSTRUCTIONS: _instructions_change,
    CauseKind.REORDERED_TOOLS: lambda _: "give the tools as a list in a fixed order, not as a set",
    CauseKind.CHANGING_PREAMBLE: lambda _: (
        "keep instructions, tools and their order the same in every request"
    ),
    CauseKind.TOOLS_ONE_AFTER_ANOTHER: lambda _: (
        "let them run together: no sequential=True, and tools that don't block (async, or plain functions in threads)"
    ),
    CauseKind.TOOL_PER_TURN: lambda _: (
        "let the model ask for both in one turn (parallel_tool_calls), or offer one tool that does both"
    ),
    CauseKind.LONG_TOOL_RESULTS: lambda c: (
        f"let {_tools(c)} return less: the lines that were asked for, a page, a count; at most "
        f"{LONG_RESULT_CHARACTERS:,} characters"
    ),
}
