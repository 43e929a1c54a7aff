"""Work in a process of its own: a typed job goes in as JSON, a typed result comes out, within a time limit.

Loading a model here would leave our own process heavy, and its memory could not be measured clean.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from punie.trace.errors import ServerError
from punie.trace.safely import SAFELY
from punie.trace.server.child import Child
from punie.trace.server.diagnosis import describe_exit
from punie.trace.store import documents
from punie.trace.store.files.whole_file import PRIVATE, write_whole

Job = TypeVar("Job")
Result = TypeVar("Result")

_POLL_S: Final = 0.1
_GRACE_S: Final = 2.0
_TAIL_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class ChildJob:
    """`module` is run as `python -m MODULE JOB RESULT`; it says what it is doing on lines that begin with `- `.

    `files` is the beginning of the paths of its three files: `FILES.job.json`, `.result.json`, `.log`. `timeout_flag`
    is the flag that sets its time, where one does.
    """

    module: str
    files: Path
    timeout_s: float
    timeout_flag: str = ""

    async def run(self, job: object, kind: type[Result], on_step: Callable[[str], None]) -> Result:
        """The result of `job`; `on_step` gets what it is doing. Raises ServerError if it fails or takes too long."""
        job_file, result, log = (self._file(end) for end in ("job.json", "result.json", "log"))
        write_whole(job_file, msgspec.json.encode(job), mode=PRIVATE)
        result.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        command = (sys.executable, SAFELY, "-m", self.module, str(job_file), str(result))
        child = Child.start(command, log=log, env=os.environ | {"PYTHONUNBUFFERED": "1"})
        try:
            code = await self._wait_for_exit(child, log, on_step)
        finally:
            await child.stop(_GRACE_S)
        if code != 0 or not result.exists():
            raise ServerError(
                f"{self.module} {describe_exit(code)}", log_tail=_tail(log), remedy=f"see {log}"
            )
        return documents.read(result, kind)

    async def _wait_for_exit(self, child: Child, log: Path, on_step: Callable[[str], None]) -> int:
        end = time.monotonic() + self.timeout_s
        while (code := child.exit_code()) is None:
            if time.monotonic() > end:
                more = (
                    f"; if it goes on well, allow more with {self.timeout_flag}" if self.timeout_flag else ""
                )
                raise ServerError(
                    f"{self.module} has taken more than {self.timeout_s:g} s",
                    log_tail=_tail(log),
                    remedy=f"see {log}{more}",
                )
            if line := _last_step(log):
                on_step(line)
            await asyncio.sleep(_POLL_S)
        return code

    def _file(self, end: str) -> Path:
        return self.files.with_name(f"{self.files.name}.{end}")


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []


def _last_step(log: Path) -> str:
    steps = [line for line in _lines(log) if line.startswith("- ")]
    return steps[-1].removeprefix("- ") if steps else ""


def _tail(log: Path) -> str:
    return "\n".join(_lines(log)[-_TAIL_LINES:])


def serve_job(work: Callable[[Job], object], kind: type[Job]) -> None:
    """The child's `main`: read the job, a `kind`, do it, write the result; end when the parent does."""
    from punie.trace.server.launcher import DEFAULT_GRACE_S, watch_parent

    watch_parent(DEFAULT_GRACE_S)
    job_file, result = sys.argv[1:]
    done = work(documents.read(Path(job_file), kind))
    write_whole(Path(result), msgspec.json.encode(done), mode=PRIVATE)


def show_step(step: str) -> None:
    """In a child: what it does now, for the parent to show."""
    sys.stdout.write(f"- {step}\n")
