"""A finding in a report leads to what it means: on the manual's page, on the site, or in the page itself."""

from __future__ import annotations

import json
import re

import pytest
from sample_reports import DOCUMENTS

from punie.trace.report.explained import explained
from punie.trace.report.formats import HTML, JSON, MARKDOWN, TEXT
from punie.trace.report.page import Page
from punie.trace.report.wording.findings import FINDINGS, counted, more, pieces
from punie.trace.report.wording.glossary import GLOSSARY

CLONE = "/home/somebody/punie trace/docs/findings.md"
SITE = "https://docs.example/findings.html"
NAMED = ("cycle", "missing-parent", "unreadable-record", "duplicate-span")


def test_text_says_where_its_findings_are_explained_in_one_line() -> None:
    found = TEXT.write(DOCUMENTS["run failed"](), Page(60, manual=lambda: CLONE))
    assert f"  more: {CLONE}\n" in found
    assert found.count(CLONE) == 1
    assert "more:" not in TEXT.write(DOCUMENTS["run many"](), Page(manual=lambda: CLONE))
    assert "more:" not in TEXT.write(DOCUMENTS["run failed"]())


def test_one_finding_alone_is_led_to_by_its_anchor() -> None:
    assert more(["integrity: cycle (1, no-verdict)"], SITE) == f"more: {SITE}#cycle"
    assert more(["a cycle of 3 (three)", "half-cycle (2, shown)"], SITE) == ""


def test_markdown_links_to_the_site_and_to_nobodys_folder() -> None:
    found = MARKDOWN.write(DOCUMENTS["run failed"](), Page(manual=lambda: SITE))
    assert tuple(re.findall(rf"- \[([a-z-]+)\]\({SITE}#\1\) \(\d", found)) == NAMED
    in_a_clone = MARKDOWN.write(DOCUMENTS["run failed"](), Page(manual=lambda: CLONE))
    assert in_a_clone == MARKDOWN.write(DOCUMENTS["run failed"]())


@pytest.mark.parametrize("name", ["run failed", "by day failed", "decision failed"])
def test_the_page_explains_its_findings_itself(name: str) -> None:
    found = HTML.write(DOCUMENTS[name]())
    linked = set(re.findall(r'href="#w-([a-z-]+)"', found)) & FINDINGS.keys()
    assert linked
    for slug in linked:
        assert re.search(rf"<dt id=w-{slug} tabindex=-1>{slug}<dd>[A-Z][^<]+What to do: ", found)


def test_explain_explains_findings_too() -> None:
    found = " ".join(TEXT.write(explained(DOCUMENTS["run failed"]())).split())
    assert "What to do: Mend the exporter" in found.partition("What the words mean")[2]


def test_programs_get_what_to_do_with_each_finding() -> None:
    integrity = json.loads(JSON.write(DOCUMENTS["run failed"]()))["integrity"]
    assert [one["remedy"] in FINDINGS[one["slug"]] for one in integrity] == [True] * 5


def test_a_sentence_is_cut_around_the_findings_that_it_counts() -> None:
    assert pieces("cycle (1), cycles (2), missing-parent (7)") == [
        *("", "cycle", " (1), cycles (2), ", "missing-parent", " (7)")
    ]
    assert counted(["cycle (1), cycle (2)"]) == ("cycle",)


def test_no_finding_has_the_name_of_another_word() -> None:
    assert not FINDINGS.keys() & GLOSSARY.keys()
