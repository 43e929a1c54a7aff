"""The registry of formats in which servers report durations or drafts: a new one is a file and a line here."""

from __future__ import annotations

import json
from typing import Final

from punie.trace.telemetry.http.body.llama_cpp import LlamaCpp
from punie.trace.telemetry.http.body.lm_studio import LmStudio
from punie.trace.telemetry.http.body.mlx_vlm import MlxVlm
from punie.trace.telemetry.http.body.ollama import Ollama
from punie.trace.telemetry.http.body.timings import BodyFormat, BodyTimings
from punie.trace.telemetry.http.body.vllm import Vllm

FORMATS: Final[tuple[BodyFormat, ...]] = (
    MlxVlm(),
    LlamaCpp(),
    Ollama(),
    LmStudio(),
    Vllm(b'"generation_time_ms"'),
    Vllm(b'"num_draft_tokens"'),
)

_MARKERS: Final = tuple(dict.fromkeys(format_.marker for format_ in FORMATS))


def read_timings(body: bytes) -> BodyTimings | None:
    """The timings in a JSON body or in one event of a stream; None if it reports none that is known here."""
    for marker in _MARKERS:
        if marker in body:
            break
    else:  # nearly every event of a stream, on the path of every token
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # not ours to judge: the caller gets the same bytes
        return None
    if not isinstance(document, dict):
        return None
    formats = (format_ for format_ in FORMATS if format_.marker in body)
    return next((timings for one in formats if (timings := one.read(document)) is not None), None)
