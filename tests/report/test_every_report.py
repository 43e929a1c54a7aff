"""Every report in every format: whole, harmless, as wide as it may be, and as its schema says."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from dataclasses import replace
from types import ModuleType

import jsonschema
import pytest
from rich.cells import cell_len
from sample_reports import DOCUMENTS
from syrupy.assertion import SnapshotAssertion

from punie.trace.report import formats
from punie.trace.report.document import Document, Figure, FlatTable
from punie.trace.report.formats import FORMATS, JSON, TEXT, Format, by_ending, by_name
from punie.trace.report.page import Page
from punie.trace.report.published.schemas import PUBLISHED, schema_path
from punie.trace.report.writers import json_text

FORMAT_NAMES = [entry.name for entry in FORMATS if not entry.needs]
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
UNITS = r"(ns|µs|ms|s|kB|MB|GB|%)"


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("format_name", [name for name in FORMAT_NAMES if name != "html"])
def test_whole(format_name: str, name: str, snapshot: SnapshotAssertion) -> None:
    text = by_name(format_name).write(DOCUMENTS[name]())
    assert text.endswith("\n")
    assert OBEYED.search(text) is None
    assert text == snapshot


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_text_is_as_wide_as_the_page_and_breaks_no_quantity(name: str, width: int) -> None:
    text = TEXT.write(DOCUMENTS[name](), Page(width))
    assert [line for line in text.splitlines() if cell_len(line) > width] == []
    assert re.findall(rf"[0-9]\n *{UNITS}(?![\w.])", text) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_is_as_its_schema_says(name: str) -> None:
    document = DOCUMENTS[name]()
    (kind,) = (kind for kind, published in PUBLISHED.items() if published is type(document.data()))
    schema = json.loads(schema_path(kind).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(JSON.write(document)), schema)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_in_parts_is_what_it_is_as_a_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that end within a part, and ones that fill several."""
    document = DOCUMENTS[name]()
    whole = JSON.write(document)
    assert whole == json.dumps(json.loads(whole), indent=2, ensure_ascii=False) + "\n"
    monkeypatch.setattr(json_text, "_AT_ONCE", 2)
    assert "".join(JSON.pieces(document)) == whole


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_cell_of_csv_is_a_formula_and_every_row_is_whole(name: str) -> None:
    header, *rows = csv.reader(io.StringIO(by_name("csv").write(DOCUMENTS[name]())))
    for row in rows:
        assert len(row) == len(header)
        assert [cell for cell in row if re.match(r"[=@]|[-+](?![0-9.]+$)", cell)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_markdown_takes_nobody_s_words_for_markup(name: str) -> None:
    text = by_name("md").write(DOCUMENTS[name]())
    assert "</script>" not in text
    assert "\n# not a heading" not in text
    assert "[a](b)" not in text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_verdicts_stand_before_tables_that_they_rest_on(name: str) -> None:
    sections = DOCUMENTS[name]().sections
    first_table = next((i for i, section in enumerate(sections) if section.table), len(sections))
    first_answer = next((i for i, section in enumerate(sections) if section.answers), 0)
    assert first_answer <= first_table


def test_colour_is_only_there_when_asked_for() -> None:
    document = DOCUMENTS["benchmark decided"]()
    assert "\x1b[" in TEXT.write(document, Page(color=True))
    assert "\x1b[" not in TEXT.write(document)


@pytest.mark.parametrize(
    ("ending", "name"), [(".JSON", "json"), (".md", "md"), (".csv", "csv"), (".txt", "text")]
)
def test_the_ending_tells_the_format(ending: str, name: str) -> None:
    entry = by_ending(f"report{ending}")
    assert entry is not None
    assert entry.name == name
    assert by_ending("a.doc") is None


def _gauges(document: Document, page: Page) -> str:
    """A format that nobody needs: every verdict, then every figure in a table, with its unit."""
    lines = [f"{answer.slug} {answer.verdict.value} {answer.figure.value}" for answer in document.answers]
    for section in document.sections:
        for row in section.table.rows if section.table else ():
            cells = [cell for cell in row if isinstance(cell, Figure)]
            lines += [f"{row[0]} {cell.value} {cell.unit.value}" for cell in cells]
    return "\n".join([f"width {page.width}", *lines]) + "\n"


def test_a_new_format_is_one_file_and_one_line_for_every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = ModuleType("gauges")
    writer.__dict__["write"] = _gauges
    monkeypatch.setitem(sys.modules, "gauges", writer)
    new = Format("gauges", (".gauges.txt",), "gauges")
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, new))
    assert by_ending("RUN.gauges.txt") is new  # the longest ending, whatever the order
    assert by_ending("run.txt") is TEXT
    for document in DOCUMENTS.values():
        assert new.write(document()).startswith("width 80\n")
    assert "generation yes 0.869" in new.write(DOCUMENTS["run many"]())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_sections_have_names_for_programs(name: str) -> None:
    slugs = [section.slug for section in DOCUMENTS[name]().sections]
    assert len(slugs) == len(set(slugs))
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", slug) for slug in slugs)


HOSTILE_CELLS = ("=1+1", "+1", "-cmd", "@x", "\t=1", " =1", "＝1", "＠SUM(1)", "\r\n-1", "\x1b[31m=1", "﹦1")  # noqa: RUF001


@pytest.mark.parametrize("cell", HOSTILE_CELLS)
def test_text_of_csv_is_never_a_formula(cell: str) -> None:
    rows = FlatTable(("name", "time"), ((cell, -5), ("plain", 1.5)))
    text = by_name("csv").write(replace(DOCUMENTS["run one"](), rows=lambda: rows))
    _, (name, time), (plain, _) = csv.reader(io.StringIO(text))
    assert name.startswith(("'", "\N{REPLACEMENT CHARACTER}"))
    assert (time, plain) == ("-5", "plain")


def test_of_endless_words_people_get_a_part_and_programs_all() -> None:
    document = replace(DOCUMENTS["run one"](), lines=("word " * 10_000,))
    for name in ("text", "md"):
        text = by_name(name).write(document)
        assert "… (50,000 characters)" in text
        assert len(text) < 6_000
