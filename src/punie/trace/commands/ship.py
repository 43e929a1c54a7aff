"""`ship`: send the spans of runs that are over to a receiver, from where it left off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.errors import ExitCode, ExportError, InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from punie.trace.commands.shipping import Sending
    from punie.trace.telemetry.shipping.delivery import Delivery

HELP: Final = "send the spans of finished or crashed runs to a Collector"
DESCRIPTION: Final = (
    "Sends what the journals of runs hold and a receiver hasn't acknowledged yet: to --otlp, to what "
    "OTEL_EXPORTER_OTLP_* and LOGFIRE_TOKEN name, else to a Collector on this machine. "
    "How far each got stands in the run folder, so it can be interrupted and repeated. What was sent and not "
    "acknowledged is sent again; readers drop what they have twice."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ship`."""
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="a run folder, or a folder of journals (*.jsonl)"
    )
    parser.add_argument("--otlp", metavar="URL", help="send spans here, e.g. http://127.0.0.1:4318")
    parser.add_argument("--again", action="store_true", help="from the beginning, whatever was acknowledged")
    parser.add_argument(
        "--send-content",
        action="store_true",
        help="send prompts, answers and arguments too (default: kept local)",
    )
    parser.set_defaults(no_export=False)


def execute(options: argparse.Namespace) -> int:
    """Send every run; EXPORT if a receiver hasn't taken all of it. Raises InputError, UsageError, ExportError."""
    from punie.trace.commands.progress import ConsoleProgress
    from punie.trace.commands.shipping import read_sending

    folders = [_spans_dir(run) for run in options.runs]
    sending = read_sending(options)
    if not sending.targets:
        raise ExportError("; ".join(sending.notes), remedy="start a Collector, or name one with --otlp URL")
    progress = ConsoleProgress(0)
    for note in sending.notes:
        progress.say(note)
    complete = True
    for run, spans_dir in zip(options.runs, folders, strict=True):
        for delivery in _ship(run, spans_dir, sending, again=options.again):
            progress.say(f"{run}: sent to {delivery.summary()}")
            complete = complete and _took_all(delivery)
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


def _took_all(delivery: Delivery) -> bool:
    """Lines that are no spans are said, but nobody could take them."""
    return delivery.accepted == delivery.sent and not delivery.earlier_rejected


def _spans_dir(run: Path) -> Path:
    from punie.trace.store.runs.run_folder import RunFolder, is_run_folder

    if is_run_folder(run):
        return RunFolder.open(run).spans_dir
    if any(run.glob("*.jsonl")):
        return run
    raise InputError(
        f"{run}: neither a run folder (no spans/) nor one with journals (*.jsonl)",
        remedy="Give the folder that `punie-trace run` named at its end.",
    )
