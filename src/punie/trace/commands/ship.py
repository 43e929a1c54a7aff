"""`ship`: send the spans of runs that are over to a receiver, from where it left off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.errors import ExitCode, ExportError, InputError
from punie.trace.options import argument, flag, path, switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie.trace.telemetry.shipping.delivery import Delivery
    from punie.trace.usecases.sending import Sending

HELP: Final = "send the spans of finished or crashed runs to a Collector"
DESCRIPTION: Final = (
    "Sends what the journals of runs hold and a receiver hasn't acknowledged yet: to --otlp, to what "
    "OTEL_EXPORTER_OTLP_* and LOGFIRE_TOKEN name, else to a Collector on this machine. "
    "How far each got is in the run folder, so it can be interrupted and repeated. What was sent and not "
    "acknowledged is sent again; readers drop what they have twice."
)
EXAMPLES: Final = ("ship runs/2026-11-23T14-05-09-demo", "ship runs/* --otlp http://127.0.0.1:4318 --again")


@dataclass(frozen=True, slots=True)
class Options:
    """What `ship` was asked to send."""

    runs: tuple[Path, ...] = argument(
        "RUN", "a run folder, or a folder of journals (*.jsonl)", nargs="+", parse=path
    )
    otlp: str | None = flag(
        "--otlp", "URL", "send spans here, e.g. http://127.0.0.1:4318", shown="a Collector on this machine"
    )
    again: bool = switch("--again", "from the beginning, whatever was acknowledged")
    send_content: bool = switch(
        "--send-content", "send prompts, answers and arguments too (default: kept local)"
    )


def execute(options: Options) -> int:
    """Send every run; EXPORT if a receiver hasn't taken all of it. Raises InputError, UsageError, ExportError."""
    from punie.trace.console.progress import Progress
    from punie.trace.usecases.sending import find_receivers

    folders = [_spans_dir(run) for run in options.runs]
    sending = find_receivers(options.otlp, content=options.send_content)
    if not sending.targets:
        raise ExportError("; ".join(sending.notes), remedy="start a Collector, or name one with --otlp URL")
    progress = Progress()
    progress.log_all(sending.notes)
    complete = True
    for run, spans_dir in zip(options.runs, folders, strict=True):
        for delivery in _ship(run, spans_dir, sending, again=options.again):
            progress.log(f"{run}: sent to {delivery.summary()}")
            complete = complete and delivery.acknowledged
    return int(ExitCode.OK if complete else ExitCode.EXPORT)


def _ship(run: Path, spans_dir: Path, sending: Sending, *, again: bool) -> Sequence[Delivery]:
    from punie.trace.store.runs.ship_state import ShipState
    from punie.trace.telemetry.shipping.shipper import ship

    state = ShipState.open(run)
    if again:
        for target in sending.targets:
            state.forget(sending.key(target))
    return ship(
        spans_dir,
        sending.targets,
        policy=sending.policy,
        deadline_s=None,
        bookmarks=sending.bookmarks(state),
    )


def _spans_dir(run: Path) -> Path:
    from punie.trace.store.runs.run_folder import RunFolder

    if RunFolder.is_at(run):
        return RunFolder.open(run).spans_dir
    if any(run.glob("*.jsonl")):
        return run
    raise InputError(
        f"{run}: neither a run folder (no spans/) nor one with journals (*.jsonl)",
        remedy="Give the folder that `punie-trace run` named at its end.",
    )
