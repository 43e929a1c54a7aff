"""Notes when the events of a streamed answer arrive, and what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from punie.trace.telemetry.http.sse import SseComment, SseEvent, SseParser
from punie.trace.telemetry.http.stream.chunk import (
    NOTHING,
    ChunkContent,
    StreamUsage,
    begins_answer,
    read_chunk,
    read_usage,
)
from punie.trace.telemetry.http.stream.phases import StreamMarks

_DONE: Final = b"[DONE]"
# mlx_lm's `: keepalive 512/900`: tokens of the prompt that are read, and all of them.
_KEEPALIVE: Final = re.compile(rb"\s*keepalive\s+(\d{1,12})/(\d{1,12})\s*")
# Once the first token is out, an event that says this is not parsed, because the caller waits for us: it can only
# be more output, or nothing. (Inside a text the quotes would be escaped.)
_GOES_ON: Final = b'"finish_reason": null'
_GOES_ON_TIGHT: Final = b'"finish_reason":null'
_USAGE: Final = (b'"usage": {', b'"usage":{')

Watch = Callable[[bytes], object]
"""Called with the data of each event, for a further reader."""


class StreamReader:
    """Feed it the chunks with the times at which they arrived.

    `events` are those with data, without OpenAI's closing `[DONE]`, whose time is `done_ns`. All that one chunk
    carries has that chunk's time: where a caller is slower than the server, that is when the caller asked.
    """

    def __init__(self, headers_ns: int, watch: Watch | None = None) -> None:
        self.marks = StreamMarks(headers_ns)
        self.events = 0
        self.done_ns: int | None = None
        self.first_event_ns: int | None = None
        self._is_answer = False
        self._usage_events = 0
        self._last_usage = b""  # the event that reported it: some servers report in each what was used so far
        self._parser = SseParser()
        self._watch = watch

    @property
    def cut_short(self) -> bool:
        """An answer began, and neither the reason why it ended came nor `[DONE]`: its server died, or was cut off."""
        return self._is_answer and self.done_ns is None and self.marks.finish_ns is None

    @property
    def usage(self) -> StreamUsage | None:
        """The counts of the last event that has any, for the whole request.

        None where they can't be its: an event that carries counts brings a token or more. Each has its own then, and a
        client that adds them up is right.
        """
        try:
            last = read_usage(json.loads(self._last_usage)) if self._last_usage else None
        except (ValueError, RecursionError):  # as `_content`
            return None
        return None if last is None or last.output < self._usage_events // 2 else last

    def feed(self, chunk: bytes, now_ns: int) -> None:
        """The next piece of the body."""
        for item in self._parser.feed(chunk):
            if isinstance(item, SseComment):
                self._note_progress(item, now_ns)
            elif _DONE in item.data and item.data.strip() == _DONE:
                self.done_ns = now_ns
            else:
                self._note_event(item, now_ns)

    def _note_progress(self, comment: SseComment, now_ns: int) -> None:
        progress = _KEEPALIVE.fullmatch(comment.text)
        is_read = progress is not None and int(progress[1]) == int(progress[2]) > 0
        if is_read and self.marks.prompt_read_ns is None and self.marks.last_output_ns is None:
            self.marks.prompt_read_ns = now_ns

    def _note_event(self, event: SseEvent, now_ns: int) -> None:
        self.events += 1
        self._is_answer = self._is_answer or begins_answer(event.data)
        if self.first_event_ns is None:
            self.first_event_ns = now_ns
        if self._watch is not None:
            self._watch(event.data)
        if any(text in event.data for text in _USAGE):
            self._usage_events += 1
            self._last_usage = event.data
        marks = self.marks
        if marks.first_text_ns is not None and (_GOES_ON in event.data or _GOES_ON_TIGHT in event.data):
            marks.last_output_ns = now_ns
            return
        content = _content(event.data)
        if content.text and not content.call and marks.last_output_ns is None:
            marks.first_text_ns = now_ns
        if content.text or content.call:
            marks.last_output_ns = now_ns
        if content.finish:
            marks.finish_ns = now_ns


def _content(data: bytes) -> ChunkContent:
    try:
        return read_chunk(json.loads(data))
    except (ValueError, RecursionError):  # not ours to judge: the caller gets the same bytes
        return NOTHING
