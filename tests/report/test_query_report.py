"""One query in every format: drawn, quoted, harmless."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from drawn_reports import document, failed, query
from drawn_reports import one_query as shown
from rich.cells import cell_len
from small_traces import chat, span
from syrupy.assertion import SnapshotAssertion

from punie.trace import semconv
from punie.trace.analysis.transcript.transcript import ToolUse
from punie.trace.errors import InputError, UsageError
from punie.trace.model import Span
from punie.trace.report.builders.query import call_text
from punie.trace.report.formats import JSON, MARKDOWN, TEXT, by_name
from punie.trace.report.page import Page
from punie.trace.report.published.schemas import schema_path

OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def many() -> list[Span]:
    return [one for number in range(3) for one in query(number, 200 * number, name="" if number else "again")]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_as_wide_as_the_page(width: int, snapshot: SnapshotAssertion) -> None:
    text = TEXT.write(shown(query(0)), Page(width))
    assert [line for line in text.splitlines() if cell_len(line) > width] == []
    assert text == snapshot


def test_without_a_name_it_is_the_slowest_and_the_others_are_listed(snapshot: SnapshotAssertion) -> None:
    assert TEXT.write(shown(many())) == snapshot


@pytest.mark.parametrize("format_name", ["text", "md", "json"])
def test_what_failed_is_quoted_and_obeyed_by_nobody(format_name: str, snapshot: SnapshotAssertion) -> None:
    text = by_name(format_name).write(shown(failed()))
    assert OBEYED.search(text) is None
    if format_name != "json":
        assert text == snapshot


def test_json_is_as_its_schema_says() -> None:
    schema = json.loads(schema_path("query").read_text("utf-8"))
    found = json.loads(JSON.write(shown(query(0), full=True)))
    jsonschema.validate(found, schema)
    assert [row["name"] for row in found["rows"]][:3] == ["query", "run", "chat"]
    assert sum(piece["end_ns"] - piece["start_ns"] for piece in found["path"]) == found["query"]["wall_ns"]
    assert found["said"]["question"] == "What is query-0?"


def test_it_can_be_opened_in_a_profiler_alone() -> None:
    (line, *_) = by_name("folded").write(shown(many(), "query-2")).splitlines()
    assert line.partition(";")[0].startswith("query-2")


def test_long_texts_are_cut_unless_all_is_wanted() -> None:
    text = "\n".join(f"line {number}" for number in range(40))
    spans = (span("query", None, 0, 9, {semconv.QUERY_ID: "q", semconv.QUERY_ANSWER: text}),)
    cut = TEXT.write(shown(spans))
    assert ("line 9\n" in cut, "line 10\n" in cut, "… 30 more lines" in cut) == (True, False, True)
    whole = TEXT.write(shown(spans, full=True))
    assert "line 39\n" in whole
    assert "more line" not in whole


def test_a_fence_is_ended_by_nothing_that_was_said() -> None:
    said = {semconv.QUERY_ID: "q", semconv.QUERY_ANSWER: "```\n# heading\n````"}
    text = MARKDOWN.write(shown((span("query", None, 0, 9, said),)))
    assert "`````text\n```\n# heading\n````\n`````" in text


def test_spans_without_content_say_so() -> None:
    text = TEXT.write(shown((span("query", None, 0, 9, {semconv.QUERY_ID: "q"}), chat("c", "query", 1, 8))))
    assert "These spans hold no content" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("query-1", "query-1"), ("query-1#0.0", "query-1"), (f"{2:032x}", "query-1"), (None, "again")],
)
def test_a_query_is_named_as_reports_name_it(name: str | None, expected: str) -> None:
    assert shown(many(), name).headline.partition(":")[0] == expected


def test_an_unknown_name_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"no query is called 'qery-1'; did you mean query-1\?") as error:
        shown(many(), "qery-1")
    assert error.value.remedy == "one of: again, query-1, query-2"
    with pytest.raises(InputError, match="no query was asked"):
        shown(())


def test_of_several_executions_it_says_which() -> None:
    twice = [*query(0, name="q"), *query(1, 200, name="q", **{semconv.QUERY_REPEAT: 1})]
    assert "the slowest of 2 executions, q#0.0; the others: q#0.1" in TEXT.write(shown(twice))
    assert "executions" not in TEXT.write(shown(twice, "q#0.1"))


def test_colour_is_only_there_when_asked_for() -> None:
    assert "\x1b[" in TEXT.write(shown(query(0)), Page(color=True))
    assert "\x1b[" not in TEXT.write(shown(query(0)))


def test_very_many_spans_are_cut_to_the_longest_with_what_is_around_them() -> None:
    deep = [span(f"s{level}", f"s{level - 1}", level / 100, 99 - level / 100) for level in range(1, 300)]
    text = TEXT.write(shown([span("s0", None, 0, 100, {semconv.QUERY_ID: "q"}), *deep]))
    assert "240 shorter spans left out" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"pattern": "cart", "most": 3}', 'grep(pattern="cart", most=3)'),
        ("{broken", "grep({broken)"),
        (None, "grep()"),
    ],
)
def test_a_call_reads_as_code(arguments: str | None, expected: str) -> None:
    assert call_text(ToolUse("grep", None, arguments, None)) == expected


def test_shares_of_a_run_have_bars() -> None:
    assert re.search(r"decode .*██", TEXT.write(document(query(0))))
