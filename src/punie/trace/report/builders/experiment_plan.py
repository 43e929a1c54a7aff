"""What an experiment would do, before it does it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.report.builders.cells import size_text
from punie.trace.report.builders.experiment import arms_section
from punie.trace.report.document import Document, Section, Table
from punie.trace.report.published.experiment import publish_plan
from punie.trace.report.wording.experiment import server_text
from punie.trace.units import count_text, duration_text, percent_text, time_left_text


def build_experiment_plan(plan: ExperimentPlan, seen: tuple[int, str] | None) -> Document:
    """The plan as a report: nothing was started.

    `seen` is what one arm took in one server start, in nanoseconds, and where; None if nothing shows it.
    """
    rows = tuple((arm.name, server_text(arm), arm.group or arm.name) for arm in plan.arms)
    return Document(
        title=f"plan {plan.bench_id}: nothing was run",
        data=partial(publish_plan, plan),
        lines=tuple(_lines(plan, seen)),
        sections=(
            arms_section(plan),
            Section("Servers", table=Table(("arm", "server", "start shared as"), rows)),
        ),
    )


def _lines(plan: ExperimentPlan, seen: tuple[int, str] | None) -> Iterator[str]:
    executions = len(plan.arms) * len(plan.queries) * plan.blocks * plan.repeats
    starts = len({arm.group or arm.name for arm in plan.arms}) * plan.blocks
    yield size_text(plan)
    yield (
        f"{count_text(executions, 'execution')} in {count_text(starts, 'server start')}, each after two warm-up "
        f"questions an arm; {_time(plan, seen)}"
    )
    rule = plan.stopping
    if rule.looks:
        at = ", ".join(map(str, rule.looks))
        width = "" if rule.width is None else f"every interval is at most {percent_text(rule.width)} wide"
        decided = "every verdict is decided" if rule.decided else ""
        yield f"looked at after {at} blocks; ends early when {' or '.join(filter(None, (width, decided)))}"


def _time(plan: ExperimentPlan, seen: tuple[int, str] | None) -> str:
    if seen is None:
        return "how long that takes is known after the first block"
    arm_ns, source = seen
    total = time_left_text(arm_ns * len(plan.arms) * plan.blocks)
    return f"about {total}, as an arm takes {duration_text(arm_ns)} in a server start (by {source})"
