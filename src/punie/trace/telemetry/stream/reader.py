"""Notes when the events of a streamed answer arrive, and what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from punie.trace.telemetry.sse import SseComment, SseEvent, SseParser
from punie.trace.telemetry.stream.chunk import NOTHING, read_chunk
from punie.trace.telemetry.stream.phases import StreamMarks

_DONE: Final = b"[DONE]"
# mlx_lm's `: keepalive 512/900`: tokens of the prompt that are read, and all of them.
_KEEPALIVE: Final = re.compile(rb"\s*keepalive\s+(\d{1,12})/(\d{1,12})\s*")

Watch = Callable[[bytes], object]
"""Called with the data of each event: someone else who reads it."""


class StreamReader:
    """Feed it the chunks with the times at which they arrived.

    `events` are those with data, without OpenAI's closing `[DONE]`, which sets `done`. All that one chunk
    carries has that chunk's time: where a caller is slower than the server, that is when the caller asked.
    """

    def __init__(self, headers_ns: int, watch: Watch | None = None) -> None:
        self.marks = StreamMarks(headers_ns)
        self.events = 0
        self.done = False
        self.first_event_ns: int | None = None
        self._parser = SseParser()
        self._watch = watch

    def feed(self, chunk: bytes, now_ns: int) -> None:
        """The next piece of the body."""
        for item in self._parser.feed(chunk):
            if isinstance(item, SseComment):
                self._note_progress(item, now_ns)
            elif item.data.strip() == _DONE:
                self.done = True
            else:
                self._note_event(item, now_ns)

    def _note_progress(self, comment: SseComment, now_ns: int) -> None:
        found = _KEEPALIVE.fullmatch(comment.text)
        is_read = found is not None and int(found[1]) == int(found[2]) > 0
        if is_read and self.marks.prompt_read_ns is None and self.marks.last_output_ns is None:
            self.marks.prompt_read_ns = now_ns

    def _note_event(self, event: SseEvent, now_ns: int) -> None:
        self.events += 1
        if self.first_event_ns is None:
            self.first_event_ns = now_ns
        if self._watch is not None:
            self._watch(event.data)
        try:
            said = read_chunk(json.loads(event.data))
        except (ValueError, RecursionError):  # not ours to judge: the caller gets the same bytes
            said = NOTHING
        marks = self.marks
        if said.text and marks.first_text_ns is None and marks.first_call_ns is None:
            marks.first_text_ns = now_ns
        if said.call and marks.first_call_ns is None:
            marks.first_call_ns = now_ns
        if said.text or said.call:
            marks.last_output_ns = now_ns
        if said.finish:
            marks.finish_ns = now_ns
