"""An improvement as sentences: how it ended, why a lever was left out, what to put where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.experiment.gates import Gate, GateKind
from punie.trace.analysis.improvement.model import BASELINE, ImprovementEnding, Stage
from punie.trace.analysis.improvement.ranking import LEAST_SHARE, LeverExclusion
from punie.trace.analysis.improvement.screening import LEAST_SCREENED, ScreenedLever, ScreeningResult
from punie.trace.model import Verdict
from punie.trace.report import figures
from punie.trace.report.inert import one_line, some
from punie.trace.report.wording.causes import change_text
from punie.trace.units import bytes_text, count_text, percent_text, share_text

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.results import ArmResult
    from punie.trace.analysis.improvement.model import LeverCandidate, LeverPrediction, LeverSet
    from punie.trace.analysis.improvement.track_record import TrackRecord
    from punie.trace.report.content import ImprovementContent

VERDICTS: Final = {
    ImprovementEnding.IMPROVED: Verdict.YES,
    ImprovementEnding.NOTHING_HELPS: Verdict.NO,
    ImprovementEnding.UNDECIDED: Verdict.UNDECIDED,
    ImprovementEnding.BUDGET_SPENT: Verdict.UNDECIDED,
}
_OUTCOMES: Final = {
    ScreeningResult.HELPS: "helps",
    ScreeningResult.DOESNT_HELP: "doesn't help",
    ScreeningResult.BREAKS_A_GATE: "kept out",
    ScreeningResult.NOT_MEASURED: "not measured",
}


def levers_text(levers: LeverSet | None) -> str:
    """Levers as a person reads them."""
    return " + ".join(map(one_line, levers)) if levers else "the baseline"


def headline(report: ImprovementContent) -> str:
    """One sentence."""
    confirmation = report.state.confirmation
    figure = speed_up_text(report)
    match report.ending:
        case ImprovementEnding.IMPROVED:
            return f"{figure} faster with {levers_text(report.state.winner)}"
        case ImprovementEnding.NOTHING_HELPS if report.state.closed:
            return f"Nothing helps: {levers_text(report.state.winner)} {gate_text(report.state.closed[0])}"
        case ImprovementEnding.NOTHING_HELPS if confirmation is not None:
            return f"Nothing helps: what looked best didn't hold in fresh blocks ({figure})"
        case ImprovementEnding.NOTHING_HELPS:
            return "Nothing helps: no lever that can be tried here makes it faster"
        case ImprovementEnding.UNDECIDED:
            return f"Undecided: {levers_text(report.state.winner)} may help ({figure}), and the blocks don't decide it"
        case _:
            so_far = f" ({figure} so far)" if confirmation else ""
            return f"The budget is spent before a speed-up could be confirmed{so_far}"


def speed_up_text(report: ImprovementContent) -> str:
    """The confirmation's estimate and interval; "not confirmed" without."""
    confirmation = report.state.confirmation
    if confirmation is None or confirmation.speed_up is None:
        return "not confirmed"
    return str(figures.speed_up(confirmation.speed_up, confirmation.interval, threshold=1.0))


def basis(report: ImprovementContent) -> str:
    """What the verdict rests on."""
    confirmation, looks = report.state.confirmation, report.state.sizes.looks
    if confirmation is None:
        return "No lever came to a confirmation."
    blocks = count_text(confirmation.blocks, "fresh block")
    if confirmation.interval is None:
        return f"{blocks} so far, the next look is after {confirmation.next_look}."
    return (
        f"{blocks}, every arm's server started anew in each; looked at after "
        f"{', '.join(map(str, looks))} blocks, and the interval holds at 95 % over all looks together."
    )


def next_steps(report: ImprovementContent) -> tuple[str, ...]:
    """What to do now, the most important first."""
    return tuple(_next_steps(report))


def _next_steps(report: ImprovementContent) -> Iterator[str]:
    where = one_line(report.source)
    match report.ending:
        case ImprovementEnding.IMPROVED:
            yield f"Use it: punie-trace run --config {where}/config.toml (serve and improve take it too)."
        case ImprovementEnding.UNDECIDED:
            yield "Make the machine quieter and run it again: the noise is larger than what this could bring."
        case ImprovementEnding.BUDGET_SPENT:
            yield f"Go on with more time: punie-trace improve --resume {where} --budget TIME."
        case ImprovementEnding.NOTHING_HELPS if report.state.closed:
            names = ",".join(sorted(set(report.state.winner or ())))
            yield f"Try without it: --without {one_line(names)}."
        case _:
            pass
    if report.baseline.causes:
        yield f"In your own code: {change_text(report.baseline.causes[0])}."
    elif report.ending is ImprovementEnding.NOTHING_HELPS:
        yield "What takes the time is in the baseline's report; `decide` says whether training is worth a try."


