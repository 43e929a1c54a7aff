"""What a query leaves running when it is given up, and what that means for the queries after it.

|---- a query ----| given up
|---------- the server's work on it ----------|
                  |-- we wait --|  |-- the next query --| is marked: it is excluded from averages
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import psutil

from punie.trace import semconv
from punie.trace.model import Disturbance

if TYPE_CHECKING:
    from punie.trace.workload.agent_runner import Reply
    from punie.trace.workload.threads import ToolThreads

LONGEST_WAIT_S: Final = 60.0
_LOOK_S: Final = 0.25
_IDLE_SHARE: Final = 0.1  # of one core; a server that generates takes more also where a GPU computes


class Aftermath:
    """Of one server start: say how each query ended, and ask what disturbs the next."""

    def __init__(self) -> None:
        self._given_up = False
        self._threads: list[ToolThreads] = []

    async def follow(self, reply: Reply, server_pid: int | None) -> None:
        """A query ended with `reply`. If the server may still be at work on it, wait until it is idle, for a minute.

        That can only be seen of a server of ours, and by its processor time alone: so the next query is marked all
        the same, and those after it are not.
        """
        self._given_up = reply.abandoned
        self._threads = [threads for threads in (*self._threads, reply.threads) if threads.running]
        if reply.abandoned and server_pid is not None:
            await until_idle(server_pid)

    def attributes(self) -> dict[str, str]:
        """What the next query's span has to say."""
        if self._given_up:
            return {semconv.QUERY_DISTURBED: Disturbance.SERVER_WORK.value}
        if any(threads.running for threads in self._threads):
            return {semconv.QUERY_DISTURBED: Disturbance.TOOL_THREAD.value}
        return {}


async def until_idle(pid: int, *, longest_s: float = LONGEST_WAIT_S) -> None:
    """Return when the process takes next to no processor time, has ended, or `longest_s` are over."""
    try:
        process = psutil.Process(pid)
        before_s = _processor_s(process)
        for _ in range(int(longest_s / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            now_s = _processor_s(process)
            if now_s - before_s < _IDLE_SHARE * _LOOK_S:
                return
            before_s = now_s
    except psutil.NoSuchProcess:
        return


def _processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
