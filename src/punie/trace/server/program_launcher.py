"""The program that runs any model server: ends with its parent, and takes all that the server started with it.

    python -m punie.trace.server.program_launcher PROGRAM ARGUMENTS…

As in `launcher`, standard input is a pipe whose other end the parent holds. We lead a process group, which the server
and what it starts are in; what leaves it (a daemon) is known by a variable of its environment. At the end, however it
comes, SIGTERM goes to all of them, and SIGKILL to what is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, NoReturn
from uuid import uuid4

from punie.trace.server.launcher import end_on_signals, exit_code, watch_parent

GRACE_S: Final = 4.0
_WATCHDOG_S: Final = 2 * GRACE_S  # when the parent is gone: time for the server's own end, then for ours
_POLL_S: Final = 0.02
_MARK: Final = "PUNIE_STARTED_BY"
_OURS: Final = uuid4().hex  # no process number: a launcher in a container of this machine may have the same


def run_program(command: Sequence[str]) -> None:
    """Run it to its end, or until a signal raises SystemExit. Raises SystemExit with its exit code."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=os.environ | {_MARK: _OURS})
    try:
        code = server.wait()
    finally:
        end_group(server)
    if code < 0:  # as a shell reports that a signal ended it
        raise SystemExit(128 - code)
    raise SystemExit(code)


def end_group(server: subprocess.Popen[bytes]) -> None:
    """End every process of our group but us, and what left it: SIGTERM, `GRACE_S` seconds, SIGKILL."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever ends us has no other wish
    send(signal.SIGTERM)
    end = time.monotonic() + GRACE_S
    while time.monotonic() < end and (server.poll() is None or any(others())):
        time.sleep(_POLL_S)
    send(signal.SIGKILL)
    server.wait()


def send(number: signal.Signals) -> None:
    """To all that the server is and started, as far as we may."""
    for pid in others():
        with suppress(ProcessLookupError, PermissionError):  # it ended meanwhile, or is another user's (sudo)
            os.kill(pid, number)


def others() -> Iterator[int]:
    """The live processes of our group but us, and those that the server started outside of it."""
    import psutil  # loaded while the server runs, not before it

    ours, group = os.getpid(), os.getpgrp()
    for process in psutil.process_iter(["status"]):
        try:
            is_ours = os.getpgid(process.pid) == group or process.environ().get(_MARK) == _OURS
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
        if is_ours and process.pid != ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            yield process.pid


def main(command: Sequence[str]) -> NoReturn:
    """Run `command`; never returns."""
    end_on_signals()
    watch_parent(_WATCHDOG_S)
    code = exit_code(lambda: run_program(command))
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
