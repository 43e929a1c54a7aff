"""What a query that was given up leaves running, and which queries are marked for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from punie.trace import semconv
from punie.trace.model import Disturbance
from punie.trace.workload.agent_runner import Reply
from punie.trace.workload.left_running import Aftermath, until_idle
from punie.trace.workload.scoring.answer import AgentAnswer
from punie.trace.workload.threads import ToolThreads

BUSY = "import time\nend = time.process_time() + 1.0\nwhile time.process_time() < end: pass\ntime.sleep(60)"
MARKED = {semconv.QUERY_DISTURBED: Disturbance.SERVER_WORK.value}


@pytest.fixture
def busy_process() -> Iterator[int]:
    """Takes all of a core for a second of its own, then nothing."""
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        yield process.pid
        process.kill()


def replied(*, abandoned: bool = False, threads: ToolThreads | None = None) -> Reply:
    return Reply(AgentAnswer("."), 0, None, abandoned, threads or ToolThreads())


def test_only_the_query_after_one_that_was_given_up_is_marked() -> None:
    async def marks() -> list[dict[str, str]]:
        aftermath, found = Aftermath(), []
        for abandoned in (False, True, False, False):
            await aftermath.follow(replied(abandoned=abandoned), None)
            found.append(aftermath.attributes())
        return found

    assert asyncio.run(marks()) == [{}, MARKED, {}, {}]


def test_queries_are_marked_as_long_as_a_tool_runs_on() -> None:
    release, threads = threading.Event(), ToolThreads()
    future = threads.submit(release.wait, 60)

    async def marks() -> list[dict[str, str]]:
        aftermath, found = Aftermath(), []
        for number in range(3):
            await aftermath.follow(replied(threads=threads if number == 0 else None), None)
            found.append(aftermath.attributes())
        release.set()
        future.result(10)
        await threads.end()
        return [*found, aftermath.attributes()]

    by_thread = {semconv.QUERY_DISTURBED: Disturbance.TOOL_THREAD.value}
    assert asyncio.run(marks()) == [by_thread, by_thread, by_thread, {}]


def test_the_wait_lasts_until_the_process_is_idle(busy_process: int) -> None:
    began = time.monotonic()
    asyncio.run(until_idle(busy_process))
    assert time.monotonic() - began > 0.9


def test_the_wait_is_bounded(busy_process: int) -> None:
    began = time.monotonic()
    asyncio.run(until_idle(busy_process, longest_s=0.5))
    assert time.monotonic() - began < 0.9


def test_a_process_that_has_ended_is_idle() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    asyncio.run(until_idle(process.pid))
