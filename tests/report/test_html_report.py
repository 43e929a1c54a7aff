"""The page: whole, harmless, and drawn to the numbers that it says."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Final

import msgspec
import pytest
from drawn_reports import PAGES
from query_trees import forty_queries, seeded
from records import build_record
from sample_reports import DOCUMENTS, HOSTILE, about
from syrupy.assertion import SnapshotAssertion

from punie.trace import semconv
from punie.trace.analysis.comparison.compare import compare
from punie.trace.analysis.comparison.facts import compare_facts
from punie.trace.analysis.comparison.sides import side_of
from punie.trace.analysis.summary.parts import GroupBy, part_of, parts_of
from punie.trace.analysis.summary.summary import analyse
from punie.trace.analysis.verdicts.assessment import QueryEvidence
from punie.trace.model import Disturbance, Phase, SpanSet
from punie.trace.report import figures
from punie.trace.report.builders.comparison import build_comparison
from punie.trace.report.builders.parts import build_parts
from punie.trace.report.builders.run import build_run
from punie.trace.report.charts import Bar, Segment, StackedBars
from punie.trace.report.content import ComparisonContent, RunContent
from punie.trace.report.document import Document, Section, Table, notes
from punie.trace.report.drawn_queries import MOST, choose
from punie.trace.report.figures import Unit
from punie.trace.report.formats import by_name
from punie.trace.report.writers.html.markup import prose, tag
from punie.trace.report.writers.html.svg import WIDTH
from punie.trace.usecases.load import LoadedSource
from punie.trace.usecases.run_report import VerdictTargets, build_report

ALL: Final = {**DOCUMENTS, **PAGES}
WORST: Final = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "javascript:alert(1)",
    "\u2028alert(1)\u2029",
    "\u202egnp.exe\u2066",
    "\" onload='alert(1)' x=\"",
    "`${alert(1)}`",
    "&lt;img src=x onerror=alert(1)&gt;",
    "]]><svg onload=alert(1)>",
    HOSTILE,
)


def html(document: Document) -> str:
    return by_name("html").write(document)


def inside(text: str) -> str:
    """The page without its style and its script, an element a line."""
    body = re.sub(r"(?s)<(style|script)>.*?</\1>|<meta http-equiv.*?>", "", text)
    return body.replace("><", ">\n<")


class Elements(HTMLParser):
    """Every element with its attributes, and all text outside style and script."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []

    @classmethod
    def of(cls, text: str) -> Elements:
        read = cls()
        read.feed(text)
        read.close()
        return read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["style"], ["script"]):
            self.text.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.mark.parametrize("name", ALL)
def test_whole(name: str, snapshot: SnapshotAssertion) -> None:
    assert inside(html(ALL[name]())) == snapshot


@pytest.mark.parametrize("name", ALL)
def test_only_our_own_style_and_script_may_run_and_nothing_is_loaded(name: str) -> None:
    text = html(ALL[name]())
    page = Elements.of(text)
    (policy,) = (str(meta["content"]) for meta in page.all("meta") if "http-equiv" in meta)
    for kind in ("style", "script"):
        (own,) = re.findall(rf"(?s)<{kind}>(.*?)</{kind}>", text)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    for _, attributes in page.found:
        assert not [key for key in attributes if key == "style" or key.startswith("on")]
        assert not {"src", "srcset", "action", "data", "background"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("name", ALL)
def test_ids_are_unique_and_every_link_and_label_has_its_target(name: str) -> None:
    page = Elements.of(html(ALL[name]()))
    ids = [str(attributes["id"]) for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {str(a["href"])[1:] for a in page.all("a")}
    named |= {str(a["aria-labelledby"]) for _, a in page.found if "aria-labelledby" in a}
    assert named <= set(ids)


@pytest.mark.parametrize("name", ALL)
def test_every_drawing_has_a_title_or_is_hidden_from_who_can_t_see_it(name: str) -> None:
    for drawing in re.findall(r"(?s)<svg.*?</svg>", html(ALL[name]())):
        opening = drawing[: drawing.index(">")]
        assert ("role=img" in opening and drawing.startswith(f"{opening}><title>")) or (
            "aria-hidden=true" in opening or "class=" not in opening
        ), drawing[:200]


@pytest.mark.parametrize("words", WORST)
def test_nobody_s_words_become_markup(words: str) -> None:
    document = DOCUMENTS["run many"]()
    clean, hostile = (
        Elements.of(
            html(replace(document, title=title, headline=title, lines=(title,), sections=(_named(title),)))
        )
        for title in ("plain", words)
    )
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in clean.found]
    assert not re.search("[\u2028\u2029\u202a-\u202e\u2066-\u2069]", "".join(hostile.text))


def _named(name: str) -> Section:
    bar = Bar(name, (Segment(name, 2), Segment("tool", 3)), figures.duration(5), 5)
    table = Table((name, "time"), ((name, figures.duration(5)),))
    return Section(
        "Words", table=table, notes=notes(name), charts=(StackedBars(name, Unit.NANOSECONDS, (bar,)),)
    )


def test_the_parts_of_a_bar_leave_no_gap_and_are_as_wide_as_their_whole() -> None:
    data = DOCUMENTS["run many"]().data()
    means = sorted(summary.totals.wall.mean_ns for summary in data.summaries)  # type: ignore[attr-defined] # a run's
    ends = []
    for bar in re.findall("(?s)<svg class=bar.*?</svg>", html(DOCUMENTS["run many"]())):
        parts = [(int(x), int(x) + int(width)) for x, width in re.findall(r"x=(\d+) width=(\d+)", bar)]
        assert [start for start, _ in parts] == [0, *(end for _, end in parts[:-1])]
        ends.append(parts[-1][1])
    assert ends == [WIDTH, *(round(mean * WIDTH / means[-1]) for mean in reversed(means))]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("See `punie-trace report` of it.", "See <code>punie-trace report</code> of it."),
        ("`--cache off`", "<code><span class=flag>--cache</span> off</code>"),
        ("`<script>` and `", "`&lt;script&gt;` and `"),
    ],
)
def test_a_command_in_a_sentence_is_code(text: str, markup: str) -> None:
    assert prose(text) == markup


