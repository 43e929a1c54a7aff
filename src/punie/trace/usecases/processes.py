"""Traces are read in as many processes as there are cores, where there are many of them.

Processes are forked, so that nothing has to be sent to them: each takes its batches of traces and sends back what it
found.
What is sent are values that don't depend on who made them, so reports are the same whatever the number of processes.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from punie.trace.errors import UsageError, WorkerError
from punie.trace.units import count_text
from punie.trace.waiting import shown

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

VARIABLE: Final = "PUNIE_PROCESSES"
_FROM: Final = 2_000  # traces: below, one process has read them before others have begun
_AT_ONCE: Final = 200  # traces, whose results are sent together
# once loaded they have threads, which no fork takes along
_WITH_THREADS: Final = frozenset({"duckdb", "chdb"})

_Given = TypeVar("_Given")
_Result = TypeVar("_Result")


def in_processes(read: Callable[[_Given], _Result], given: Sequence[_Given]) -> Iterator[_Result]:
    """As `map`, in several processes where that is worth it. Raises `WorkerError` if one of them dies."""
    processes = _processes(len(given))
    results = map(read, given) if processes < 2 else iter(_forked(read, given, processes))
    yield from shown(results, lambda count: f"read {count:,} of {count_text(len(given), 'trace')}")


def _processes(given: int) -> int:
    """How many: what the user named, else one a core for many traces, where forking is safe."""
    text = os.environ.get(VARIABLE, "")
    if text:
        if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 3 and int(text)):
            raise UsageError(f"{VARIABLE}={text}: no number of processes", remedy=f"e.g. {VARIABLE}=2")
        return int(text)
    can_fork = hasattr(os, "fork") and threading.active_count() == 1
    if given < _FROM or not can_fork or not _WITH_THREADS.isdisjoint(sys.modules):
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _forked(read: Callable[[_Given], _Result], given: Sequence[_Given], processes: int) -> Iterator[_Result]:
    """The results in the order of `given`, dealt out in batches; a worker is at most one batch ahead of us."""
    from multiprocessing import get_context

    batches = [given[at : at + _AT_ONCE] for at in range(0, len(given), _AT_ONCE)]
    context = get_context("fork")
    workers: list[tuple[ForkProcess, Connection]] = []
    gc.freeze()  # what is there stays: no collection of a worker looks at it, which would copy it
    try:
        for first in range(processes):
            receiver, sender = context.Pipe(duplex=False)
            receivers = [receiver, *(earlier for _, earlier in workers)]
            worker = context.Process(
                target=_work, args=(sender, receivers, read, batches[first::processes]), daemon=True
            )
            worker.start()
            sender.close()
            workers.append((worker, receiver))
        for number in range(len(batches)):
            yield from _received(*workers[number % processes], f"{number % processes + 1} of {processes}")
    finally:
        gc.unfreeze()
        for worker, receiver in workers:
            receiver.close()
            worker.kill()
            worker.join()


def _received(worker: ForkProcess, receiver: Connection, which: str) -> Sequence[_Result]:
    try:
        results: Sequence[_Result] | Exception = pickle.loads(receiver.recv_bytes())  # noqa: S301 # by our own child
    except EOFError:
        worker.join()
        raise WorkerError(
            f"process {which}, which read a part of the traces, ended with {worker.exitcode}",
            remedy=f"Was there too little memory? {VARIABLE}=1 reads all in one process.",
        ) from None
    if isinstance(results, Exception):
        raise results
    return results


def _work(
    sender: Connection,
    receivers: Sequence[Connection],
    read: Callable[[_Given], _Result],
    batches: Sequence[Sequence[_Given]],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent process handles Ctrl-C
    gc.disable()
    for (
        receiver
    ) in receivers:  # forked along: open, they would let us wait for ever once our parent was killed
        receiver.close()
    try:
        for batch in batches:
            sender.send_bytes(_pickled([read(one) for one in batch]))
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 # it is raised where we were started
        sender.send_bytes(_pickled(error))


def _pickled(result: object) -> bytes:
    into = io.BytesIO()
    pickler = pickle.Pickler(into, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = {MappingProxyType: lambda proxy: (_proxy, (dict(proxy),))}
    pickler.dump(result)
    return into.getvalue()


def _proxy(values: dict[object, object]) -> MappingProxyType[object, object]:
    return MappingProxyType(values)  # which pickle can't find by its name
