"""Durations of Ollama's own interface (`/api/chat`, `/api/generate`), in nanoseconds.

In a stream, JSON lines, they stand in the last line. Its OpenAI-compatible interface reports none. Known from
Ollama's documentation (https://docs.ollama.com/api/usage), not from a server that ran.
"""

from __future__ import annotations

from collections.abc import Mapping

from punie.trace.telemetry.http.body.timings import BodyTimings, count, from_ns


class Ollama:
    """`prompt_eval_duration` may be missing where the whole prompt was cached: then nothing was read."""

    marker = b'"eval_duration"'

    def read(self, document: Mapping[str, object]) -> BodyTimings | None:
        """The durations of one answer; None unless it says that it is the whole of it."""
        decode_ns = from_ns(document.get("eval_duration"))
        if document.get("done") is not True or decode_ns is None:
            return None
        return BodyTimings(
            source="ollama",
            prefill_ns=from_ns(document.get("prompt_eval_duration")) or 0,
            decode_ns=decode_ns,
            load_ns=from_ns(document.get("load_duration")) or 0,
            prompt_tokens=count(document.get("prompt_eval_count")),
            cached_tokens=count(document.get("prompt_eval_cached_count")),
            output_tokens=count(document.get("eval_count")),
        )