def test_attributes_and_text_are_escaped_once() -> None:
    made = tag("p", "<b>&amp;", tag("i", "x"), title='"<&', hidden=True, id=None, data_v=5)
    assert made == '<p title="&quot;&lt;&amp;" hidden data-v=5>&lt;b&gt;&amp;amp;<i>x</i></p>'


@pytest.fixture(scope="module")
def forty() -> RunContent:
    """Forty queries with all that a server of ours tells."""
    return build_report(LoadedSource.of("forty", SpanSet(tuple(forty_queries(seeded(7))))), VerdictTargets())


def _pieces(path: str) -> list[tuple[int, int]]:
    """Start and end of every box or line of a drawing's path."""
    boxes = [(int(x), int(end)) for x, end in re.findall(r"M(\d+) \d+H(\d+)", path)]
    return boxes + [(int(x), int(x) + int(w)) for x, w in re.findall(r"M(\d+) \d+h(\d+)", path)]


def test_critical_path_and_ledger_of_a_drawing_tile_its_width(forty: RunContent) -> None:
    text = html(build_run(forty))
    drawings = re.findall(r"(?s)<svg class=spans.*?</svg>", text)
    assert len(drawings) == MOST
    for drawing in drawings:
        (critical,) = re.findall('class=critical d="([^"]*)"', drawing)
        strips = re.findall('class="strip[^>]*? d="([^"]*)"', drawing)
        for pieces in (sorted(_pieces(critical)), sorted(p for strip in strips for p in _pieces(strip))):
            inner = [end for _, end in pieces[:-1]]
            assert [start for start, _ in pieces] == [0, *inner]
            assert pieces[-1][1] == WIDTH


def test_forty_queries_fit_in_300_kb_with_every_number_of_their_ledgers_and_paths(forty: RunContent) -> None:
    text = html(build_run(forty))
    assert len(text.encode()) <= 300_000
    for chosen in choose(forty.analysis.records):
        record = chosen.record
        (entry,) = re.findall(f'(?s)<details [^>]*data-key="{record.ledger.query_key}".*?</table>', text)
        assert f"data-wall={record.wall_ns}" in entry
        assert sum(map(int, re.findall(r"<td data-v=(\d+)>", entry))) == record.wall_ns


def test_of_very_many_queries_the_slowest_typical_and_failed_ones_are_drawn() -> None:
    records = [
        build_record(
            f"query-{number}",
            {Phase.DECODE: 300 + number},
            start_ns=number * 10**9,
            ok=number % 50 != 0,
            disturbed_by=Disturbance.TOOL_THREAD if number % 50 == 1 else None,
        )
        for number in range(10_000)
    ]
    chosen = choose(records)
    by_why = {
        why: [one.record for one in chosen if one.why == why] for why in ("slowest", "typical", "failed")
    }
    assert {why: len(found) for why, found in by_why.items()} == {"slowest": 20, "typical": 10, "failed": 10}
    assert [record.query_id for record in by_why["slowest"]] == [f"query-{n}" for n in range(9999, 9979, -1)]
    assert all(record.failed for record in by_why["failed"])
    assert all(record.succeeded for record in by_why["typical"])
    shown = html(build_run(RunContent(about(), analyse(records[:1_000]))))
    assert "the 40 slowest of 1,000" in shown
    assert len(shown.encode()) < 200_000  # however many there are: the rest is in JSON and CSV


def test_what_was_said_is_on_the_page_only_if_somebody_asks_for_it() -> None:
    first, *rest = forty_queries(seeded(7))
    asked = msgspec.structs.replace(
        first, attributes={**first.attributes, semconv.QUERY_TEXT: "where\nis <b>?"}
    )
    document = build_run(build_report(LoadedSource.of("said", SpanSet((asked, *rest))), VerdictTargets()))
    assert "is &lt;b&gt;?" not in html(document)
    assert "<pre>where\nis &lt;b&gt;?</pre>" in html(document.with_content())


def test_of_very_many_names_people_get_some_and_how_many_more() -> None:
    records = [
        build_record(f"query-{number:04}", {Phase.DECODE: 300 + number % 7}, ok=number % 2 == 0)
        for number in range(600)
    ]
    run = RunContent(about(), analyse(records))
    parts = parts_of(records, lambda record: record.query_id)
    sides = [QueryEvidence(tuple(half)) for half in (records[:400], records[200:])]
    facts = compare_facts([{"model": "m"}], [{"model": "m"}], ["model"])
    comparison = compare(side_of(sides[:1]), side_of(sides[1:]), facts)
    documents = (
        build_run(run),
        build_parts(run, part_of("", records), GroupBy.MODEL, parts),
        build_comparison(ComparisonContent(("a",), ("b",), comparison)),
    )
    for document in documents:
        assert len(html(document).encode()) < 200_000
        assert max(map(len, by_name("csv").write(document).splitlines())) < 2_000
        assert " more" in by_name("text").write(document) or "shown: 200 of 600" in html(document)
