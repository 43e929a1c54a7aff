"""`stats` of LM Studio's own interfaces, in seconds: `/api/v0/chat/completions` and `/api/v1/chat`.

`time_to_first_token` counts as prefill, and with it whatever the server did before (it reports no waiting by itself).
The second interface gives a rate in place of the decoding time. Its OpenAI-compatible interface (`/v1`) reports
neither. Known from LM Studio's documentation (https://lmstudio.ai/docs/developer/rest), not from a server that ran.
"""

from __future__ import annotations

from collections.abc import Mapping

from punie.trace.telemetry.http.body.timings import BodyTimings, count, from_s, mapping

SOURCE = "lm-studio"


class LmStudio:
    """Both interfaces: their names differ, and no body has both."""

    marker = b'"time_to_first_token'

    def read(self, document: Mapping[str, object]) -> BodyTimings | None:
        """The durations of one answer: a body, or the event that ends a stream (`result` in it)."""
        whole = mapping(document.get("result")) or document
        stats = mapping(whole.get("stats"))
        return _chat_completion(stats, mapping(whole.get("usage"))) or _chat(stats)


def _chat_completion(stats: Mapping[str, object], usage: Mapping[str, object]) -> BodyTimings | None:
    prefill_ns, decode_ns = from_s(stats.get("time_to_first_token")), from_s(stats.get("generation_time"))
    if prefill_ns is None or decode_ns is None:
        return None
    return BodyTimings(
        source=SOURCE,
        prefill_ns=prefill_ns,
        decode_ns=decode_ns,
        prompt_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        drafted_tokens=count(stats.get("total_draft_tokens_count")),
        accepted_tokens=count(stats.get("accepted_draft_tokens_count")),
    )


def _chat(stats: Mapping[str, object]) -> BodyTimings | None:
    prefill_ns = from_s(stats.get("time_to_first_token_seconds"))
    output, rate = count(stats.get("total_output_tokens")), stats.get("tokens_per_second")
    if prefill_ns is None or output is None or not isinstance(rate, int | float) or not rate > 0:
        return None
    decode_ns = from_s(output / rate)
    if decode_ns is None:
        return None
    return BodyTimings(
        source=SOURCE,
        prefill_ns=prefill_ns,
        decode_ns=decode_ns,
        load_ns=from_s(stats.get("model_load_time_seconds")) or 0,
        prompt_tokens=count(stats.get("input_tokens")),
        output_tokens=output,
    )
