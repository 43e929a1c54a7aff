"""Where durations without timestamps lie in a request.

    |------------------------- POST -------------------------|
      |- load -||- queue -||-- prefill --||------ decode ----|
                                                  last token ^

Decode ends when the last token was out, as far as the client knows: with the event with the reason why the answer
ended, or with the last byte. The others lie directly before it. So what the server doesn't report, waiting and
templating, is left before them, and the way of the last bytes counts as decode. What would begin before the
request did is cut off, and the span keeps what was reported, so that a reader can count the contradiction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opentelemetry.util.types import AttributeValue

from punie.trace import semconv
from punie.trace.model import Phase, Provenance
from punie.trace.telemetry.http.body.timings import BodyTimings
from punie.trace.telemetry.http.timed_phase import TimedPhase


def place(timings: BodyTimings, start_ns: int, end_ns: int) -> tuple[TimedPhase, ...]:
    """The phases of a request that began at `start_ns` and whose last token was out at `end_ns`.

    A phase that was reported has a span even if nothing of it fits in.
    """
    return tuple(reversed(list(_backwards(timings, start_ns, max(start_ns, end_ns)))))


def without_phase(timings: BodyTimings) -> Mapping[str, AttributeValue]:
    """What an answer reported that has no phase to stand on, for the request's span: drafts without durations."""
    return {} if timings.decode_ns else _without_none(_drafts(timings))


def _backwards(timings: BodyTimings, start_ns: int, end_ns: int) -> Iterator[TimedPhase]:
    reported: tuple[tuple[Phase, int, dict[str, AttributeValue | None]], ...] = (
        (Phase.DECODE, timings.decode_ns, _decode_attributes(timings)),
        (Phase.PREFILL, timings.prefill_ns, _prefill_attributes(timings)),
        (Phase.QUEUE, timings.queue_ns, {}),
        (Phase.SERVE, timings.load_ns, {}),
    )
    for phase, reported_ns, attributes in reported:
        if not reported_ns:
            continue
        began_ns = max(start_ns, end_ns - reported_ns)
        known = {semconv.BODY_SOURCE: timings.source, semconv.BODY_REPORTED_NS: reported_ns, **attributes}
        yield TimedPhase(phase, Provenance.BODY, began_ns, end_ns, _without_none(known))
        end_ns = began_ns


def _decode_attributes(timings: BodyTimings) -> dict[str, AttributeValue | None]:
    return {
        semconv.OUTPUT_TOKENS[0]: timings.output_tokens,
        **_drafts(timings),
    }


def _drafts(timings: BodyTimings) -> dict[str, AttributeValue | None]:
    return {
        semconv.SERVER_DRAFTED_TOKENS: timings.drafted_tokens,
        semconv.SERVER_ACCEPTED_TOKENS: timings.accepted_tokens,
    }


def _prefill_attributes(timings: BodyTimings) -> dict[str, AttributeValue | None]:
    return {
        semconv.INPUT_TOKENS[0]: timings.prompt_tokens,
        semconv.CACHED_TOKENS[0]: timings.cached_tokens,
    }


def _without_none(pairs: dict[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    return {name: value for name, value in pairs.items() if value is not None}
