"""The conventions' own registry, name by name: read or known as content; and how our spans follow it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.schemas import Schemas

from punie.trace import semconv
from punie.trace.analysis.foreign.agents import with_conventions
from punie.trace.analysis.trees.roles import Role, role_of
from punie.trace.model import Span
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


# What the conventions renamed or added when they moved to a repository of their own, a row each: old name, new name.
RENAMED = (
    ("gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.inference.time_to_first_chunk"),
    ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"),
)
METRICS = (  # of metrics, which nobody here reads: a name of a span's attribute they are not
    "gen_ai.client.operation.duration",
    "gen_ai.client.inference.duration",
    "gen_ai.client.token.usage",
    "gen_ai.client.inference.usage.input_tokens",
)
HELD_BACK = ("gen_ai.skill.definitions", "gen_ai.prompt.variable.city", "gen_ai.caller.agent.name")


@pytest.mark.parametrize(("old", "new"), RENAMED)
def test_the_old_and_the_new_name_are_read_in_one_precedence(old: str, new: str) -> None:
    (names,) = (
        names for names in vars(semconv).values() if isinstance(names, tuple) and {old, new} <= {*names}
    )
    by_both = semconv.TABLE.type_of(old), semconv.TABLE.type_of(new)
    assert by_both[0] == by_both[1] is not None
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_no_attribute(name: str) -> None:
    assert semconv.TABLE.type_of(name) is None


@pytest.mark.parametrize("name", HELD_BACK)
def test_what_may_be_content_stays_here(name: str) -> None:
    found = semconv.TABLE.type_of(name)
    assert found is None or not found.travels


@pytest.mark.parametrize(
    ("operation", "role"),
    [
        ("invoke_agent", Role.AGENT),
        ("invoke_workflow", Role.WORKFLOW),  # an internal invoke_agent now
        ("plan", Role.OTHER),  # what a model does for it is a span of its own, below
        ("execute_tool", Role.TOOL),
        ("retrieval", Role.OTHER),
    ],
)
def test_an_operation_is_known_by_its_old_and_its_new_name(operation: str, role: Role) -> None:
    span = Span("1" * 32, "2" * 16, None, "x", 1, 2, attributes={"gen_ai.operation.name": operation})
    (translated,) = with_conventions([span])
    assert role_of(translated) is role
