"""From spans to a written report: shared by `run` and `report`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from punie.trace.analysis.calls.usage import models_asked
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.summary.summary import RunAnalysis, analyse
from punie.trace.analysis.verdicts.memory_use import memory_use
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.commands.output import Output
from punie.trace.console.standard_streams import write_err
from punie.trace.errors import ExitCode, InputError, UsageError
from punie.trace.model import SpanSet, UnreadableRecord, Verdict
from punie.trace.report.builders.run import build_run
from punie.trace.report.content import About, Report
from punie.trace.report.inert import one_line
from punie.trace.store.files.place import without_password
from punie.trace.store.runs.run_folder import RunFolder, holds_run
from punie.trace.store.runs.run_plan import RunPlan, RunSettings
from punie.trace.store.sources import read_source
from punie.trace.units import count_text, parse_bytes, parse_duration_ns

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


class _Entry(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def endings(self) -> tuple[str, ...]: ...


Entry = TypeVar("Entry", bound=_Entry)

_NAMED_MODELS: Final = 3
DEMO_NOTE: Final = (
    "The demo model proves the plumbing and says nothing about the quality or speed of a real one."
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A source that was read: its spans, and the plan if it is a run folder that still has one."""

    source: str
    spans: SpanSet
    plan: RunPlan | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the user judges by; None leaves it to what the run was started with, then to the default."""

    target_ns: int | None
    max_memory_bytes: int | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Judgement:
        """From `--target` and `--max-memory`. Raises UsageError."""
        return cls(
            parse_duration_ns(options.target, flag="--target") if options.target else None,
            parse_bytes(options.max_memory, flag="--max-memory") if options.max_memory else None,
        )

    def with_plan(self, plan: RunPlan | None) -> Judgement:
        """The run's own values where the user gave none."""
        settings = plan.settings if plan else RunSettings()
        return Judgement(
            self.target_ns or settings.target_ns or DEFAULT_TARGET_NS,
            self.max_memory_bytes or settings.max_memory_bytes,
        )


def load_run(folder: RunFolder) -> Loaded:
    """The spans of a run folder and its plan, if `run.json` is there. Raises InputError."""
    plan = folder.read_plan() if folder.plan_path.exists() else None
    return Loaded(str(folder.path), folder.load_spans(), plan)


def load_source(text: str) -> Loaded:
    """A path or URL that any source of the registry reads. Raises InputError that names what is wrong with it."""
    if not text.strip():
        raise InputError("a source is empty text", remedy="is a variable in the command not set?")
    if holds_run(Path(text)):
        loaded = load_run(RunFolder.open(Path(text)))
    else:
        loaded = Loaded(without_password(text), read_source(text), None)
    if loaded.plan is None and not loaded.spans.spans:
        raise InputError(f"{without_password(text)}: {_why_no_spans(loaded.spans.unreadable)}")
    return loaded


def _why_no_spans(unreadable: Sequence[UnreadableRecord]) -> str:
    if not unreadable:
        return "holds no spans"
    first = unreadable[0]
    return (
        f"none of its {count_text(len(unreadable), 'record')} can be read; the first, {first.file}:{first.line}, "
        f"says: {first.reason}"
    )


def build_report(loaded: Loaded, judgement: Judgement) -> Report:
    """Read the queries off the spans and judge them."""
    judged = judgement.with_plan(loaded.plan)
    planned = loaded.plan.planned if loaded.plan else ()
    read = read_queries(loaded.spans, planned)
    analysis = analyse(
        read.records,
        read.findings,
        target_ns=judged.target_ns or DEFAULT_TARGET_NS,
        memory=memory_use(loaded.spans.spans, limit_bytes=judged.max_memory_bytes),
        missing=read.missing,
        requests=read.requests,
        activity=read.activity,
    )
    return Report(_about(loaded), analysis)


def _about(loaded: Loaded) -> About:
    spans = {(span.trace_id, span.span_id) for span in loaded.spans.spans}
    traces = {trace_id for trace_id, _ in spans}
    plan = loaded.plan
    if plan is None:
        return About(loaded.source, len(spans), len(traces), model=_models(loaded.spans))
    is_demo = plan.settings.demo_model
    return About(
        source=loaded.source,
        spans=len(spans),
        traces=len(traces),
        run_id=plan.run_id,
        created=plan.created,
        suite=plan.suite_name,
        suite_hash=plan.suite_hash,
        model=f"model {plan.model}",
        draft=plan.draft or "",
        cache=plan.cache,
        planned=len(plan.planned) or None,
        notes=(DEMO_NOTE,) if is_demo else (),
        versions=plan.versions,
        machine=plan.machine,
    )


def _models(source: SpanSet) -> str:
    """The models that were asked, for the headline; empty where no span names one."""
    names = models_asked(source.spans)
    more = f" and {len(names) - _NAMED_MODELS} more" if len(names) > _NAMED_MODELS else ""
    named = ", ".join(one_line(name) for name in names[:_NAMED_MODELS])
    return f"{'model' if len(names) == 1 else 'models'} {named}{more}" if names else ""


def conclude(loaded: Loaded, judgement: Judgement, options: argparse.Namespace) -> int:
    """Write the report where and how `options` say, and return the exit code of the gates."""
    output = Output.of(options)
    report = build_report(loaded, judgement)
    output.write(build_run(report))
    return gate(report.analysis, options.gate)


def format_of(options: argparse.Namespace, formats: Sequence[Entry]) -> Entry:
    """`--format`, else what the ending of `-o` means, else text. Raises UsageError for an unknown ending.

    Also refuses an existing file, so that nobody waits for a run whose report can't be written.
    """
    path: Path | None = options.output
    if path is not None:
        _refuse_unwritable(path, force=options.force)
    named = {entry.name: entry for entry in formats}
    if options.format:
        return named[options.format]
    if path is None:
        return named["text"]
    entry = next((entry for entry in formats if path.suffix.lower() in entry.endings), None)
    if entry is None:
        raise UsageError(f"-o {path}: no report format has this ending", remedy="name one with --format")
    return entry


def _refuse_unwritable(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise UsageError(f"-o {path}: is a folder")
    if path.exists() and not force:
        raise UsageError(f"-o {path}: the file exists", remedy="add --force to overwrite it")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"-o {path}: its folder doesn't exist")


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write `text`, whole or not at all. Raises UsageError if the file exists and `force` is not set."""
    from punie.trace.store.files.whole_file import write_whole

    _refuse_unwritable(path, force=force)
    write_whole(path, text)


def gate(analysis: RunAnalysis, names: tuple[str, ...]) -> int:
    """0 if every named verdict is yes; GATE_FAILED if one is no, else GATE_UNDECIDED. Says which."""
    verdicts = {name: analysis.verdicts[name].verdict for name in names}
    for name, verdict in verdicts.items():
        if verdict is not Verdict.YES:
            write_err(f"gate {name}: {verdict.value}\n")
    if Verdict.NO in verdicts.values():
        return ExitCode.GATE_FAILED
    return ExitCode.GATE_UNDECIDED if Verdict.UNDECIDED in verdicts.values() else ExitCode.OK
