"""What to do after a verdict, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from punie.trace.analysis.statistics.decode import DecodeKnowledge
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures
from punie.trace.analysis.verdicts.assessment import (
    MISSING_QUERY,
    Advice,
    Assessment,
    Gap,
    Question,
    RepeatMethod,
)
from punie.trace.analysis.verdicts.generation import GenerationFigures, MeasuredGeneration
from punie.trace.analysis.verdicts.memory import MemoryUse
from punie.trace.analysis.verdicts.target import TargetFigures
from punie.trace.model import Phase
from punie.trace.report.inert import some
from punie.trace.report.wording.verdicts import PLURALS, gaps_text
from punie.trace.units import count_text, duration_text, percent_text, share_text

_FIXED: Final = {
    Advice.ASK_SOMETHING: "Run a suite with at least one query.",
    Advice.AVOID_PARALLEL_WORK: "Run without parallel work: more queries or repeats don't settle what contested "
    "time belongs to.",
    Advice.TRACE_THE_MODEL: "Trace the agent's model calls as well, by the names of the GenAI conventions.",
    Advice.SCORE_ANSWERS: "Run a suite that states what is expected of each query.",
    Advice.SET_LIMIT: "Set a limit with --max-memory.",
    Advice.START_THE_SERVER: "Let run start the server itself: the memory of another's process isn't known.",
}
_AGAIN: Final = {
    RepeatMethod.REPEATS: "repeats",
    RepeatMethod.SERVER_STARTS: "executions in server starts of their own",
    RepeatMethod.RUNS: "executions by a restarted server",
}
_TRY: Final = {
    RepeatMethod.REPEATS: "try --repeat 3",
    RepeatMethod.SERVER_STARTS: "try --starts 3",
    RepeatMethod.RUNS: "restart the server and run again, 3 times",
}
_REPEAT: Final = {
    RepeatMethod.REPEATS: "Run with --repeat {needed} or more.",
    RepeatMethod.SERVER_STARTS: "Run with --starts {needed} or more: with the prompt cache on, only a query's first "
    "execution in a server start counts.",
    RepeatMethod.RUNS: "Run {needed} times, with the server restarted before each: a repeat finds its prompt in its "
    "cache. `report` takes the folder that the runs are in.",
}
_GATES: Final = {Question.TARGET: "target", Question.MEMORY: "limit"}


def next_step(assessment: Assessment[Any]) -> str:
    """What to do now, one sentence or two."""
    if assessment.advice is Advice.KEEP_AS_GATE:
        return f"Nothing to do; keep the {_GATES[assessment.question]} as a gate."
    if assessment.advice in _FIXED:
        return _FIXED[assessment.advice]
    match assessment.figures:
        case GenerationFigures() as figures:
            return _generation(assessment.advice, figures)
        case AccuracyFigures() as figures:
            return _accuracy(assessment.advice, figures)
        case TargetFigures() as figures:
            return _target(assessment.advice, figures)
        case MemoryUse() as figures:
            above = ", ".join(figures.exceeded)
            return f"Above: {above}. Use fewer bits, a shorter context or a smaller prompt cache."
        case figures:
            raise TypeError(f"no advice for {figures!r}")


def _complete(gaps: Sequence[Gap], what: str) -> str:
    """What to do where integrity forbids a claim: spans of somebody else can't be asked for again."""
    if any(gap.slug == MISSING_QUERY for gap in gaps):
        return f"Run again: with parts missing, no {what} is claimed."
    return f"Look at the integrity findings first: with them, no {what} is claimed."


def _generation(advice: Advice, figures: GenerationFigures) -> str:
    measured = figures.measured
    if measured is None:
        return "Get queries to succeed first: the failed ones are never averaged."
    match advice:
        case Advice.RUN_AGAIN:
            return _complete(figures.gaps, "share")
        case Advice.ASK_MORE_QUERIES:
            needed = figures.queries_needed
            return f"Ask at least {needed} different queries; repeats of the same ones don't replace them."
        case Advice.GATHER_EVIDENCE:
            return _gather(figures.threshold, measured)
        case Advice.LOOK_ELSEWHERE:
            other = measured.largest_other
            least = "at least " if other.is_bound else ""
            what = "failed model calls" if other.phase is Phase.RETRY else other.group
            return (
                f"Look at {what} first ({least}{share_text(other.share)}): shorter answers can save at most "
                f"decode's {share_text(measured.decode.at_most.estimate)}."
            )
        case _:
            return _after_yes(advice, measured)


