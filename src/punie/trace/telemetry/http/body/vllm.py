"""`metrics` of vLLM: durations with `--enable-per-request-metrics`, drafts with `--per-request-spec-decode-metrics`.

The time to first token is counted from when the request was scheduled, so it is prefill without waiting. Of the drafts
the two counts are read, from which the rate follows that stands beside them. Known from vLLM's documentation
(https://docs.vllm.ai, "Per-Request Metrics" and "Per-Request Acceptance Metrics"), not from a server that ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from punie.trace.telemetry.http.body.timings import (
    BodyTimings,
    count,
    from_ms,
    mapping,
    with_durations,
)


@dataclass(frozen=True, slots=True)
class Vllm:
    """A whole body, or the last event of a stream, whose usage has the tokens."""

    marker: bytes

    def read(self, document: Mapping[str, object]) -> BodyTimings | None:
        """The timings of one answer; None for several answers to one request, which have none."""
        metrics, usage = mapping(document.get("metrics")), mapping(document.get("usage"))
        drafts = mapping(metrics.get("speculative_decoding"))
        timings = BodyTimings(
            source="vllm",
            queue_ns=from_ms(metrics.get("queue_time_ms")) or 0,
            prompt_tokens=count(usage.get("prompt_tokens")),
            cached_tokens=count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
            output_tokens=count(usage.get("completion_tokens")),
            drafted_tokens=count(drafts.get("num_draft_tokens")),
            accepted_tokens=count(drafts.get("num_accepted_draft_tokens")),
        )
        prefill_ns = from_ms(metrics.get("time_to_first_token_ms"))
        return with_durations(timings, prefill_ns, from_ms(metrics.get("generation_time_ms")))
