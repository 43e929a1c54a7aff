"""However a command ends early, its own reason is what counts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from punie.trace.errors import OutputError, ServerError
from punie.trace.usecases.interruption import reporting_how_to_resume


def test_how_to_go_on_is_told_and_a_cancelled_task_is_an_interruption() -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), reporting_how_to_resume(said.append, "again: x"):
        raise asyncio.CancelledError
    assert said == ["again: x"]


def test_what_can_not_be_told_does_not_replace_the_reason() -> None:
    def fail(_: str) -> None:
        raise OutputError("standard error is full")

    with pytest.raises(ServerError, match="died"), reporting_how_to_resume(fail, "again: x"):
        raise ServerError("the server died")


FORKS = """
import asyncio, os, signal, time
from punie.trace.usecases.interruption import cancel_on

async def main():
    cancel_on(signal.SIGTERM)
    seen, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(told, b".")
        time.sleep(5)
        os._exit(0)
    os.read(seen, 1)
    os.kill(child, signal.SIGTERM)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM)
    await asyncio.sleep(0.1)
    print("not cancelled")

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_signal_that_ends_a_process_of_a_tools_pool_is_none_for_us() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\nnot cancelled\n", done.stderr
