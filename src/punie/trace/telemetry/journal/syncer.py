"""The thread that makes a journal outlast a power cut, beside the agent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Syncer:
    """A thread that syncs when it is asked: putting a word in a queue is the least that a waiting user can pay."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._requests: SimpleQueue[Callable[[], object] | None] = SimpleQueue()  # None is the last
        self._sync = sync
        # A daemon: it waits for ever, and the interpreter waits for the others. `atexit` stops it.
        self._thread = threading.Thread(target=self._work, name="journal-sync", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Sync, after the ones that were asked for before."""
        self._requests.put(self._sync)

    def stop(self) -> None:
        """Return when all that was asked for is done."""
        self._requests.put(None)
        self._thread.join()

    def _work(self) -> None:
        while sync := self._requests.get():
            sync()
