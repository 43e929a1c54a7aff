"""Runs a program with bounds on all that it takes, and leaves no process behind.

|---- the program ----|                 at its end, its time limit, too much output or memory, or the end of its query
  ^  ^  ^  ^  ^  ^  ^                   its group is killed; memory is looked at ten times a second
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import psutil

from punie.trace.workload.threads import query_has_ended
from punie.trace.workload.tools.confine import READ_LIMIT_BYTES

# Byte order for sorting and English messages everywhere; UTF-8 under the name that each system has for it.
ENVIRONMENT: Final = MappingProxyType(
    {
        "PATH": "/usr/bin:/bin",
        "LANG": "C",
        "LC_CTYPE": "UTF-8" if sys.platform == "darwin" else "C.UTF-8",
    }
)
MEMORY_LIMIT_BYTES: Final = 1 << 30
# What the kernel holds a program to, where it lets us say so (Linux). macOS has no call for that: there memory
# is watched as everywhere, processor time ends with the time limit, and files and processes are not limited.
LIMITS: Final = MappingProxyType(
    {
        "RLIMIT_AS": MEMORY_LIMIT_BYTES,
        "RLIMIT_CPU": 60,  # seconds
        "RLIMIT_FSIZE": 0,  # bytes that it may write to a file
        "RLIMIT_NOFILE": 256,
        "RLIMIT_NPROC": 0,  # it starts no other; root is exempt
        "RLIMIT_CORE": 0,
    }
)
_CHUNK_BYTES: Final = 65_536
_LOOK_S: Final = 0.1


class StoppedError(Exception):
    """The program was killed; the message says at which limit."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What a program printed and how it ended.

    `cut` is True if it printed more than the bound and was killed for it; its status says nothing then.
    """

    stdout: bytes
    stderr: bytes
    status: int
    cut: bool


def run_bounded(
    argv: Sequence[str],
    *,
    cwd: Path,
    time_limit_s: float,
    descriptors: Sequence[int] = (),
    limits: Mapping[str, int] = LIMITS,
) -> ProgramResult:
    """Runs `argv`, an absolute program first, in folder `cwd`; of our open files it gets `descriptors`.

    It gets no shell, nothing on standard input and a small fixed environment. Its process group is killed at
    `time_limit_s`, with more than MEMORY_LIMIT_BYTES, when its query has ended (all raise StoppedError), and as soon as
    one of its outputs is longer than READ_LIMIT_BYTES. Raises OSError if the program can't be started.
    """
    process = subprocess.Popen(
        [Path(argv[0]).name, *argv[1:]],  # its bare name is what a program puts before its complaints
        executable=argv[0],
        cwd=cwd,
        env=dict(ENVIRONMENT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=descriptors,
        start_new_session=True,
    )
    watch = _Watch(process.pid, time_limit_s)
    try:
        _limit(process.pid, limits)
        stdout, stderr, cut = _read(process, watch)
        while not cut and not _has_ended(process):
            watch.look()
    finally:
        status = _end(process)
    return ProgramResult(stdout, stderr, status, cut)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Kills the group of a process that hasn't been waited for, closes the pipes, returns the exit status."""
    if process.returncode is None:
        # The leader is not reaped yet, so its number can't belong to another group.
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM if only a zombie is left
            os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    return process.wait()


def _limit(pid: int, limits: Mapping[str, int]) -> None:
    if sys.platform == "linux":
        import resource  # not on Windows

        for name, value in limits.items():
            with suppress(ProcessLookupError):  # it has ended already
                resource.prlimit(pid, getattr(resource, name), (value, value))


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LOOK_S)
    return process.returncode is not None


class _Watch:
    """What ends a program from outside."""

    def __init__(self, pid: int, time_limit_s: float) -> None:
        self._pid = pid
        self._time_limit_s = time_limit_s
        self._began_s = self._looked_s = time.monotonic()

    def look(self) -> None:
        """Raises StoppedError if it has to end."""
        now_s = time.monotonic()
        if query_has_ended():
            raise StoppedError("stopped, because the query has ended")
        if now_s - self._began_s > self._time_limit_s:
            raise StoppedError(f"stopped after {self._time_limit_s:.3g} s")
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            with suppress(psutil.Error):  # it has ended
                self._look_at_memory()

    def _look_at_memory(self) -> None:
        if psutil.Process(self._pid).memory_info().rss > MEMORY_LIMIT_BYTES:
            raise StoppedError(f"stopped at {MEMORY_LIMIT_BYTES >> 20} MiB of memory")


def _read(process: subprocess.Popen[bytes], watch: _Watch) -> tuple[bytes, bytes, bool]:
    """Both outputs until they end or one is over the bound; the last value says which."""
    assert process.stdout is not None  # noqa: S101 - Popen was given PIPE for both
    assert process.stderr is not None  # noqa: S101 - as above
    outputs = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    cut = False
    with selectors.DefaultSelector() as selector:
        for number in outputs:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map() and not cut:
            ready = selector.select(_LOOK_S)
            watch.look()
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK_BYTES)
                outputs[key.fd] += chunk
                cut = cut or len(outputs[key.fd]) > READ_LIMIT_BYTES
                if not chunk:
                    selector.unregister(key.fd)
    stdout, stderr = (bytes(output[:READ_LIMIT_BYTES]) for output in outputs.values())
    return stdout, stderr, cut
