"""One child process: its output goes to a file, it notices that we died, and it is gone when we stop it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

POLL_S: Final = 0.02
_REAP_S: Final = 10.0  # a killed process is gone in milliseconds, unless the kernel holds it


def private(path: str, flags: int) -> int:
    """An opener: a new file is this user's alone, for what servers print may quote prompts."""
    return os.open(path, flags, 0o600)


class Child:
    """A running program.

    Its standard input is a pipe that we hold and never write to: the program reads end-of-file when our process
    ends, however that happens. It gets a session of its own, so that Ctrl-C reaches it through us only.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(cls, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None) -> Self:
        """Start `command`, appending both outputs to `log`. Raises OSError if it can't be started."""
        with open(log, "ab", opener=private) as output:
            return cls(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=env,
                    start_new_session=True,
                )
            )

    @property
    def pid(self) -> int:
        """The process id, valid until the child has been stopped."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number if one killed it."""
        return self._process.poll()

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, `grace_s` for its own cleanup, then SIGKILL. May be called again, and be cancelled.

        Cancelled while it waits, it kills at once; in every case the process is gone when this ends.
        """
        try:
            self._process.terminate()
            async with asyncio.timeout(grace_s):
                while self.exit_code() is None:  # noqa: ASYNC110 - no event signals the end on each loop and system
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            pass  # it had its time: killed below
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL unless it has ended, for it and all that it started in its session, and reap it."""
        if self._process.poll() is None:  # not reaped yet: its id is still that of its group
            # macOS refuses a group whose members are dying
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait(_REAP_S)
        if self._process.stdin is not None:
            self._process.stdin.close()
