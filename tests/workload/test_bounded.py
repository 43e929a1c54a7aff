"""Programs that print or wait without end: stopped, with everything that they started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from punie.trace.workload.tools.bounded import ENVIRONMENT, TimeLimitError, run_bounded
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
        with pytest.raises(TimeLimitError):
            run_bounded(["/bin/sh", "-c", script], cwd=tmp_path, time_limit_s=1.0)
        os.set_blocking(reader, True)
        assert os.read(reader, 10) == b"up\n"
        assert os.read(reader, 10) == b""  # waits until nobody holds the other end: the child is gone
    finally:
        os.close(reader)


def test_a_program_that_closed_its_output_is_killed_as_well(tmp_path: Path) -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(600)"
    with pytest.raises(TimeLimitError):
        run_bounded([sys.executable, "-c", code], cwd=tmp_path, time_limit_s=1.0)


def test_the_environment_is_small_and_standard_input_empty(tmp_path: Path) -> None:
    code = "import os, sys; print(sorted(os.environ)); print(repr(sys.stdin.read()))"
    lines = (
        run_bounded([sys.executable, "-c", code], cwd=tmp_path, time_limit_s=60).stdout.decode().split("\n")
    )
    # macOS adds a name of its own to every process.
    assert set(eval(lines[0])) - {"__CF_USER_TEXT_ENCODING"} == set(ENVIRONMENT)  # noqa: S307 - our own output
    assert lines[1] == "''"
