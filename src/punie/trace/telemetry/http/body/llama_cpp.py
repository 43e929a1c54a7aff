"""`timings` of llama.cpp's server: whole bodies, and the last event of a stream.

`prompt_ms` is the prompt's processing without what was cached (`cache_n`), `predicted_ms` runs from there to the
last token. Source: `tools/server/server-task.cpp` of llama.cpp; tested on answers recorded from the real server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from punie.trace.telemetry.http.body.timings import BodyTimings, count, from_ms, with_durations

MARKER: Final = b'"timings"'


class LlamaCpp:
    """Other servers that use the same names are read too."""

    marker = MARKER

    def read(self, document: Mapping[str, object]) -> BodyTimings | None:
        """The timings of one answer; None for a part of a stream that reports neither durations nor drafts."""
        timings = document.get("timings")
        return read_timings(timings, "llama.cpp") if isinstance(timings, Mapping) else None


def read_timings(timings: Mapping[str, object], source: str) -> BodyTimings | None:
    """The object under `timings`, of any server that uses llama.cpp's names."""
    read, cached = count(timings.get("prompt_n")), count(timings.get("cache_n"))
    body = BodyTimings(
        source=source,
        prompt_tokens=None if read is None else read + (cached or 0),
        cached_tokens=cached,
        output_tokens=count(timings.get("predicted_n")),
        drafted_tokens=count(timings.get("draft_n")),
        accepted_tokens=count(timings.get("draft_n_accepted")),
    )
    return with_durations(body, from_ms(timings.get("prompt_ms")), from_ms(timings.get("predicted_ms")))
