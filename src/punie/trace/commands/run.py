"""`run`: start a server, ask a suite of queries through an agent, and say where the time went."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from punie.trace.commands.run_options import (
    Options,
    configured,
    new_run,
    server_of,
    workload_of,
    workload_warnings,
)
from punie.trace.errors import ExportError

if TYPE_CHECKING:
    from punie.trace.commands.options import OutputOptions
    from punie.trace.console.progress import RunProgress
    from punie.trace.model import SpanSet
    from punie.trace.report.document import Document
    from punie.trace.store.runs.run_folder import RunFolder
    from punie.trace.telemetry.journal.journal import JournalStatus
    from punie.trace.usecases.load import LoadedSource
    from punie.trace.usecases.sending import DeliverySummary, Sending
    from punie.trace.usecases.suite_run import SuiteRun

HELP: Final = "ask a suite of queries on a real server and show where the time went"
DESCRIPTION: Final = (
    "Starts mlx_lm.server (or attaches to --base-url), asks every query of a suite through a PydanticAI agent, "
    "keeps every step as a span in a run folder, and ends with the ledger and its verdicts. "
    "Without --model it uses the demo model, which shows that everything works and nothing about quality."
)
EXAMPLES: Final = (
    "run",
    "run --model mlx-community/Qwen3-8B-4bit --starts 4 -o report.md",
    "run --base-url http://127.0.0.1:11434/v1 --suite mine.toml --agent myapp.agents:agent",
)


def execute(options: Options) -> int:
    """Run the suite and report. Returns the gates' exit code; raises PunieTraceError."""
    from punie.trace.commands.gates import gate
    from punie.trace.commands.output import Output
    from punie.trace.console.progress import RunProgress
    from punie.trace.console.standard_streams import importing_agent
    from punie.trace.usecases.load import load_run
    from punie.trace.usecases.suite_run import SuiteRun
    from punie.trace.usecases.waterfall_links import JaegerPage, link_lines

    options, configuration = configured(options)
    output = Output.of(options.output, gates=options.judgement.gate)  # refused before anything is started
    server, warnings = server_of(options, configuration)
    with importing_agent(options.workload.agent):
        workload = workload_of(options, configuration)
    page = JaegerPage.of(options.spans.jaeger)
    sending = _sending(options)
    folder, plan = new_run(options, workload.suite, server)
    progress = RunProgress(len(plan.planned))
    progress.log(f"spans and log: {folder.path}")
    progress.log_all((*warnings, *workload_warnings(options.workload)))
    with ExitStack() as until_reported:
        run = SuiteRun(workload, folder, plan, server, progress, until_reported)
        journal, sent = _run_and_send(run, sending)
        loaded = load_run(folder)
        document = _document(loaded, options)
        output.write(document)
        code = gate(document, options.judgement.gate)
    _write_page(folder, document, progress, options.output)
    progress.log_all(link_lines(loaded.spans.spans, page, sent=sent.accepted > 0))
    _raise_if_lost(journal, loaded.spans)
    return code


def _sending(options: Options) -> Sending:
    from punie.trace.usecases.sending import find_receivers

    spans = options.spans
    return find_receivers(spans.otlp, no_export=spans.no_export, content=spans.send_content)


def _run_and_send(run: SuiteRun, sending: Sending) -> tuple[JournalStatus, DeliverySummary]:
    """Every query is asked while its spans are sent; returns the outcome here and at the receivers."""
    from punie.trace.console.standard_streams import stdout_reserved_for_report
    from punie.trace.usecases.interruption import reporting_how_to_resume, run_without_waiting_for_others

    folder, log = run.folder, run.progress.log
    how = f"the run ended early; what was recorded: punie-trace report {folder.path}"
    following = sending.following(
        folder.spans_dir.absolute(), run.progress, state_folder=folder.path.absolute()
    )
    with stdout_reserved_for_report(), reporting_how_to_resume(log, how), following as sent:
        journal = run_without_waiting_for_others(run.execute())
    return journal, sent


def _document(loaded: LoadedSource, options: Options) -> Document:
    from punie.trace.report.builders.run import build_run
    from punie.trace.usecases.run_report import VerdictTargets, build_report

    judgement = VerdictTargets(options.judgement.target_ns, options.judgement.max_memory_bytes)
    document = build_run(build_report(loaded, judgement))
    return document.with_content() if options.content else document


def _opens_own_page(output: OutputOptions) -> bool:
    """Whether `--open` means the page in the run folder: then the text still goes to standard output."""
    return output.open and output.output is None and output.format is None


def _write_page(folder: RunFolder, document: Document, progress: RunProgress, output: OutputOptions) -> None:
    """The report as a page in the run folder. A full disk costs the page alone: the report is out by now."""
    from punie.trace.commands.output import open_in_browser
    from punie.trace.errors import OutputError
    from punie.trace.report.formats import HTML
    from punie.trace.store.files.whole_file import PRIVATE, write_whole

    path = folder.path / "report.html"
    try:
        write_whole(path, HTML.write_bytes(document), mode=PRIVATE)
    except OutputError as error:
        progress.log(f"no page: {error.message}")
        return
    progress.log(f"report as a page: {path}")
    if _opens_own_page(output):
        open_in_browser(path)


def _raise_if_lost(journal: JournalStatus, spans: SpanSet) -> None:
    """The report says it too, but a caller that only looks at the exit code must not take it for complete."""
    from punie.trace.store.runs.server_log import SPANS_LOST

    lost = [note.case for note in spans.notes if note.slug == SPANS_LOST]
    if journal.lost:
        lost.append(f"{journal.lost} of the agent's: {journal.last_error}")
    if lost:
        raise ExportError(
            f"the journal lacks spans: {'; '.join(lost)}",
            remedy="Make room on the disk, leave the run's files alone, and run again.",
        )
