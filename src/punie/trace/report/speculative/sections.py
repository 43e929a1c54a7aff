"""The sections of a benchmark's report, for every format that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.analysis.speculative.model import THRESHOLD, ArmKind, PromptCache
from punie.trace.report.rows import Table
from punie.trace.report.sections import Answer, Document, Section
from punie.trace.report.speculative.gate_section import gate_section
from punie.trace.report.speculative.why_section import preflight_section, why_sections
from punie.trace.units import bytes_text, count_text, duration_text, factor_text, percent_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.speculative.arms import ArmSummary
    from punie.trace.analysis.speculative.benchmark import BenchAnalysis, DraftResult
    from punie.trace.analysis.speculative.model import Drafting
    from punie.trace.analysis.speculative.speedup import RatioInterval, SpeedUp
    from punie.trace.report.speculative.content import BenchReport

NOT_KNOWN: Final = "–"
QUESTION: Final = f"{THRESHOLD - 1:.0%} faster?".replace("%", " %")


def document(report: BenchReport) -> Document:
    """The whole report."""
    return Document(report.source, tuple(_headline(report)), tuple(_sections(report)))


def answer(report: BenchReport) -> Answer:
    """The question of the benchmark with its verdict."""
    analysis = report.analysis
    best = analysis.best
    figure = (
        "not known" if best is None else f"{ratio_text(best.speed_up, best.interval)}, {best.speed_up.arm}"
    )
    return Answer(QUESTION, analysis.verdict, figure, _basis(analysis), report.steps)


def ratio_text(found: SpeedUp | None, interval: RatioInterval | None = None) -> str:
    """A speed-up with its interval; `interval` in place of the speed-up's own."""
    if found is None:
        return NOT_KNOWN
    shown = interval or found.interval
    if shown is None:
        return factor_text(found.estimate)
    return f"{factor_text(found.estimate)} ({_end(shown.low)}–{_end(shown.high)})"


def _end(value: float) -> str:
    """An end of an interval, never rounded onto the threshold that it misses."""
    text = f"{value:.2f}"
    return f"{value:.3f}" if text == f"{THRESHOLD:.2f}" and value != THRESHOLD else text


def name_text(model: str) -> str:
    """A model without its folders."""
    return model.rstrip("/").rpartition("/")[2]


def _headline(report: BenchReport) -> Iterator[str]:
    plan = report.analysis.plan
    drafts = " · ".join(f"draft{index} {name_text(name)}" for index, name in enumerate(plan.drafts))
    yield " · ".join(part for part in (f"model {name_text(plan.model)}", drafts) if part)
    yield (
        f"suite {plan.suite_name}: {count_text(len(plan.queries), 'query', 'queries')} × "
        f"{count_text(len(plan.arms), 'arm')} × {count_text(plan.blocks, 'block')} × "
        f"{count_text(plan.repeats, 'repeat')} · temperature {plan.temperature:g}"
    )
    yield from report.notes
    yield from _integrity(report.analysis)


def _integrity(analysis: BenchAnalysis) -> Iterator[str]:
    if analysis.missing:
        yield f"not finished: no trace of {analysis.missing} of {analysis.planned} planned askings"
    for item in analysis.integrity:
        if item.count:
            yield f"integrity: {item.slug} ({item.count}, {item.effect})"
    if not analysis.missing and not any(item.count for item in analysis.integrity):
        yield f"integrity: nothing wrong in {count_text(analysis.planned, 'asking')}"


def _basis(analysis: BenchAnalysis) -> str:
    best = analysis.best
    if best is None or best.interval is None:
        return f"{analysis.reason or 'One block has no interval'}.".capitalize()
    text = (
        f"Σ {analysis.baseline.name} / Σ {best.speed_up.arm}, wall time end to end; 95 % interval of the best of "
        f"{count_text(len(best.among), 'arm')} over {count_text(best.interval.blocks, 'block')} "
        f"({best.interval.method}, the lower end corrected for having chosen)"
    )
    if best.moved_by > 1:
        text += f", widened by {factor_text(best.moved_by)} because two identical arms differ by that"
    if best.speed_up.censored:
        text += f"; {count_text(best.speed_up.censored, 'pair')} left out, failed or cut off"
    if analysis.reason:
        text += f"; {analysis.reason}"
    singles = [value for _, value in best.speed_up.queries]
    return f"{text}. Single queries: {factor_text(min(singles))} to {factor_text(max(singles))}."


def _sections(report: BenchReport) -> Iterator[Section]:
    analysis = report.analysis
    yield Section("Verdict", answers=(answer(report),))
    yield _speed_ups(analysis)
    yield _arms(analysis)
    drafting = _drafting(analysis)
    if drafting.rows:
        yield Section("Drafting", table=drafting)
    yield gate_section(analysis)
    yield from why_sections(analysis)
    if analysis.preflight is not None:
        yield preflight_section(analysis.preflight, analysis.drafts)
    yield _limits(analysis)


