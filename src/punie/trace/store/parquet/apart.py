"""DuckDB in a process of its own: damaged Parquet can keep it busy for years, deaf to everything, or kill it.

    our process                            the child
    apart(…, work, …)    -- question -->   work(send, …)
    yields what comes    <-- pickles --    send(one), as often as it likes; at the end None, or what it raised

The first question starts the child; it is asked again for the next file, and ends with our process. What it isn't done
with in its processor time kills it (not on Windows), and we kill it as soon as nobody waits for its answer any more.
"""

from __future__ import annotations

import atexit
import gc
import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final, cast

from punie.trace.errors import InputError, PunieTraceError, WorkerError
from punie.trace.safely import SAFELY
from punie.trace.store.files.limit import VARIABLE, UnpackedLimit
from punie.trace.waiting import shown

_LENGTH_BYTES: Final = 8

Send = Callable[[object], None]
Work = Callable[..., None]
"""A function that a module has: it gets `Send`, which takes anything but None, then what it was given."""


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """What the child is at, for somebody who waits at a terminal."""

    text: str


def apart(limit: UnpackedLimit, work: Work, *given: object) -> Iterator[object]:
    """What `work` sends; raises what it raises. `limit` names the file and counts what comes of it.

    Raises InputError if that is too much or takes too long, WorkerError if the process dies otherwise.
    """
    child = _idle.pop(os.getpid(), None) or _Child()
    try:
        child.begin(work, given, limit.cpu_s)
        for message in shown(child.answer(limit), lambda _: child.doing):
            if not isinstance(message, WorkProgress):
                yield message
    finally:
        if child.is_idle:
            end_idle()
            _idle[os.getpid()] = child
        else:
            child.end()


class _Child:
    """The process as we see it."""

    def __init__(self) -> None:
        self.is_idle = True
        self.doing = ""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            (sys.executable, SAFELY, "-m", __name__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._questions = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)

    def begin(self, work: Work, given: Sequence[object], cpu_s: int) -> None:
        self.is_idle = False
        self._questions.write(pickle.dumps((work, given, cpu_s)))
        self._questions.flush()

    def answer(self, limit: UnpackedLimit) -> Iterator[object]:
        while (message := self._receive(limit)) is not None:
            if isinstance(message, Exception):
                self.is_idle = True
                raise message
            if isinstance(message, WorkProgress):
                self.doing = message.text
            yield message
        self.is_idle = True

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for file in (self._questions, self._answers, self._stderr):
            file.close()

    def _receive(self, limit: UnpackedLimit) -> object:
        length = int.from_bytes(self._read(_LENGTH_BYTES, limit), "little")
        limit.count(length)
        return pickle.loads(self._read(length, limit))  # noqa: S301 # by our own child

    def _read(self, size: int, limit: UnpackedLimit) -> bytes:
        content = self._answers.read(size)
        if len(content) == size:
            return content
        raise _why_it_died(self._process.wait(), limit, self._last_words())

    def _last_words(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace").strip().rpartition("\n")[2]


_idle: Final[
    dict[int, _Child]
] = {}  # by process: a fork has pipes to its parent's child, and may not use them


@atexit.register
def end_idle() -> None:
    """End the child that waits for a question, if there is one."""
    if child := _idle.pop(os.getpid(), None):
        child.end()


def _why_it_died(code: int, limit: UnpackedLimit, words: str) -> BaseException:
    by = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else f"status {code}"
    if by == "SIGINT":
        return KeyboardInterrupt()
    if by == "SIGXCPU":
        return InputError(
            f"{limit.file}: damaged Parquet: DuckDB isn't done with it after {limit.cpu_s} s of processor time",
            remedy=f"If it is sound, raise the limit with {VARIABLE}: the time follows from it.",
        )
    return WorkerError(
        f"{limit.file}: the process in which DuckDB read it ended with {by}{words and ': '}{words}",
        remedy="The file may be damaged, or memory ran out.",
    )


def main() -> None:
    """The child: answers questions until there are no more."""
    gc.disable()  # rows hold no cycles
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C is for both of us, and Python's own answer waits for DuckDB
    send = partial(_send, os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # who prints doesn't answer
    while True:
        try:
            work, given, cpu_s = pickle.load(sys.stdin.buffer)  # noqa: S301 # from who started us
        except EOFError:
            return
        _limit(cpu_s)
        send(_done(work, send, given))


def _done(work: Work, send: Send, given: Sequence[object]) -> object:
    try:
        work(send, *given)
    except PunieTraceError as error:
        return error
    except Exception as error:  # noqa: BLE001 # it is raised where we were asked
        error.add_note(traceback.format_exc())
        return error
    return None


def _send(into: BinaryIO, one: object) -> None:
    content = pickle.dumps(one, pickle.HIGHEST_PROTOCOL)
    try:
        into.write(len(content).to_bytes(_LENGTH_BYTES, "little"))
        into.write(content)
        into.flush()
    except BrokenPipeError:  # who asked has gone, and DuckDB may never be done
        os._exit(1)


def _limit(cpu_s: int) -> None:
    if sys.platform != "win32":
        import resource

        most = resource.getrlimit(resource.RLIMIT_CPU)[1]
        ends_s = math.ceil(time.process_time()) + cpu_s
        is_later = most != resource.RLIM_INFINITY and ends_s > most
        resource.setrlimit(resource.RLIMIT_CPU, (most if is_later else ends_s, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
