"""JSON Schemas of what is published, made from its types: `python -m punie.trace.report.published.schemas` writes them.

They lie beside this file, in the package, for programs that read reports.
"""

from __future__ import annotations

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec

from punie.trace.report.published.base import Published
from punie.trace.report.published.comparison import ComparisonDocument
from punie.trace.report.published.decision import DecisionDocument
from punie.trace.report.published.experiment import ExperimentDocument, PlanDocument
from punie.trace.report.published.improvement import ImprovementDocument
from punie.trace.report.published.improvement_plan import ImprovementPlan
from punie.trace.report.published.parts import DatabaseDocument, PartsDocument
from punie.trace.report.published.preflight import PreflightDocument
from punie.trace.report.published.query import QueryDocument
from punie.trace.report.published.run import RunDocument, RunTotals
from punie.trace.report.published.speculative import SpeculativeDocument
from punie.trace.report.published.training import TrainingDocument

PUBLISHED: Final[dict[str, type[Published]]] = {
    "run": RunDocument,
    "comparison": ComparisonDocument,
    "speculative": SpeculativeDocument,
    "experiment": ExperimentDocument,
    "plan": PlanDocument,
    "preflight": PreflightDocument,
    "decision": DecisionDocument,
    "improvement": ImprovementDocument,
    "improvement_plan": ImprovementPlan,
    "parts": PartsDocument,
    "in_database": DatabaseDocument,
    "query": QueryDocument,
    "training": TrainingDocument,
}


def schema_path(name: str) -> Path:
    """Where the schema of `PUBLISHED[name]` lies."""
    return Path(__file__).with_name(f"{name}.schema.json")


def schema_text(kind: type[Published]) -> str:
    """The JSON Schema of `kind`: every key is always there, but for totals of nothing, and no other."""
    schema = msgspec.json.schema(kind)
    for name, definition in schema["$defs"].items():
        if "description" in definition:  # a docstring, which Python strips of its indentation from 3.13 on
            definition["description"] = cleandoc(definition["description"])
        required = definition.get("required")
        _close(definition)
        if name == RunTotals.__name__:
            definition["required"] = required
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**dialect, **schema}, indent=2, ensure_ascii=False) + "\n"


def _close(definition: dict[str, Any]) -> None:
    """What is written leaves out no key, not even one whose type has a default."""
    properties = definition.get("properties")
    if properties is not None:
        definition["required"] = [*properties]
        definition["additionalProperties"] = False
        for value in properties.values():
            value.pop("default", None)


def write_schemas() -> None:
    """Write every schema anew."""
    for name, kind in PUBLISHED.items():
        schema_path(name).write_text(schema_text(kind), encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
