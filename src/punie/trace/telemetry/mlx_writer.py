"""Spans are made beside the requests, in a thread of their own.

To make, encode and write a span takes 75 µs and more, several for each request. In the generation thread that
would be added to every answer; here it happens while the model computes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

_logger: Final = logging.getLogger(__name__)

Job = Callable[[], None]
Submit = Callable[[Job], None]


class BackgroundWriter:
    """Runs jobs one after the other, in the order in which they were submitted."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        threading.Thread(target=self._run, name="span-writer", daemon=True).start()

    def submit(self, job: Job) -> None:
        """Returns at once; an error in `job` is logged."""
        self._jobs.put(job)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything submitted so far is done; False if that takes longer."""
        done = threading.Event()
        self.submit(done.set)
        return done.wait(timeout_s)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except Exception:
                _logger.exception("a span of the server is lost")
