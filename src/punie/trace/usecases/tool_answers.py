"""What coding agents get: the reports' JSON, with at most so many rows a list, and errors in words.

Each function is one tool of `punie-trace mcp`, which knows the protocol; nothing here does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from punie.trace.errors import PunieTraceError, WorkloadError
from punie.trace.report.formats import JSON
from punie.trace.report.inert import inert
from punie.trace.safely import SAFELY
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.usecases.load import load_source

if TYPE_CHECKING:
    from punie.trace.model import Event, Span
    from punie.trace.report.document import Document
    from punie.trace.usecases.load import LoadedSource

Json = dict[str, Any]
_RUN_ENDED_IN_TIME_S: Final = 1_800.0
_SHOWN_CHARACTERS: Final = 2_000  # of what a failed run printed


@dataclass(frozen=True, slots=True)
class ToolAnswers:
    """`rows` bounds every list of an answer; `content`: prompts and answers may be in it; `runs`: where runs go."""

    rows: int = 20
    content: bool = False
    runs: Path = Path("runs")

    def report(self, source: str) -> Json:
        """The report of a source, as `report --format json` writes it. Raises PunieTraceError."""
        from punie.trace.report.builders.run import build_run
        from punie.trace.usecases.run_report import VerdictTargets, build_report

        return self._bounded(build_run(build_report(self._load(source), VerdictTargets())))

    def show(self, source: str, query: str | None = None) -> Json:
        """One query: its waterfall and, if content is allowed, what was said. Raises PunieTraceError."""
        from punie.trace.report.builders.query import build_query
        from punie.trace.usecases.query_report import report_query

        return self._bounded(build_query(report_query(self._load(source), query, full=self.content)))

    def compare(self, a: Sequence[str], b: Sequence[str]) -> Json:
        """B against A, as `compare --format json` writes it. Raises PunieTraceError."""
        from punie.trace.report.builders.comparison import build_comparison
        from punie.trace.usecases.comparison import compare_sources

        return self._bounded(build_comparison(compare_sources(a, b, prepare=self._allowed)))

    async def run(self, flags: Sequence[str]) -> Json:
        """The report of a new run with these flags of `run`, made in a process of its own. Raises PunieTraceError."""
        before = _folders(self.runs)
        command = (
            sys.executable,
            SAFELY,
            "-m",
            "punie.trace",
            "run",
            "--no-export",
            "--runs",
            str(self.runs),
            *flags,
        )
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(_RUN_ENDED_IN_TIME_S):
                _, printed = await process.communicate()
        except TimeoutError:
            raise WorkloadError(
                f"the run took more than {_RUN_ENDED_IN_TIME_S:.0f} s and was ended"
            ) from None
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        new = _folders(self.runs) - before
        if process.returncode or len(new) != 1:
            raise WorkloadError(f"the run failed: {printed.decode(errors='replace')[-_SHOWN_CHARACTERS:]}")
        (folder,) = new
        return {"run": str(folder)} | self.report(str(folder))

    def _load(self, source: str) -> LoadedSource:
        return self._allowed(load_source(source))

    def _allowed(self, loaded: LoadedSource) -> LoadedSource:
        return loaded if self.content else without_content(loaded)

    def _bounded(self, document: Document) -> Json:
        whole = json.loads(JSON.write(document))
        left_out: dict[str, int] = {}
        answer: Json = _cut(whole, self.rows, "", left_out)
        return answer | {"rows_left_out": left_out}


def in_words(error: PunieTraceError) -> str:
    """An error as the command line says it."""
    return f"{error.message} [{error.slug}]" + (f"; next: {error.remedy}" if error.remedy else "")


def _cut(value: Any, rows: int, path: str, left_out: dict[str, int]) -> Any:  # noqa: ANN401 - any JSON
    """Harmless texts, and the first `rows` of every list; `left_out` gets how many more there were, by path."""
    if isinstance(value, dict):
        return {
            inert(key): _cut(item, rows, f"{path}.{key}".lstrip("."), left_out) for key, item in value.items()
        }
    if isinstance(value, str):  # it may be shown in a terminal
        return "\n".join(map(inert, value.split("\n")))
    if not isinstance(value, list):
        return value
    if len(value) > rows:
        left_out[path] = left_out.get(path, 0) + len(value) - rows
    return [_cut(item, rows, path, left_out) for item in value[:rows]]


def _folders(runs: Path) -> set[Path]:
    return set(runs.iterdir()) if runs.is_dir() else set()


def without_content(loaded: LoadedSource) -> LoadedSource:
    """The same source with what may leave the machine unasked, by the same list as the shipper's."""
    spans = tuple(map(_span, loaded.spans.spans))
    return replace(loaded, spans=structs.replace(loaded.spans, spans=spans))


def _span(span: Span) -> Span:
    return structs.replace(
        span,
        attributes=ContentPolicy.STRIP.apply(span.attributes),
        resource=ContentPolicy.STRIP.apply(span.resource),
        status_message="",
        events=tuple(map(_event, span.events)),
    )


def _event(event: Event) -> Event:
    return structs.replace(event, attributes=ContentPolicy.STRIP.apply(event.attributes))
