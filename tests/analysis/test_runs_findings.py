"""Several runs in one source are named, and what differs; token counts of one request are held against each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.pipeline import read_queries
from punie.trace.errors import InputError
from punie.trace.model import Attributes, Span, SpanKind, SpanSet
from punie.trace.usecases.load import load_source

CHAT = {semconv.OPERATION: "chat", "gen_ai.request.model": "m"}


def run(name: str, number: int, *, model: str = "m", cache: str = "off") -> list[Span]:
    """One query of a run, answered by a traced server."""
    trace = f"{number:032x}"
    asked: Attributes = {semconv.RUN_ID: name, semconv.QUERY_ID: "q", semconv.QUERY_CACHE: cache}
    served: Attributes = {semconv.OPERATION: "chat", "gen_ai.response.model": model}
    return [
        Span(trace, "query", None, "query", 1000 * number, 1000 * number + 900, attributes=asked),
        Span(trace, "chat", "query", "chat", 1000 * number + 10, 1000 * number + 800, attributes=CHAT),
        Span(
            trace,
            "served",
            "chat",
            "served",
            1000 * number + 20,
            1000 * number + 700,
            SpanKind.SERVER,
            served,
        ),
    ]


def found(spans: list[Span]) -> dict[str, IntegrityFinding]:
    return {one.slug: one for one in read_queries(SpanSet(tuple(spans))).findings}


def test_one_run_is_no_finding() -> None:
    assert not {"several-runs", "mixed-runs"} & found([*run("a", 1), *run("a", 2)]).keys()


def test_runs_that_were_made_alike_are_named() -> None:
    runs = found([*run("a", 1), *run("a", 2), *run("b", 3)])
    assert runs["several-runs"].effect is Effect.SHOWN
    assert runs["several-runs"].examples == ("a: 2 queries", "b: 1 query")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": "other"}, ("a: 1 query, model m", "b: 1 query, model other")),
        ({"cache": "server"}, ("a: 1 query, prompt cache off", "b: 1 query, prompt cache server")),
    ],
)
def test_runs_that_were_made_differently_give_no_verdict(more: dict[str, str], said: tuple[str, ...]) -> None:
    runs = found([*run("a", 1), *run("b", 2, **more)])["mixed-runs"]
    assert (runs.effect, runs.examples) == (Effect.NO_VERDICT, said)


def test_more_cached_tokens_than_prompt_are_said() -> None:
    counts = {"gen_ai.usage.input_tokens": 4, "gen_ai.usage.cache_read.input_tokens": 1000}
    query, chat, _ = run("a", 1)
    assert found([query, replace(chat, attributes=CHAT | counts)])["cached-above-prompt"].count == 1
    assert "cached-above-prompt" not in found([query, chat])


@pytest.mark.parametrize("arms", [("baseline",), ("baseline", "draft-k3")])
def test_arms_of_a_benchmark_are_never_put_into_one_ledger(tmp_path: Path, arms: tuple[str, ...]) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text("".join(_line(number, arm) for number, arm in enumerate(arms, 1)))
    if len(arms) == 1:
        assert len(load_source(str(file)).spans.spans) == 1
        return
    with pytest.raises(InputError, match=r"2 arms of a benchmark \(baseline, draft-k3\)"):
        load_source(str(file))


def _line(number: int, arm: str) -> str:
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "query",
        "startTimeUnixNano": "1764000000000000000",
        "endTimeUnixNano": "1764000001000000000",
        "attributes": [{"key": semconv.BENCH_ARM, "value": {"stringValue": arm}}],
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"
