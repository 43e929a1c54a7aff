"""Programs that print or wait without end: stopped, with everything that they started."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextvars import copy_context
from pathlib import Path

import pytest

from punie.trace.workload.threads import ToolThreads
from punie.trace.workload.tools.bounded import ENVIRONMENT, ProgramResult, StoppedError, run_bounded
from punie.trace.workload.tools.confine import READ_LIMIT_BYTES


def test_a_program_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    endless = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    finished = run_bounded([sys.executable, "-c", endless], cwd=tmp_path, time_limit_s=60)
    assert finished.cut
    assert len(finished.stdout) == READ_LIMIT_BYTES


def test_a_program_that_waits_is_killed_with_its_children(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    script = "(echo up >&3; exec sleep 600) 3>alive & sleep 600"
    try:
        with pytest.raises(StoppedError):
            run_bounded(["/bin/sh", "-c", script], cwd=tmp_path, time_limit_s=1.0, limits={})
        os.set_blocking(reader, True)
        assert os.read(reader, 10) == b"up\n"
        assert os.read(reader, 10) == b""  # waits until nobody holds the other end: the child is gone
    finally:
        os.close(reader)


def test_a_program_that_closed_its_output_is_killed_as_well(tmp_path: Path) -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(600)"
    with pytest.raises(StoppedError):
        run_bounded([sys.executable, "-c", code], cwd=tmp_path, time_limit_s=1.0)


def test_the_environment_is_small_and_standard_input_empty(tmp_path: Path) -> None:
    code = "import os, sys; print(sorted(os.environ)); print(repr(sys.stdin.read()))"
    lines = (
        run_bounded([sys.executable, "-c", code], cwd=tmp_path, time_limit_s=60).stdout.decode().split("\n")
    )
    # macOS adds a name of its own to every process.
    assert set(eval(lines[0])) - {"__CF_USER_TEXT_ENCODING"} == set(ENVIRONMENT)  # noqa: S307 - our own output
    assert lines[1] == "''"


def _python(code: str, folder: Path) -> ProgramResult:
    return run_bounded([sys.executable, "-c", code], cwd=folder, time_limit_s=60)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS can't limit another process, see LIMITS")
@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("bytearray(2 << 30)", "MemoryError"),
        ("open('new', 'w').write('x' * 10_000)", "File too large|25"),
        ("import os; [os.open('/', os.O_RDONLY) for _ in range(300)]", "Too many open files"),
    ],
)
def test_the_kernel_holds_a_program_to_its_limits(tmp_path: Path, code: str, complaint: str) -> None:
    # The limits are set once it runs, so it gives us the time.
    finished = _python(f"import time; time.sleep(0.3)\n{code}", tmp_path)
    assert finished.status != 0
    assert re.search(complaint, f"{finished.stderr.decode()} {-finished.status}")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


def test_memory_is_watched_where_the_kernel_sets_no_limit(tmp_path: Path) -> None:
    code = "import time; x = b'x' * (1100 << 20); time.sleep(60)"
    with pytest.raises(StoppedError, match="stopped at 1024 MiB of memory"):
        run_bounded([sys.executable, "-c", code], cwd=tmp_path, time_limit_s=60, limits={})


def test_a_program_dies_with_its_query(tmp_path: Path) -> None:
    async def ask() -> str:
        threads = ToolThreads()
        with threads.as_current():
            context = copy_context()
        running = threads.submit(context.run, _python, "import time; time.sleep(60)", tmp_path)
        await asyncio.sleep(0.3)
        assert await threads.end() == ()
        return str(running.exception(0))

    assert asyncio.run(ask()) == "stopped, because the query has ended"
