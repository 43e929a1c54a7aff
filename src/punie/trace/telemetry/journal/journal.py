"""The journal: every ended span is handed to the operating system, whole, before `span.end()` returns.

One file a process, one span a line (OTLP/JSON). A `write` survives `kill -9` of this process but not a power
cut; `sync` is for that, and `sync_soon` in a thread beside the agent. Trouble with the disk is counted and said,
and never raised into the agent.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import stat
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punie.trace import semconv
from punie.trace.errors import ExportError
from punie.trace.open_flags import CLOSE_ON_EXEC, NO_LINK, after_fork_in_child
from punie.trace.telemetry.journal.file_state import FileState, is_torn, left_in
from punie.trace.telemetry.journal.held_lines import HeldLines
from punie.trace.telemetry.journal.syncer import Syncer
from punie.trace.units import count_text

_logger: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """The outcome of the spans so far.

    `written` lines are whole and in the file; `lost` are spans that could not be written, or that somebody took out of
    the file again. `unsynced` counts the syncs that failed: what they were for may not outlast a power cut.
    `last_error` is the newest reason for any of these, empty if there was none. `held` lines are in memory, until the
    disk takes them.
    """

    written: int
    lost: int
    unsynced: int
    last_error: str
    held: int = 0


class Journal:
    """An append-only file of whole lines, `DIRECTORY/SERVICE-PID.jsonl`.

    Safe with threads, and with `fork`: a child writes to a file of its own. The file is made by `open`, or with the
    first line.
    """

    def __init__(self, directory: Path | str, service_name: str) -> None:
        self._directory = Path(directory)
        with suppress(
            OSError
        ):  # the working directory may be gone; else it may change before the file is made
            self._directory = self._directory.absolute()
        self._service_name = service_name
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._sync_lock = threading.RLock()  # taken before the other one, and alone while the disk works
        self._syncer: Syncer | None = None
        self._fd: int | None = None
        self._torn = False
        self._left = FileState()
        self._closed = False
        self._written = 0
        self._lost = 0
        self._unsynced = 0
        self._last_error = ""
        self._held = HeldLines()
        _journals.add(self)

    def open(self) -> None:
        """Make the directory and the file now. Raises `ExportError` if that can't be done."""
        with self._lock:
            try:
                self._fd = self._open() if self._fd is None else self._fd
            except OSError as error:
                raise ExportError(
                    f"{self.path}: the span journal can't be written: {error.strerror or error}",
                    remedy="choose a directory that you may write to",
                ) from error

    @property
    def path(self) -> Path:
        """The file of this process."""
        return self._directory / f"{self._service_name}-{self._pid}.jsonl"

    @property
    def closed(self) -> bool:
        """Whether `close` was called: nothing is written any more."""
        return self._closed

    @property
    def status(self) -> JournalStatus:
        """Lines written and spans lost by this process so far."""
        with self._lock:
            return JournalStatus(self._written, self._lost, self._unsynced, self._last_error, len(self._held))

    def write_line(self, line: bytes) -> bool:
        """Append one whole line, newline included.

        False if it could not be written: then it is held in memory until it can be, and lost if the journal ends first.
        """
        with self._lock:
            try:
                self._write_held()
                self._append(line)
            except OSError as error:
                reason = f"{self.path}: {error.strerror or error}"
                if self._closed or not self._held.hold(self._directory, line):
                    self._count_loss(reason)
                elif len(self._held) == 1:
                    _logger.warning("spans are held in memory: %s", reason)
                self._last_error = reason
                return False
            self._written += 1
            return True

    def count_loss(self, reason: str) -> None:
        """A span that never became a line; `reason` is said in the log and in `status`."""
        with self._lock:
            self._count_loss(reason)

    def sync(self) -> None:
        """Make the lines outlast a power cut (`fsync`); a failure is counted and logged, not raised.

        Lines are written meanwhile: only `close` waits.
        """
        with self._sync_lock:
            fd = self._fd
            if fd is None:
                return
            try:
                os.fsync(fd)
            except OSError as error:
                with self._lock:
                    self._unsynced += 1
                    self._log(f"{self.path}: fsync: {error.strerror or error}")

    def sync_soon(self) -> None:
        """As `sync`, in a thread of its own: returns at once. `close`, or the interpreter's end, waits for it."""
        with self._lock:
            if self._closed:
                return
            try:
                self._syncer = self._syncer or Syncer(self.sync)
            except RuntimeError:  # the interpreter ends and starts no more threads
                self.sync()
            else:
                self._syncer.request()

    def close(self) -> None:
        """Sync and close; spans that end later are counted as lost. Closing twice is harmless."""
        self.settle()
        with self._lock:
            self._closed = True
        with self._sync_lock, self._lock:
            self.sync()
            self._look_at_file()
            if self._fd is not None:
                os.close(self._fd)
            self._fd = None

    def settle(self) -> None:
        """Write what is held, or count it as lost, and wait for the syncs that were asked for."""
        with self._lock:
            self._end_held()
            syncer, self._syncer = self._syncer, None
        if syncer is not None:
            syncer.stop()  # not under the lock: a failing sync needs it

    def after_fork_in_child(self) -> None:
        """Leave the parent's file, thread and locks (another thread may have held them) and start an own file."""
        self._lock = threading.RLock()
        self._sync_lock = threading.RLock()
        self._syncer = None
        inherited, self._fd = self._fd, None
        if inherited is not None:
            os.close(inherited)
        self._pid = os.getpid()
        self._torn = False
        self._left = FileState()
        self._held = HeldLines()  # the parent writes them
        self._written = self._lost = self._unsynced = 0
        self._last_error = ""

    def _write_held(self) -> None:
        if self._held:
            self._written += self._held.write(self._append)
        if self._held:
            raise OSError(errno.ENOSPC, self._last_error.removeprefix(f"{self.path}: "))

    def _end_held(self) -> None:
        with suppress(OSError):
            self._write_held()
        if self._held:
            self._lost += len(self._held)
            _logger.error("%s %d lines: %s", semconv.LOG_SPANS_LOST, len(self._held), self._last_error)
            self._held = HeldLines()

    def _append(self, line: bytes) -> None:
        if self._closed:
            raise OSError("the journal is closed")
        self._look_at_file()
        if self._fd is None:
            self._fd = self._open()
        pending = memoryview(b"\n" + line if self._torn else line)
        whole = len(pending)
        try:
            while pending:  # one write, unless the disk or a signal cuts it short
                pending = pending[os.write(self._fd, pending) :]
        except OSError:
            self._torn = self._torn or len(pending) < whole
            raise
        self._torn = False
        self._left = FileState(self._left.size + whole, self._left.lines + 1)

    def _look_at_file(self) -> None:
        """Whether the file is still as this process left it; if it was removed the next line makes a new one."""
        if self._fd is None:
            return
        status = os.fstat(self._fd)
        if status.st_nlink == 0:
            self._count_gone(self._left.lines, "was removed")
            os.close(self._fd)
            self._fd = None
        elif stat.S_ISREG(status.st_mode) and status.st_size < self._left.size:
            left = left_in(self._fd)
            self._count_gone(self._left.lines - left.lines, "was cut")
            self._left, self._torn = left, is_torn(self._fd, left.size)

    def _count_gone(self, lines: int, why: str) -> None:
        gone = min(lines, self._written)
        self._written -= gone
        self._lost += gone
        self._log(f"{self.path} {why} while it was written: {count_text(gone, 'line')} of it are gone")

    def _open(self) -> int:
        self._directory.mkdir(parents=True, exist_ok=True)
        # Prompts and answers are in it, so it is for its owner alone.
        # A link of that name would lead to another file, which isn't ours to write to.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | CLOSE_ON_EXEC | NO_LINK
        fd = os.open(self.path, flags, 0o600)
        self._left = left_in(fd)
        self._torn = is_torn(fd, self._left.size)
        return fd

    def _count_loss(self, reason: str) -> None:
        self._lost += 1
        self._log(reason)

    def _log(self, reason: str) -> None:
        if reason != self._last_error:
            _logger.error("%s %s", semconv.LOG_SPANS_LOST, reason)
        self._last_error = reason


_journals: Final[weakref.WeakSet[Journal]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for journal in list(_journals):
        journal.after_fork_in_child()


def _settle_all() -> None:
    for journal in list(_journals):
        journal.settle()


atexit.register(_settle_all)
after_fork_in_child(_after_fork_in_child)
