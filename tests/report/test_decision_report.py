"""A decision in every format."""

from __future__ import annotations

import json

import jsonschema
from records import build_record
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from punie.trace.analysis.decision.decision import decide
from punie.trace.analysis.summary.summary import analyse
from punie.trace.model import Phase
from punie.trace.report.builders.decision import build_decision
from punie.trace.report.content import DecisionReport
from punie.trace.report.formats import JSON, MARKDOWN, TEXT
from punie.trace.report.published.schemas import schema_path


def _report() -> DecisionReport:
    records = [
        build_record(f"q{query}", {Phase.DECODE: 800 + query, Phase.TOOL: 90}, repeat=repeat, start_ns=repeat)
        for query in range(5)
        for repeat in range(3)
    ]
    return DecisionReport("runs/a", None, decide(analyse(records, target_ns=10**8)), ("A note.",))


def test_the_text_is_as_it_was(snapshot: SnapshotAssertion) -> None:
    shown = TEXT.write(build_decision(_report()))
    assert [line for line in shown.splitlines() if cell_len(line) > 80] == []
    assert shown == snapshot


def test_the_markdown_is_as_it_was(snapshot: SnapshotAssertion) -> None:
    assert MARKDOWN.write(build_decision(_report())) == snapshot


def test_the_json_holds_to_its_schema() -> None:
    schema = json.loads(schema_path("decision").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(JSON.write(build_decision(_report())))
    jsonschema.validate(found, schema)
    assert [step["name"] for step in found["steps"]] == ["time", "draft", "target", "brevity"]
