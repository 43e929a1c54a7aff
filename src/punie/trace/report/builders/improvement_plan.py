"""What an improvement would do: the levers, the tools, the server starts, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from punie.trace.analysis.improvement.model import LeverCandidate
from punie.trace.analysis.improvement.planner import Sizes
from punie.trace.analysis.improvement.settings import ImproveSettings
from punie.trace.report.document import Document, Section, Table, notes
from punie.trace.report.published.improvement_plan import publish_improvement_plan
from punie.trace.units import count_text, duration_text, time_left_text

_LEVERS: Final = ("lever", "what it does", "answers", "")


def build_improvement_plan(
    settings: ImproveSettings,
    candidates: Sequence[LeverCandidate],
    tools: Sequence[tuple[str, bool]],
    seen: tuple[int, str] | None,
) -> Document:
    """`tools` are names, and whether each is declared read-only.

    `seen` is what one arm took in one server start, in nanoseconds, and where; None if nothing shows it.
    """
    rows = tuple((c.name, c.text, c.output.value, c.why_not) for c in candidates)
    tools_rows = tuple((name, "yes" if read_only else "no") for name, read_only in tools)
    return Document(
        title="What improve would do",
        data=partial(publish_improvement_plan, settings, tuple(candidates), tuple(tools)),
        headline=f"{count_text(sum(not c.why_not for c in candidates), 'lever')} could be tried",
        lines=tuple(_lines(settings)),
        sections=(
            Section("Levers", table=Table(_LEVERS, rows)),
            Section("Tools", table=Table(("tool", "declared read-only"), tools_rows)),
            Section("Stages", notes=notes(*_stages(settings, sum(not c.why_not for c in candidates), seen))),
        ),
    )


def _lines(settings: ImproveSettings) -> Iterator[str]:
    yield f"suite {settings.suite_name}: {count_text(len(settings.queries), 'query', 'queries')}"


def _stages(settings: ImproveSettings, levers: int, seen: tuple[int, str] | None) -> Iterator[str]:
    sizes, queries = Sizes(), count_text(len(settings.queries), "query", "queries")
    yield f"baseline: {2 * sizes.baseline} server starts, each asked {queries}"
    first, last = sizes.screening[0], sizes.screening[-1]
    yield (
        f"screening: {first} server starts for each lever, and as many of the baseline, twice; {last} where the "
        "machine is noisy"
    )
    yield f"combination: {3 * sizes.combination} server starts, if more than one lever helps"
    yield f"confirmation: {2 * sizes.looks[0]} to {2 * sizes.looks[-1]} server starts"
    most = (
        f"at most {duration_text(settings.budget_ns)}, the budget"
        if settings.budget_ns
        else "no limit is set (--budget)"
    )
    yield (
        f"time: {_time(sizes, levers, seen)}; {most}. Levers that the baseline's spans show can't matter aren't tried"
    )


def _time(sizes: Sizes, levers: int, seen: tuple[int, str] | None) -> str:
    if seen is None:
        return "not known before the baseline is measured"
    least = 2 * sizes.baseline + sizes.screening[0] * (levers + 2) + 2 * sizes.looks[0]
    longest = (
        2 * sizes.baseline + sizes.screening[-1] * (levers + 2) + 3 * sizes.combination + 2 * sizes.looks[-1]
    )
    low, high = (time_left_text(arms * seen[0]) for arms in (least, longest))
    return f"{low} to {high}, as an arm takes {duration_text(seen[0])} in a server start (by {seen[1]})"
