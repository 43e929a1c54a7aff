"""Sentences about a training: why it ended, what it showed, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Final

from punie.trace.analysis.tuning.fusing import Fused
from punie.trace.analysis.tuning.judgement import Criterion, Judgement, ModelVariant, Times
from punie.trace.analysis.tuning.linting import PROBLEM_TEXTS, ArgumentsForm, PromptMatch
from punie.trace.analysis.tuning.margin import queries_for, smallest_margin
from punie.trace.analysis.tuning.training import Training, TrainingEnding
from punie.trace.analysis.tuning.worth import THRESHOLD
from punie.trace.model import Verdict
from punie.trace.report.figures import speed_up
from punie.trace.report.inert import some
from punie.trace.units import bytes_text, count_text, percent_text, share_text

_SERVED: Final = MappingProxyType(
    {
        PromptMatch.SAME_TOKENS: "the server's tokens, one by one",
        PromptMatch.OTHER_TOKENS: "other tokens than the server's",
        PromptMatch.SAME_COUNT: "as many tokens as the server's; which ones isn't known",
        PromptMatch.OTHER_COUNT: "another number of tokens than the server's",
        PromptMatch.NOT_KNOWN: "not compared: what the server got isn't known",
    }
)
_ARGUMENTS: Final = MappingProxyType(
    {
        ArgumentsForm.ALIKE: "tool arguments render alike as text and as an object",
        ArgumentsForm.OBJECT: "tool arguments as an object, as the server has them",
        ArgumentsForm.TEXT: "tool arguments as text, because only that gives the server's tokens",
    }
)
QUESTIONS: Final = MappingProxyType(
    {
        Criterion.SHORTER: "fewer output tokens?",
        Criterion.FASTER: "less wall time?",
        Criterion.KEPT: "answers kept?",
        Criterion.BETTER_THAN_INSTRUCTION: "better than an instruction to be brief?",
    }
)


def basis(training: Training) -> str:
    """Why the verdict is what it is."""
    match training.ending:
        case TrainingEnding.PLANNED:
            return "Nothing was asked or trained: this is the plan."
        case TrainingEnding.LITTLE_DECODE:
            share = training.decode.at_most.estimate if training.decode else 0
            return (
                f"Writing answers takes {share_text(share)} of the wall time, and training can save nothing else: "
                f"that can't reach {percent_text(THRESHOLD)}."
            )
        case TrainingEnding.NOTHING_SHORTER:
            return _nothing_shorter(training)
        case TrainingEnding.REFUSED:
            problems = training.lint.refused if training.lint else ()
            return (
                f"The rows can't be trained on: {'; '.join(PROBLEM_TEXTS[problem] for problem in problems)}."
            )
        case TrainingEnding.JUDGED:
            return _judged(training)


def _nothing_shorter(training: Training) -> str:
    saving = training.worth.saving if training.worth else None
    if saving is None:
        return "What training could save isn't known: no query of the runs has a shorter right answer to compare with."
    interval = saving.interval
    ends = f" (95 % interval {share_text(interval.low)} to {share_text(interval.high)})" if interval else ""
    return (
        f"The model's own shortest right answers would save {share_text(saving.estimate)} of the wall time{ends} "
        f"over {count_text(saving.queries, 'query', 'queries')}: not surely above {percent_text(THRESHOLD)}, from "
        "which training may pay."
    )


def _judged(training: Training) -> str:
    judgement = training.judgement
    if judgement is None or judgement.chosen is None:
        return "Nothing was left to judge."
    wrong, unsure = (
        [QUESTIONS[q].removesuffix("?") for q, verdict in judgement.answers.items() if verdict is looked_for]
        for looked_for in (Verdict.NO, Verdict.UNDECIDED)
    )
    name = judgement.chosen.name
    if wrong:
        return f"{name} fails: {', '.join(wrong)}."
    if unsure:
        return f"Not decided for {name}: {', '.join(unsure)}."
    less, faster = gains(judgement)
    return (
        f"{name} says less{less}, is faster{faster}, keeps its answers, and does better than an instruction."
    )


def gains(judgement: Judgement) -> tuple[str, str]:
    """How much shorter and how much faster the chosen arm is, in brackets; empty where it isn't known."""
    base, chosen = judgement.of(ModelVariant.BASE), judgement.chosen
    tokens = chosen.tokens / base.tokens if base and base.tokens and chosen and chosen.tokens else None
    less = f" ({percent_text(1 - tokens)} fewer output tokens)" if tokens is not None else ""
    times = chosen.times if chosen else None
    return less, f" ({percent_text(times.saved)} less wall time)" if times else ""


def answer_line(judgement: Judgement, question: Criterion) -> str:
    """One question with its verdict and the figures that it rests on."""
    line = f"{QUESTIONS[question]} {judgement.answers[question].value}"
    chosen = judgement.chosen
    if chosen is None:
        return line
    match question:
        case Criterion.SHORTER if chosen.tokens_share is not None:
            share = chosen.tokens_share
            return f"{line}: {share_text(share.low)} to {share_text(share.high)} of the base's"
        case Criterion.FASTER if chosen.times is not None:
            return f"{line}: {_factor(chosen.times)} against the base"
        case Criterion.KEPT:
            most, margin = share_text(chosen.kept.most_worse), percent_text(judgement.margin)
            return f"{line}: at most {most} get worse (margin: {margin})"
        case Criterion.BETTER_THAN_INSTRUCTION if chosen.against_told is not None:
            return f"{line}: {_factor(chosen.against_told)} against the base told to be brief"
    return line


