"""The tools of the default agent: search and read one folder, and nothing else.

A refusal, a missing file or a time limit comes back as text that starts with `error:`, for the model to read.
The docstrings of the methods are the descriptions that the model gets.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punie.trace.errors import CHECK_PATH, WorkloadError
from punie.trace.workload.tools.bounded import ProgramResult, StoppedError, run_bounded
from punie.trace.workload.tools.confine import RefusedError, read_bytes
from punie.trace.workload.tools.opened_files import OpenedFiles, opened
from punie.trace.workload.tools.sandbox import PlannedCommand, plan_command

ERROR_PREFIX: Final = "error: "
EMPTY_FILE: Final = "(empty file)"

# Control characters but tab and newline: they could drive a terminal that shows the output.
_UNPRINTABLE: Final = dict.fromkeys((*range(9), *range(11, 32), 127), "\ufffd")


@dataclass(frozen=True, slots=True)
class WorkspaceTools:
    """Read-only tools over the folder `root`.

    A command is killed after `time_limit_s`; a result has at most `output_limit` characters, and one line more
    that says how much was left out. Raises WorkloadError if `root` is no folder.
    """

    root: Path
    time_limit_s: float = 10.0
    output_limit: int = 4000

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise WorkloadError(f"workspace {self.root} is not a folder", remedy=CHECK_PATH)

    def run_command(self, command: str) -> str:
        """Run one read-only program in the project folder, without a shell.

        Args:
            command: grep, find, ls, cat, head, tail or wc, with arguments.
        """
        try:
            plan = plan_command(command, self.root.resolve())
            finished = self._run(plan)
        except (RefusedError, StoppedError) as error:
            return f"{ERROR_PREFIX}{error}"
        except OSError as error:
            return f"{ERROR_PREFIX}{command.split()[0]} can't be started: {error.strerror}"
        return self._shown(finished, sort_lines=plan.sort_lines)

    def read_file(self, path: str) -> str:
        """Read a text file of the project.

        Args:
            path: The file, relative to the project folder.
        """
        try:
            data, more = read_bytes(path, self.root.resolve())
        except RefusedError as error:
            return f"{ERROR_PREFIX}{error}"
        return limited(_text(data), self.output_limit, more=more) or EMPTY_FILE

    def _run(self, plan: PlannedCommand) -> ProgramResult:
        """The outputs of all batches as one; status 0 if any batch has it, else the highest."""
        root = self.root.resolve()
        deadline = time.monotonic() + self.time_limit_s
        parts: list[ProgramResult] = []
        for batch in plan.batches:
            remaining_s = max(0.0, deadline - time.monotonic())
            with opened(batch, root) if plan.reads else nullcontext(OpenedFiles(root)) as files:
                parts.append(
                    run_bounded(
                        (*plan.argv, *batch),
                        cwd=files.folder,
                        descriptors=files.descriptors,
                        time_limit_s=remaining_s,
                    )
                )
            if parts[-1].cut:
                break
        statuses = [part.status for part in parts] or [1]  # no file to search is no match
        return ProgramResult(
            stdout=b"".join(part.stdout for part in parts),
            stderr=b"".join(part.stderr for part in parts),
            status=0 if 0 in statuses and max(statuses) < 2 else max(statuses),
            cut=any(part.cut for part in parts),
        )

    def _shown(self, finished: ProgramResult, *, sort_lines: bool) -> str:
        text = _text(finished.stdout)
        if sort_lines:
            text = "\n".join(sorted(text.rstrip("\n").split("\n")))
        complaint = _text(finished.stderr).partition("\n")[0].strip()
        failed = finished.status != 0 and not finished.cut and bool(complaint)
        if not text:
            return ERROR_PREFIX + complaint if failed else f"(no output, exit status {finished.status})"
        shown = limited(text, self.output_limit, more=finished.cut)
        return f"{shown}\n[{complaint}]" if failed else shown


def limited(text: str, limit: int, *, more: bool = False) -> str:
    """`text` without its last newlines, cut at the end of a line to `limit` characters, and a line that says so.

    `more` says that text itself is only the beginning. A first line longer than `limit` is cut within.
    """
    text = text.rstrip("\n")
    total = text.count("\n") + 1
    if len(text) <= limit and not more:
        return text
    beginning = text if len(text) <= limit else text[: limit + 1].rpartition("\n")[0] or text[:limit]
    shown = beginning.count("\n") + 1
    of = f"more than {total}" if more else str(total)
    return f"{beginning}\n[truncated: showing {shown} of {of} lines]"


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace").replace("\r\n", "\n").translate(_UNPRINTABLE)
