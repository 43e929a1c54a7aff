"""Runs a program with a bound on its time and on its output, and leaves no process behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from punie.trace.workload.tools.confine import READ_LIMIT_BYTES

# Byte order for sorting and English messages everywhere; UTF-8 under the name that each system has for it.
ENVIRONMENT: Final = MappingProxyType(
    {
        "PATH": "/usr/bin:/bin",
        "LANG": "C",
        "LC_CTYPE": "UTF-8" if sys.platform == "darwin" else "C.UTF-8",
    }
)
_CHUNK_BYTES: Final = 65_536


class TimeLimitError(Exception):
    """The program was killed at its time limit."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program printed and how it ended.

    `cut` is True if it printed more than the bound and was killed for it; its status says nothing then.
    """

    stdout: bytes
    stderr: bytes
    status: int
    cut: bool


def run_bounded(argv: Sequence[str], *, cwd: Path, time_limit_s: float) -> Finished:
    """Runs `argv`, an absolute program first, in folder `cwd`.

    It gets no shell, nothing on standard input and a small fixed environment. Its process group is killed at
    `time_limit_s`, which raises TimeLimitError, and as soon as one of its outputs is longer than
    READ_LIMIT_BYTES. Raises OSError if the program can't be started.
    """
    process = subprocess.Popen(
        [Path(argv[0]).name, *argv[1:]],  # its bare name is what a program puts before its complaints
        executable=argv[0],
        cwd=cwd,
        env=dict(ENVIRONMENT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + time_limit_s
    try:
        stdout, stderr, cut = _read(process, deadline)
        if not cut:
            process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeLimitError from error
    finally:
        status = _end(process)
    return Finished(stdout, stderr, status, cut)


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


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes, bool]:
    """Both outputs until they end or one is over the bound; the last value says which."""
    assert process.stdout is not None  # noqa: S101 - Popen was given PIPE for both
    assert process.stderr is not None  # noqa: S101 - as above
    outputs = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    cut = False
    with selectors.DefaultSelector() as selector:
        for number in outputs:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map() and not cut:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready or time.monotonic() > deadline:
                raise TimeLimitError
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK_BYTES)
                outputs[key.fd] += chunk
                cut = cut or len(outputs[key.fd]) > READ_LIMIT_BYTES
                if not chunk:
                    selector.unregister(key.fd)
    stdout, stderr = (bytes(output[:READ_LIMIT_BYTES]) for output in outputs.values())
    return stdout, stderr, cut