def _speed_ups(analysis: BenchAnalysis) -> Section:
    rows = [_speed_row(result) for result in analysis.drafts]
    for name, found in (("sequential", analysis.sequential), ("the same again", analysis.same_again)):
        if found is not None:
            rows.append((name, _bare(found), NOT_KNOWN, NOT_KNOWN, ""))
    table = Table(
        f"against {analysis.baseline.name}",
        ("arm", "end to end", "decode", "vs sequential", ""),
        tuple(rows),
        frozenset(),
    )
    return Section(
        f"Speed-up against {analysis.baseline.name} (prompt cache: {analysis.baseline.prompt_cache})",
        table=table,
        lines=tuple(_speed_lines(analysis)),
    )


def _speed_row(result: DraftResult) -> tuple[str, ...]:
    judged = "–" if result.barred else result.verdict.value
    return (
        result.arm.name,
        *map(_bare, (result.end_to_end, result.decode, result.against_sequential)),
        judged,
    )


def _bare(found: SpeedUp | None) -> str:
    """A speed-up as a cell of a table whose title says what the numbers are."""
    return ratio_text(found).replace("×", "")


def _speed_lines(analysis: BenchAnalysis) -> Iterator[str]:
    for result in analysis.drafts:
        if result.barred:
            yield f"{result.arm.name} is not counted: {result.barred}"
    same = analysis.same_again
    if same is not None and same.interval is not None:
        floor = max(abs(1 - same.interval.low), abs(same.interval.high - 1))
        yield f"noise: the baseline against itself is {ratio_text(same)}; less than {percent_text(floor)} is nothing"
    if analysis.ceiling is not None:
        yield f"if decode took no time at all: {factor_text(analysis.ceiling)}"


def _arms(analysis: BenchAnalysis) -> Section:
    numbers = ("wall", "prefill", "decode", "a token", "right", "cut", "peak", "footprint")
    rows = tuple(_arm_row(summary) for summary in analysis.arms)
    return Section(
        "Arms, a pass through the queries",
        table=Table("", ("arm", "cache", *numbers), rows, frozenset(numbers)),
        lines=tuple(_right(analysis)),
    )


def _right(analysis: BenchAnalysis) -> Iterator[str]:
    """What the number of right answers allows to claim; arms of which the same can be said together."""
    names: dict[str, list[str]] = {}
    for summary in analysis.arms:
        names.setdefault(summary.accuracy.basis, []).append(summary.arm.name)
    for basis, arms in names.items():
        yield f"{'all arms' if len(arms) == len(analysis.arms) else ', '.join(arms)}: {basis}"


def _arm_row(summary: ArmSummary) -> tuple[str, ...]:
    times = (summary.wall_ns, summary.prefill_ns, summary.decode_ns, summary.token_ns)
    right = summary.accuracy.details["answers_right"]
    scored = summary.accuracy.details["answers"]
    sizes = (summary.peak_bytes, summary.footprint_bytes)
    return (
        summary.arm.name,
        "off" if summary.arm.prompt_cache is PromptCache.OFF else "on",
        *(NOT_KNOWN if ns is None else duration_text(ns) for ns in times),
        f"{right}/{scored}",
        str(summary.truncated),
        *(NOT_KNOWN if size is None else bytes_text(size) for size in sizes),
    )


def _drafting(analysis: BenchAnalysis) -> Table:
    numbers = ("drafted", "accepted", "share", "a step", "prose", "tool calls")
    rows = tuple(
        _drafting_row(summary.arm.name, summary.drafting)
        for summary in analysis.arms
        if summary.arm.kind is ArmKind.DRAFT and summary.drafting is not None
    )
    return Table("", ("arm", *numbers, "by place"), rows, frozenset(numbers))


def _drafting_row(name: str, drafting: Drafting) -> tuple[str, ...]:
    calls, taken = drafting.tool_call_drafted, drafting.tool_call_accepted
    prose, in_calls = NOT_KNOWN, NOT_KNOWN
    if calls is not None and taken is not None:
        prose = _share(drafting.accepted - taken, drafting.drafted - calls)
        in_calls = _share(taken, calls)
    return (
        name,
        str(drafting.drafted),
        str(drafting.accepted),
        _share(drafting.accepted, drafting.drafted),
        f"{1 + drafting.accepted / drafting.steps:.2f}" if drafting.steps else NOT_KNOWN,
        prose,
        in_calls,
        " ".join(f"{100 * count / drafting.steps:.0f}" for count in drafting.accepted_by_position)
        if drafting.steps
        else NOT_KNOWN,
    )


def _share(part: int, whole: int) -> str:
    return share_text(part / whole) if whole else NOT_KNOWN


def _limits(analysis: BenchAnalysis) -> Section:
    names = [analysis.baseline.name]
    if analysis.best is not None:
        names.append(analysis.best.speed_up.arm)
    answers = []
    for name in names:
        summary = analysis.summary(name)
        for title, finding, text in (
            ("target", summary.target, duration_text),
            ("memory", summary.memory, bytes_text),
        ):
            figure = "not known" if finding.estimate is None else text(finding.estimate)
            steps = (finding.next_step,) if name != analysis.baseline.name else ()
            answers.append(Answer(f"{title}, {name}", finding.verdict, figure, finding.basis, steps))
    return Section("Limits", answers=tuple(answers))
