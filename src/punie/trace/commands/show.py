"""`show`: one query whole: its waterfall, what the model wrote and called, why it was scored so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import OutputOptions
from punie.trace.errors import ExitCode
from punie.trace.options import argument, group, switch

if TYPE_CHECKING:
    from punie.trace.report.document import Document

HELP: Final = "show one query: its waterfall, what the model wrote, why it was scored so"
DESCRIPTION: Final = (
    "Draws one query in the terminal, as a waterfall of its spans with the critical path, then its turns, the "
    "question, every tool call with arguments and result, the answer and its score. Without QUERY it is the slowest "
    "one, and the others are listed."
)
EXAMPLES: Final = (
    "show runs/2026-11-23T14-05-09-demo",
    "show runs/2026-11-23T14-05-09-demo view-functions --full",
    "show spans.jsonl 4bf92f3577 -o query.perfetto-trace",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What `show` was asked for."""

    source: str = argument("SOURCE", "whatever `report` takes: a run folder, a file of spans, jaeger://…")
    query: str | None = argument(
        "QUERY",
        "a query's name (its slowest execution), NAME#START.REPEAT, or the beginning of a trace id; "
        "default: the slowest query",
        nargs="?",
    )
    full: bool = switch("--full", "quote long texts whole (default: their first lines)")
    output: OutputOptions = group("output", OutputOptions)


def execute(options: Options) -> int:
    """Write the query. Raises UsageError or InputError."""
    from punie.trace.commands.output import Output
    from punie.trace.report.formats import Material

    output = Output.of(options.output, (Material.QUERIES,))
    output.write(_document(options))
    return ExitCode.OK


def _document(options: Options) -> Document:
    from punie.trace.report.builders.query import build_query
    from punie.trace.usecases.load import load_source
    from punie.trace.usecases.query_report import report_query

    return build_query(report_query(load_source(options.source), options.query, full=options.full))
