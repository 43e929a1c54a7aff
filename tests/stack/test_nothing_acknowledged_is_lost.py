"""Jaeger is away and the Collector is killed: what was acknowledged arrives all the same, and shows once."""

from __future__ import annotations

from pathlib import Path

from punie.trace.telemetry.shipping.shipper import ship
from punie.trace.telemetry.shipping.targets import flag_target
from stack import ShippedRun, Stack, start_stack, wait_for_spans


def _send(run: ShippedRun, stack: Stack) -> None:
    """All spans of the run, each acknowledged by the Collector."""
    (delivery,) = ship(run.folder / "spans", [flag_target(stack.otlp_http)])
    assert (delivery.accepted, delivery.errors) == (len(run.spans), ())


def _shown_once(run: ShippedRun, stack: Stack) -> None:
    traces = wait_for_spans(stack, len(run.spans))
    assert sorted(span["spanId"] for spans in traces.values() for span in spans) == sorted(
        span.span_id for span in run.spans
    )


def test_spans_survive_jaeger_away_and_a_killed_collector_and_show_once(
    shipped_run: ShippedRun, tmp_path: Path
) -> None:
    with start_stack(tmp_path) as stack:
        stack.jaeger.stop()
        _send(shipped_run, stack)
        stack.collector.kill()
        stack.collector.start()  # Jaeger is still away: what was queued waits and is tried again
        stack.jaeger.start()
        _shown_once(shipped_run, stack)

        _send(shipped_run, stack)  # at least once means that this can happen
        stack.collector.kill()
        stack.jaeger.kill()
        stack.jaeger.start()
        stack.collector.start()
        _shown_once(shipped_run, stack)
