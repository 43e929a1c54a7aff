"""The report of a benchmark in every format: one that decides, one that is corrupt, one of nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from msgspec import structs
from sample_reports import corrupt, decided, unbegun

from punie.trace.report.builders.speculative import build_speculative, with_roadmap
from punie.trace.report.content import BenchContent
from punie.trace.report.document import Document
from punie.trace.report.formats import JSON, TEXT
from punie.trace.report.page import Page
from punie.trace.report.published.schemas import schema_path


def _diary(report: BenchContent) -> Document:
    return with_roadmap(build_speculative(report), report)


REPORTS = (unbegun, decided, corrupt)


def test_the_schema_refuses_what_it_does_not_know() -> None:
    document = json.loads(JSON.write(build_speculative(decided()))) | {"new": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(schema_path("speculative").read_text()))


def test_the_roadmap_has_one_row() -> None:
    table = _diary(decided()).sections[-1].table
    assert table is not None
    ((_, question, *_),) = table.rows
    assert question == "does draft make target 20 % faster?"


def test_colour_is_only_there_when_asked_for() -> None:
    assert "\x1b[" in TEXT.write(build_speculative(decided()), Page(color=True))
    assert "\x1b[" not in TEXT.write(build_speculative(decided()))


def test_an_interval_is_never_rounded_onto_the_threshold() -> None:
    report = decided()
    best = report.analysis.best
    assert best is not None
    assert best.interval is not None
    below = replace(best, interval=structs.replace(best.interval, low=1.0, high=1.1999))
    shown = TEXT.write(build_speculative(replace(report, analysis=replace(report.analysis, best=below))))
    assert "1.1999" in shown
