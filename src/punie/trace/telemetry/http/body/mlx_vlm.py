"""`timings` of mlx-vlm's server: llama.cpp's names and `peak_memory`.

In a stream they come with the usage (`stream_options: {"include_usage": true}`); the events before carry only a
rate. Both durations are computed from rates there, so a few per cent of them may be missing or too much. Known
from the source of mlx-vlm 0.7.10 (`GenerationTimings` in `mlx_vlm/server/schemas.py`), not from a server that ran.
"""

from __future__ import annotations

from collections.abc import Mapping

from punie.trace.telemetry.http.body.llama_cpp import MARKER, read_timings
from punie.trace.telemetry.http.body.timings import BodyTimings


class MlxVlm:
    """Stands before llama.cpp's format, which its own is a superset of."""

    marker = MARKER

    def read(self, document: Mapping[str, object]) -> BodyTimings | None:
        """The timings of one answer; None for those of another server."""
        timings = document.get("timings")
        if not isinstance(timings, Mapping) or "peak_memory" not in timings:
            return None
        return read_timings(timings, "mlx-vlm")
