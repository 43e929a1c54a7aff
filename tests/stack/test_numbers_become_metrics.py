"""What stands on spans becomes metrics: the real Prometheus has the sums and counts that the run's spans have."""

from __future__ import annotations

import time
from collections import Counter

import httpx
import pytest

from punie.trace import semconv
from punie.trace.model import Span, SpanKind
from stack import Json, ShippedRun, Stack, ask_prometheus

CALLS = "traces_span_metrics_calls_total"
BUCKETS = "traces_span_metrics_duration_milliseconds_bucket"


@pytest.fixture(scope="module")
def server_spans(stack: Stack, shipped_run: ShippedRun) -> list[Span]:
    """The spans of the model server, once Prometheus has counted every one of them."""
    spans = [
        span for span in shipped_run.spans if span.resource[semconv.SERVICE_NAME] == semconv.SERVICE_SERVER
    ]
    query = f'sum({CALLS}{{service_name="{semconv.SERVICE_SERVER}"}})'
    deadline = time.monotonic() + 40
    while _total(ask_prometheus(stack, query)) < len(spans):
        assert time.monotonic() < deadline, f"Prometheus has {ask_prometheus(stack, query)}"
        time.sleep(0.5)
    return spans


def _total(samples: list[Json]) -> float:
    return sum(float(sample["value"][1]) for sample in samples)


def test_each_phase_is_counted_and_timed(stack: Stack, server_spans: list[Span]) -> None:
    by_phase = (
        f'sum by (punie_phase) ({{__name__="{{}}",service_name="{semconv.SERVICE_SERVER}",punie_phase!=""}})'
    )
    counted = {
        sample["metric"]["punie_phase"]: int(sample["value"][1])
        for sample in ask_prometheus(stack, by_phase.replace("{}", CALLS))
    }
    assert counted == Counter(
        span.attributes[semconv.PHASE] for span in server_spans if semconv.PHASE in span.attributes
    )
    sums = {
        sample["metric"]["punie_phase"]: float(sample["value"][1])
        for sample in ask_prometheus(stack, by_phase.replace("{}", BUCKETS.replace("bucket", "sum")))
    }
    for phase, milliseconds in sums.items():
        spans = [span for span in server_spans if span.attributes.get(semconv.PHASE) == phase]
        assert milliseconds == pytest.approx(sum(span.duration_ns for span in spans) / 1e6)


@pytest.mark.parametrize(
    "name", [semconv.INPUT_TOKENS[0], semconv.OUTPUT_TOKENS[0], semconv.CACHED_TOKENS[0]]
)
def test_tokens_are_counted_once_a_request(stack: Stack, server_spans: list[Span], name: str) -> None:
    metric = f'{name.replace(".", "_")}_total{{service_name="{semconv.SERVICE_SERVER}"}}'
    requests = [span for span in server_spans if span.kind is SpanKind.SERVER]
    expected = sum(int(str(span.attributes[name])) for span in requests)
    assert _total(ask_prometheus(stack, f"sum({metric})")) == expected > 0


def test_an_exemplar_leads_to_a_trace_of_the_run(
    stack: Stack, shipped_run: ShippedRun, server_spans: list[Span]
) -> None:
    assert server_spans
    answer = httpx.get(
        f"{stack.prometheus_url}/api/v1/query_exemplars",
        params={
            "query": f'{BUCKETS}{{service_name="{semconv.SERVICE_SERVER}"}}',
            "start": shipped_run.started_s,
            "end": time.time(),
        },
        trust_env=False,
    )
    found = {
        exemplar["labels"]["trace_id"]
        for series in answer.raise_for_status().json()["data"]
        for exemplar in series["exemplars"]
    }
    assert found
    assert found <= {span.trace_id for span in shipped_run.spans}