def _factor(times: Times) -> str:
    return speed_up(times.estimate, times, threshold=1.0).shown


def next_steps(training: Training) -> Iterator[str]:
    """What to do now."""
    match training.ending:
        case TrainingEnding.PLANNED:
            yield "Leave out --dry-run to begin."
        case TrainingEnding.LITTLE_DECODE:
            yield "Look at the rest of the time instead: punie-trace report RUN shows it; --anyway trains all the same."
        case TrainingEnding.NOTHING_SHORTER:
            yield "Keep the model as it is; --anyway trains all the same."
        case TrainingEnding.REFUSED:
            yield "Mend what is named, or leave out long rows with --max-seq-length."
        case TrainingEnding.JUDGED if training.judgement is not None:
            yield from _after_judgement(training, training.judgement)


def _after_judgement(training: Training, judgement: Judgement) -> Iterator[str]:
    if judgement.verdict is Verdict.YES:
        yield f"Serve it: punie-trace serve --config {training.source}/config.toml"
    if (
        judgement.verdict is Verdict.NO
        and judgement.answers[Criterion.BETTER_THAN_INSTRUCTION] is not Verdict.NO
    ):
        yield "Keep the model as it is."
        return
    if judgement.answers.get(Criterion.BETTER_THAN_INSTRUCTION) is Verdict.NO:
        yield "Add the instruction to be brief to the agent's instructions instead: it needs no training."
    if judgement.answers.get(Criterion.KEPT) is Verdict.UNDECIDED and judgement.chosen:
        compared = judgement.chosen.kept.compared
        needed = max(queries_for(judgement.margin), compared + 1)
        more = f"{needed} or more queries that the base has right (here: {compared})"
        yield f"Judge it on {more}, or allow a larger margin."
    elif judgement.answers.get(Criterion.SHORTER) is Verdict.UNDECIDED:
        yield "Judge it on more queries: whether it writes fewer tokens is open."
    if Verdict.UNDECIDED in map(judgement.answers.get, (Criterion.FASTER, Criterion.BETTER_THAN_INSTRUCTION)):
        more = f"punie-trace train concise --resume {training.source} --blocks N"
        yield f"Judge it in more passes, since its times are too few to decide: {more}"


def margin_line(training: Training) -> str:
    """What so many queries can show, said before anything is trained."""
    judged = len(training.split.judged)
    smallest = smallest_margin(judged)
    line = (
        f"{count_text(judged, 'query judges', 'queries judge')}, {len(training.split.control)} of them control: with "
        f"none worse they show that at most {share_text(smallest)} of such answers get worse"
    )
    if smallest > training.margin:
        return f"{line}; the margin is {percent_text(training.margin)}, so the verdict can only be undecided or no"
    return f"{line} (margin: {percent_text(training.margin)}; fewer count where the base itself is wrong)"


def untrained_tools_line(tools: Sequence[str]) -> str:
    """Tools that the training may make the model forget."""
    return f"no query that is trained on calls {some(tools)}: the model may forget it; more families that do would help"


def lint_lines(training: Training) -> Iterator[str]:
    """What the linter found."""
    lint = training.lint
    if lint is None:
        return
    rows = count_text(len(lint.kept), "row")
    tokens = f"{lint.trained_tokens} tokens of them; longest: {lint.longest_tokens}"
    yield f"{rows} of {training.rows} are trained on, {tokens}"
    for problem, names in lint.left_out.items():
        yield f"left out, {PROBLEM_TEXTS[problem]}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"
    yield from (f"{count_text(n, 'prompt')}: {_SERVED[kind]}" for kind, n in lint.served.items())
    yield from (f"{count_text(n, 'row')}: {_ARGUMENTS[kind]}" for kind, n in lint.arguments.items())
    if training.memory is not None:
        limit = training.memory.limit_bytes
        bound = f", of {bytes_text(limit)} that the machine recommends" if limit else ""
        yield f"memory of training, estimated: {bytes_text(training.memory.total_bytes)}{bound}"


def fuse_line(form: Fused) -> str:
    """Whether a fused form passed its gate, and why not."""
    if form.passes:
        return f"{form.name} passes: it keeps what the unfused adapter has right"
    if form.lost:
        return f"{form.name} is refused: it lost {', '.join(form.lost)}"
    if form.is_longer:
        return f"{form.name} is refused: it lost the adapter's brevity"
    return f"{form.name} is refused: nothing was compared"


def seeds_line(training: Training) -> str:
    """How much one seed says."""
    if len(training.seeds) == 1:
        return "one seed: another one may come out differently (--seeds 2 shows how much)"
    return f"{len(training.seeds)} seeds: the checkpoint that did best in validation is judged"


def realised_line(training: Training) -> str:
    """The predicted saving against what came of it; empty where either isn't known."""
    saving = training.worth.saving if training.worth else None
    chosen = training.judgement.chosen if training.judgement else None
    if saving is None or chosen is None or chosen.times is None:
        return ""
    return (
        f"predicted: {percent_text(saving.estimate)} of the wall time saved, from the model's own shortest answers; "
        f"realised by {chosen.name}: {percent_text(chosen.times.saved)}"
    )


def arm_name(kind: ModelVariant, name: str) -> str:
    """An arm for people."""
    words = {
        ModelVariant.BASE: "base",
        ModelVariant.BRIEF: "told to be brief",
        ModelVariant.ADAPTER: "adapter, unfused",
    }
    return words.get(kind, name)
