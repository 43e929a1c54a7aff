"""From recorded runs to the plan of a training: their model, their agent, their suite, split by families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.tuning.split import AnswerKind, SplitMinimums, SplitQuery, split_by_family
from punie.trace.errors import InputError, UsageError
from punie.trace.machine.environment import Environment
from punie.trace.model import Span
from punie.trace.options import absolute
from punie.trace.store.runs.run_plan import RunPlan
from punie.trace.tuning.plan import LoraSettings, TrainingPlan
from punie.trace.usecases.load import load_source
from punie.trace.workload.suite import Suite, load_suite

_DEFAULT_AGENT: Final = "default"


@dataclass(frozen=True, slots=True)
class TrainingOverrides:
    """What the user asked for; None leaves it to the runs."""

    suite: str | None
    agent: str | None
    workspace: str | None
    examples: str | None
    settings: LoraSettings
    seeds: tuple[int, ...]
    samples: int
    temperature: float
    blocks: int
    margin: float
    trained: SplitMinimums
    validated: SplitMinimums


@dataclass(frozen=True, slots=True)
class RecordedRuns:
    """What the runs hold: their plan (of the first), their queries and spans."""

    plan: RunPlan
    records: tuple[QueryRecord, ...]
    spans: tuple[Span, ...]


def read_runs(sources: Sequence[str]) -> RecordedRuns:
    """The runs, which have to be of one model, one agent and one suite. Raises InputError that names what differs."""
    loaded = [load_source(source) for source in sources]
    plans: list[RunPlan] = []
    for one in loaded:
        if one.plan is None:
            raise InputError(
                f"{one.source}: no run folder with a run.json: a training needs the model and the agent of a run",
                remedy="Give a folder that `punie-trace run` made.",
            )
        plans.append(one.plan)
    _refuse_mixed(sources, plans)
    reads = [
        read_queries(one.spans, plan.planned, now_ns=one.now_ns)
        for one, plan in zip(loaded, plans, strict=True)
    ]
    return RecordedRuns(
        plans[0],
        tuple(record for read in reads for record in read.records if not record.warmup),
        tuple(span for one in loaded for span in one.spans.spans),
    )


def _refuse_mixed(sources: Sequence[str], plans: Sequence[RunPlan]) -> None:
    for source, plan in zip(sources[1:], plans[1:], strict=True):
        for what, first, other in _identity(plans[0], plan):
            if first != other:
                raise InputError(
                    f"{source}: its {what} is {other}, that of {sources[0]} is {first}: runs of several aren't mixed",
                    remedy="Give runs of one model, one agent and one suite.",
                )


def _identity(one: RunPlan, other: RunPlan) -> Sequence[tuple[str, object, object]]:
    flags, others = server_flags(one), server_flags(other)
    return (
        ("model", flags.get("--model"), others.get("--model")),
        ("adapter", flags.get("--adapter-path"), others.get("--adapter-path")),
        ("draft model", one.draft, other.draft),
        ("agent", one.settings.agent, other.settings.agent),
        ("suite", one.suite_hash, other.suite_hash),
    )


def server_flags(plan: RunPlan) -> Mapping[str, str]:
    """The flags of mlx_lm.server that the run started; empty if it started none."""
    command = plan.server_command
    arguments = command[command.index("--") + 1 :] if "--" in command else ()
    return dict(zip(arguments[::2], arguments[1::2], strict=False))


def make_training_plan(
    recorded: RecordedRuns,
    sources: Sequence[str],
    overrides: TrainingOverrides,
    name: str,
    environment: Environment,
) -> TrainingPlan:
    """The plan of a training called `name`. Raises InputError or UsageError."""
    run, flags = recorded.plan, server_flags(recorded.plan)
    if "--model" not in flags:
        where = f"at {run.settings.base_url}" if run.settings.base_url else "of another kind"
        raise InputError(
            f"{sources[0]}: its server was one {where}: a training needs the model's own files",
            remedy="Record a run that starts the server itself: punie-trace run --model FOLDER.",
        )
    agent = overrides.agent or (None if run.settings.agent == _DEFAULT_AGENT else run.settings.agent)
    file = overrides.suite or run.settings.suite
    suite = suite_of(run, file)
    return TrainingPlan(
        training_id=name,
        created=environment.created,
        runs=tuple(sources),
        model=flags["--model"],
        adapter=flags.get("--adapter-path"),
        prompt_cache="off" if run.cache == "off" else "server",
        suite=file,
        suite_name=suite.name,
        suite_hash=suite.sha256,
        split=split_by_family(
            suite_queries(suite, tools_called(recorded)),
            seed=overrides.seeds[0],
            trained=overrides.trained,
            validated=overrides.validated,
        ),
        agent=agent,
        workspace=overrides.workspace or run.settings.workspace,
        max_tokens=run.settings.max_tokens,
        settings=overrides.settings,
        seeds=overrides.seeds,
        samples=overrides.samples,
        temperature=overrides.temperature,
        blocks=overrides.blocks,
        margin=overrides.margin,
        examples=overrides.examples,
        is_demo=run.settings.demo_model,
        versions=environment.versions,
        machine=environment.machine,
    )


def suite_of(run: RunPlan, file: str | None) -> Suite:
    """The suite of the run. Raises UsageError if it is another one than was asked."""
    suite = load_suite(file)
    if suite.sha256 != run.suite_hash:
        raise UsageError(
            f"--suite {file or suite.name}: the run asked another suite, {run.suite_name}, or it has changed",
            remedy="Name the suite that the run asked, as it was then.",
        )
    return suite


def suite_queries(suite: Suite, tools: Mapping[str, frozenset[str]]) -> list[SplitQuery]:
    """The suite as the split sees it; `tools` by query, as `tools_called` has them."""
    return [
        SplitQuery(one.id, one.text, AnswerKind(one.expected), one.family, tools.get(one.id, frozenset()))
        for one in suite.queries
    ]


def tools_called(recorded: RecordedRuns) -> Mapping[str, frozenset[str]]:
    """By query the names of the tools that its right answers called."""
    queries = {record.trace_id: record.query_id for record in recorded.records if record.succeeded}
    tools_of: dict[str, set[str]] = {}
    for span in recorded.spans:
        name = semconv.text(span.attributes, semconv.TOOL_NAME)
        if name and span.trace_id in queries:
            tools_of.setdefault(queries[span.trace_id], set()).add(name)
    return {query_id: frozenset(names) for query_id, names in tools_of.items()}


def with_absolute_paths(overrides: TrainingOverrides) -> TrainingOverrides:
    """Paths of the user's that are still found when the training is gone on with elsewhere."""
    return replace(
        overrides,
        suite=_absolute(overrides.suite),
        workspace=_absolute(overrides.workspace),
        examples=_absolute(overrides.examples),
    )


def _absolute(path: str | None) -> str | None:
    return absolute(path) if path else path
