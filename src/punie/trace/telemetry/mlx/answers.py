"""What the generation thread answers, noted while it passes: `server.py` says how mlx_lm hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from queue import Queue
from typing import Final

from punie.trace.telemetry.mlx.attributes import ServingPath
from punie.trace.telemetry.mlx.careful import careful
from punie.trace.telemetry.mlx.contract import Foreign
from punie.trace.telemetry.mlx.recorder import Recorder
from punie.trace.telemetry.mlx.request import RequestTrace

_NO_TOKEN: Final = object()


@dataclass(slots=True)
class Batches:
    """How often the generation thread took a step with its batch, and when it last began one."""

    calls: int = 0
    call_ns: int = 0


class ResponseQueue:
    """The generation thread's end of the queue on which a request gets its answer."""

    def __init__(
        self,
        trace: RequestTrace,
        answers: Queue[Foreign],
        batches: Batches,
        recorder: Recorder,
        *,
        keep_tokens: bool,
    ) -> None:
        self.trace = trace
        self._answers = answers
        self._batches = batches
        self._recorder = recorder
        self._keep_tokens = keep_tokens
        self._context: Foreign = None
        self._accepted_ns = 0
        self._batch_calls_then = 0
        self._only_counting = False  # of a token that isn't the last there is nothing else to note any more

    def put(self, item: Foreign) -> None:
        """Note what it tells, then hand it on: the connection thread must not be ahead of the notes."""
        if self._only_counting and getattr(item, "finish_reason", _NO_TOKEN) is None:
            self.trace.another_token()
        else:
            with careful:
                self._note(item)
        self._answers.put(item)

    def _note(self, item: Foreign) -> None:
        if hasattr(item, "finish_reason"):
            self._note_token(item)
        elif isinstance(item, tuple):
            self._note_progress()
        elif isinstance(item, BaseException):
            self.trace.failed(item)
        elif item is not None:
            self._note_accepted(item)

    def _note_accepted(self, context: Foreign) -> None:
        self._context = context
        self._accepted_ns = self.trace.now()
        self._batch_calls_then = self._batches.calls
        self.trace.seen.prompt_tokens = len(context.prompt)
        if self._keep_tokens:
            self.trace.seen.prompt_ids = tuple(context.prompt)
            self.trace.seen.token_ids = []

    def _note_token(self, item: Foreign) -> None:
        self._note_cached_tokens()
        if self.trace.seen.token_ids is not None:
            self.trace.seen.token_ids.append(item.token)
        self.trace.token(item.finish_reason)
        if item.finish_reason is not None:
            self._recorder.work_ends(self.trace)
        self._only_counting = self.trace.seen.token_ids is None and self.trace.seen.cached_tokens is not None

    def _note_progress(self) -> None:
        self._note_cached_tokens()
        if self.trace.seen.path is not None:
            return
        began_ns = self._batches.call_ns
        if self._batches.calls - self._batch_calls_then > 1:  # no place in the batch until now
            self.trace.queued_since(self._accepted_ns)
            self.trace.taken(began_ns)
        self.trace.prefill_began(ServingPath.BATCH, began_ns)

    def _note_cached_tokens(self) -> None:
        # -1: not looked up yet
        if self.trace.seen.cached_tokens is None and self._context.prompt_cache_count >= 0:
            self.trace.seen.cached_tokens = self._context.prompt_cache_count