def _after_yes(advice: Advice, measured: MeasuredGeneration) -> str:
    decode = measured.decode
    if advice is Advice.SPLIT_DECODE or decode.share is None:
        return (
            "Before training, split decode from prefill (a server whose own spans or stream are seen): decode is at "
            f"most {share_text(decode.at_most.estimate)}, and only decode shrinks when the model says less."
        )
    share = decode.share.estimate
    if advice is Advice.SHORTEN_PROMPT:
        cache = measured.predicted.cache if measured.predicted else None
        hit = f"; a prompt cache that hits everywhere would save about {share_text(cache)}" if cache else ""
        return (
            f"Shorten or cache the prompt first: prefill is {share_text(measured.prefill_share)}, decode "
            f"{share_text(share)}, and only decode shrinks when the model says less{hit}."
        )
    least = "at least " if decode.knowledge is DecodeKnowledge.PARTLY else ""
    return (
        f"Training the model to write shorter answers is worth a try: decode is {least}{share_text(share)}; "
        f"{half_output_text(measured.half_output)}."
    )


def half_output_text(share: float | None, at_most: str = "") -> str:
    """What half the output tokens would save, a clause."""
    if share is None:
        return "what fewer output tokens would save isn't known from these queries"
    return f"half the output tokens would save {at_most}about {share_text(share)} of the wall time"


def _gather(threshold: float, measured: MeasuredGeneration) -> str:
    needed, interval = measured.needed, measured.share.interval
    if needed is None or interval is None:
        return "Ask more queries."
    plural = PLURALS[needed.unit]
    if needed.beside is not None:
        return f"Not reachable by more {plural} alone: it takes more {PLURALS[needed.beside]} as well."
    if needed.units is None and needed.repeats is None:
        share = percent_text(threshold)
        return f"Not reachable by repeats or more {plural}: the share itself is about {share}."
    ways = [f"about {needed.units} {plural} like these {interval.units}"] if needed.units is not None else []
    if needed.repeats is not None:
        ways.append(f"about {needed.repeats} {_AGAIN[needed.again]} of each query")
    text = f"To decide: {', or '.join(ways)}."
    if not needed.repeats_known:
        return f"{text} What {_AGAIN[needed.again]} would bring isn't known from one: {_TRY[needed.again]}."
    return text if needed.repeats is not None else f"{text} Not reachable by repeats alone."


def _accuracy(advice: Advice, figures: AccuracyFigures) -> str:
    if advice is Advice.FIX_FAILURES:
        wrong = some(sorted(figures.wrong))
        return f"Look at the failed queries first ({wrong}): no time is worth a wrong answer."
    if advice is Advice.RUN_AGAIN:
        unscored = f"{count_text(figures.unscored, 'answer')} not scored" if figures.unscored else ""
        gap = "; ".join(part for part in (gaps_text(figures.gaps), unscored) if part)
        return f"Run again until all of it is there and scored ({gap})."
    return "More different queries, not more repeats, raise the bound."


def _target(advice: Advice, figures: TargetFigures) -> str:
    match advice:
        case Advice.FIX_FAILURES:
            failed = some(sorted(query for query, times in figures.queries.items() if times.failed))
            return f"Look at the failed queries first: {failed}."
        case Advice.RUN_AGAIN:
            return _complete(figures.gaps, "time")
        case Advice.REPEAT:
            return _REPEAT[figures.again].format(needed=figures.repeats_needed)
        case Advice.LOOK_AT_SLOWEST_QUERY:
            slowest = max(figures.medians, key=lambda query: figures.medians[query])
            median = duration_text(figures.medians[slowest])
            return f"Start with {slowest}: its median is {median}; see its largest phase."
        case _:
            target = duration_text(figures.target_ns)
            return f"Single repeats reach {target}: look at the slowest repeat, or choose another target."