def left_out_text(candidate: LeverCandidate, reason: LeverExclusion) -> str:
    """Why a lever wasn't tried."""
    predicted = candidate.prediction
    why = {
        LeverExclusion.NOT_HERE: candidate.why_not,
        LeverExclusion.NOT_CHOSEN: "not chosen",
        LeverExclusion.NO_BUDGET: "the budget isn't enough for it",
        LeverExclusion.CANT_MATTER: (
            f"saves {share_text(predicted.at_most) if predicted else 'nothing'} of the wall time at most, "
            f"less than {percent_text(LEAST_SHARE)}"
        ),
    }[reason]
    return f"{one_line(candidate.name)}: {one_line(why)}"


def outcome_text(lever: ScreenedLever) -> str:
    """What came of a lever, in a table."""
    return _OUTCOMES[lever.outcome]


def gate_text(gate: Gate) -> str:
    """What a gate says that keeps an arm out."""
    queries = ", ".join(map(one_line, gate.queries[:3]))
    more = f" and {len(gate.queries) - 3} more" if len(gate.queries) > 3 else ""
    match gate.kind:
        case GateKind.ACCURACY if gate.verdict is Verdict.UNDECIDED:
            return "can't be judged: the answers aren't scored (ask a suite that states what is expected)"
        case GateKind.ACCURACY:
            return f"gets answers wrong that were right: {queries}{more}"
        case GateKind.SAME_ANSWERS:
            return f"says other things than the baseline, which it promises not to: {queries}{more}"
        case GateKind.MEMORY:
            return f"takes {bytes_text(gate.value or 0)}, more than the {bytes_text(gate.limit or 0)} allowed"
        case _:
            return f"makes the machine swap: {bytes_text(gate.value or 0)} written"


def prediction_text(predicted: LeverPrediction | None) -> str:
    """As a speed-up; what it takes for granted is said below the table."""
    return (
        "not predicted"
        if predicted is None
        else f"{predicted.speed_up:.2f}×{'*' if predicted.assuming else ''}"
    )


def track_text(record: TrackRecord) -> str:
    """How predictions of a kind of lever did on this machine."""
    held = f"{record.held} of {record.judged} held" if record.judged else "none has an interval"
    error = f"typically off by {share_text(record.error)} of the wall time"
    return f"{record.kind}: {count_text(record.count, 'prediction')} before, {held}, {error}"


def track_cell(record: TrackRecord | None) -> str:
    """The same in a cell of a table: of how many both intervals met, and the typical error."""
    if record is None:
        return "–"
    met = f"{record.held} of {record.judged} met" if record.judged else f"{record.count} without interval"
    return f"{met}, off {share_text(record.error)}"


def accuracy_text(result: ArmResult) -> str:
    """Which answers got better or worse, with the exact bound."""
    gate = next((gate for gate in result.gates if gate.kind is GateKind.ACCURACY), None)
    if gate is None or gate.verdict is Verdict.UNDECIDED:
        return "answers are not scored"
    better = f"; better: {some(gate.better)}" if gate.better else ""
    if not gate.of:
        return f"no query is right in every repeat of the baseline, so none could get worse{better}"
    worse = f"worse: {some(gate.queries)}" if gate.queries else "none got worse"
    bound = (
        ""
        if gate.bound is None
        else (
            f" (of {count_text(gate.of, 'query', 'queries')} that the baseline always gets right; at 95 % "
            f"at most {share_text(gate.bound)} of such queries get worse)"
        )
    )
    return f"{worse}{better}{bound}"


def screening_note() -> str:
    """What the table of levers is."""
    return (
        "measured: each lever by itself, screened in few blocks; typical: each query's median over them, which a burst "
        f"of other work hardly moves; one that typically comes to {LEAST_SCREENED:.2f}× or more is tried further. Only "
        "the confirmation's interval is a claim"
    )


def stage_arm(report: ImprovementContent, stage: Stage, levers: LeverSet) -> ArmResult | None:
    """An arm of a stage; None where it wasn't measured."""
    experiment = report.experiments.get(stage)
    if experiment is None:
        return None
    if levers == BASELINE:
        return experiment.baseline
    return next((result for result in experiment.others if result.arm.levers == levers), None)


def winner_arm(report: ImprovementContent) -> ArmResult | None:
    """What is, or is to be, confirmed, as its confirmation measured it; None before."""
    winner = report.state.winner
    return stage_arm(report, report.state.stage, winner) if winner else None
