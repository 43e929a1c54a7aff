"""The conventions' own registry, name by name: read or known as content; and how our spans follow it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.schemas import Schemas

from punie.trace import semconv
from punie.trace.telemetry.provider import configure
from punie.trace.telemetry.query import QueryLabels, query_span

# What hands on is content by the conventions, or may be: each of these is held back.
CONTENT = frozenset(
    {
        "gen_ai.agent.description",
        "gen_ai.completion",
        "gen_ai.evaluation.explanation",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.prompt",
        "gen_ai.request.stop_sequences",
        "gen_ai.retrieval.documents",
        "gen_ai.retrieval.query.text",
        "gen_ai.system_instructions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.definitions",
        "gen_ai.tool.description",
    }
)
# Renamed or added in the repository of the GenAI conventions after the release that the registry here is of.
NEWER = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.request.reasoning.level",
    "gen_ai.request.stream",
    "gen_ai.conversation.compacted",
    "gen_ai.prompt.version",
    "gen_ai.skill.name",
    "gen_ai.skill.definitions",
)


def registry() -> Iterator[str]:
    for constant, name in sorted(vars(gen_ai_attributes).items()):
        if constant.startswith("GEN_AI_"):
            yield name


@pytest.mark.parametrize("name", [*registry(), *NEWER])
def test_a_name_of_the_registry_has_a_type(name: str) -> None:
    assert semconv.TABLE.type_of(name) is not None


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_what_is_content_by_the_conventions_is_content_here(name: str) -> None:
    assert name in registry()
    assert name in set(semconv.TABLE.content())


def test_a_score_is_an_evaluation_event_at_the_answer_and_the_scope_has_a_schema(tmp_path: Path) -> None:
    telemetry = configure(tmp_path)
    with query_span(telemetry, QueryLabels(run_id="r", query_id="q", text="?")) as query:
        query.answered(telemetry.clock(), "an answer")
        query.scored(ok=False, failures=["no-tool"])
    telemetry.shutdown()
    (line,) = next(tmp_path.glob("*.jsonl")).read_text().splitlines()
    (scope,) = msgspec.json.decode(line)["resourceSpans"][0]["scopeSpans"]
    assert scope["schemaUrl"] == semconv.SCHEMA_URL == Schemas.V1_44_0.value
    (span,) = scope["spans"]
    (event,) = span["events"]
    assert event["name"] == "gen_ai.evaluation.result"
    assert event["timeUnixNano"] == span["endTimeUnixNano"]
    assert {item["key"]: next(iter(item["value"].values())) for item in event["attributes"]} == {
        "gen_ai.evaluation.name": "punie.strict",
        "gen_ai.evaluation.score.value": 0.0,
        "gen_ai.evaluation.score.label": "fail",
    }
