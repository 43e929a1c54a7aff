"""What an answer must not wait for is done beside it, in a thread of its own.

Between two tokens the processor's caches are full of the model: there a span takes 100 µs to make, and to wake a thread
for it 25. So noting something wakes no thread; the thread looks ten times a second, and when an answer is out.

The thread that computes answers shares one interpreter with it, so a job is asked to stop soon: it gets a limited time,
lets others go first each time that it asks whether to go on, and gets no more time once the server ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

_logger: Final = logging.getLogger(__name__)

PATIENCE_NS: Final = 50_000_000
"""How long a job may take. A process that is killed meanwhile loses what the job would have written."""

LOOK_S: Final = 0.1
"""How long what was noted may wait while no job takes its time. A process that is killed meanwhile loses it."""

GoOn = Callable[[], bool]
"""Whether there is time for more; to be asked between small steps."""

Job = Callable[[GoOn], None]
Submit = Callable[[Job], None]


class BackgroundWriter:
    """Runs jobs one after the other, in the order in which they came; `on_error` gets the reason why one failed."""

    def __init__(self, on_error: Callable[[str], None], patience_ns: int = PATIENCE_NS) -> None:
        self._on_error = on_error
        self._patience_ns = patience_ns
        self._hurried = False
        self._jobs: deque[Job] = deque()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._run, name="span-writer", daemon=True).start()

    def note(self, job: Job) -> None:
        """Run it within `LOOK_S`, behind jobs that take their time. Costs the caller next to nothing."""
        self._jobs.append(job)

    def submit(self, job: Job) -> None:
        """As `note`, at once."""
        self._jobs.append(job)
        self._wakes.put(None)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything that came so far is done, as soon as may be; False if that takes longer."""
        self._hurried = True
        done = threading.Event()
        self.submit(lambda _: done.set())
        return done.wait(timeout_s)

    def _run(self) -> None:
        while True:
            with suppress(Empty):
                self._wakes.get(timeout=LOOK_S)
            while self._jobs:
                self._run_job(self._jobs.popleft())

    def _run_job(self, job: Job) -> None:
        try:
            job(partial(self._go_on, time.monotonic_ns() + self._patience_ns))
        except Exception as error:
            _logger.exception("in the writer of the server's spans")
            self._on_error(f"a span of the server is lost: {type(error).__name__}: {error}")

    def _go_on(self, until_ns: int) -> bool:
        time.sleep(0)  # gives the interpreter to whoever waits for it, which else takes 5 ms
        return not self._hurried and time.monotonic_ns() < until_ns
