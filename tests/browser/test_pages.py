"""Pages as a reader meets them: with scripts and without, light, dark and printed; numbers as in the JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from axe import axe_script
from html_pages import Shown

from browser import Page
from punie.trace.report.document import Document, Table
from punie.trace.report.formats import by_name
from punie.trace.report.inert import readable

LOOKS: Final = {
    "light": ("screen", "light"),
    "dark": ("screen", "dark"),
    "print": ("print", "light"),
}
TABLES: Final = """const made = table => table.closest('section').querySelector('h2').textContent;
    const all = [...document.querySelectorAll('section > .scroll > table.data')];
    return all.filter(table => made(table) != 'Turns: what each model call was asked').map(table =>
        [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent)))"""
OVERFLOW: Final = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def scripts(request: pytest.FixtureRequest, page: Page) -> Iterator[bool]:
    page.allow_scripts(allowed=request.param)
    yield request.param
    page.allow_scripts(allowed=True)


@pytest.mark.parametrize("look", LOOKS)
def test_every_kind_reads_whole_and_asks_for_nothing(
    page: Page, samples: Mapping[str, Shown], look: str, *, scripts: bool
) -> None:
    media, scheme = LOOKS[look]
    page.emulate(media, prefers_color_scheme=scheme)
    for name, shown in samples.items():
        page.requests()
        page.open(shown.url)
        assert page.requests() == [shown.url], name
        assert [entry for entry in page.log() if entry["level"] in ("SEVERE", "WARNING")] == [], name
        assert page.ask(TABLES) == _rows(shown.document), name
        assert page.ask("return document.querySelector('h1').checkVisibility()"), name
        assert page.ask("return document.documentElement.classList.contains('js')") is scripts, name


def _rows(document: Document) -> list[list[list[str]]]:
    sections = (*document.sections, *document.appendix)
    tables = [section.table for section in sections if section.table and section.table.rows]
    return [[[_seen(str(cell)) for cell in row] for row in _shown(table).rows] for table in tables]


def _shown(table: Table) -> Table:
    return table.without_empty_columns()


def _seen(text: str) -> str:
    """As the page has it: without what nobody sees, and nothing before or after."""
    return readable(text.strip()) if text.strip() else text


@pytest.mark.parametrize("media", ["screen", "print"])
def test_on_paper_everything_is_unfolded_also_without_scripts(page: Page, forty: Shown, media: str) -> None:
    page.allow_scripts(allowed=False)
    page.emulate(media)
    page.open(forty.url)
    seen = page.ask("return [...document.querySelectorAll('.waterfall')].map(one => one.checkVisibility())")
    page.allow_scripts(allowed=True)
    assert len(seen) == 40
    assert sum(seen) == (40 if media == "print" else 1)


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(
    page: Page, samples: Mapping[str, Shown], forty: Shown, width: int
) -> None:
    page.emulate()
    page.view(width)
    for shown in (*samples.values(), forty):
        page.open(shown.url)
        assert page.ask(OVERFLOW) == 0, shown.path.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name",
    [
        "run failed",
        "comparison many",
        "benchmark decided",
        "experiment failed",
        "improvement many",
        "training many",
    ],
)
def test_nothing_shuts_anybody_out(page: Page, samples: Mapping[str, Shown], name: str, scheme: str) -> None:
    _check_with_axe(page, samples[name], scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_waterfalls_shut_nobody_out(page: Page, forty: Shown, scheme: str) -> None:
    _check_with_axe(page, forty, scheme)


def _check_with_axe(page: Page, shown: Shown, scheme: str) -> None:
    page.emulate(prefers_color_scheme=scheme)
    page.view(1280)
    page.open(shown.url)
    page.ask(f"{axe_script()}; window.axe = axe")
    page.ask("window.found = null; axe.run().then(result => { window.found = result })")
    found = page.wait_for("return window.found")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == []
    assert found["passes"]


def test_every_number_of_a_waterfall_is_that_of_the_json(page: Page, forty: Shown) -> None:
    page.emulate()
    page.view(1280)
    page.open(forty.url)
    told = json.loads(str(by_name("json").write(forty.document)))
    by_trace = {query["trace_id"]: query for query in told["queries"]}
    drawn = page.ask(
        """return [...document.querySelectorAll('details.query')].map(query => {
            query.open = true;
            const table = query.querySelector('.waterfall');
            const svg = table.querySelector('.spans').getBoundingClientRect();
            const path = table.querySelector('.critical').getBBox();
            return {
                key: query.dataset.key, wall: Number(table.dataset.wall),
                rows: table.tBodies[0].rows.length, height: svg.height,
                body: table.tBodies[0].getBoundingClientRect().height,
                path: [...table.querySelectorAll('td[data-v]')].map(cell => Number(cell.dataset.v)),
                from: path.x, width: path.width}})"""
    )
    assert len(drawn) == 40
    for entry in drawn:
        query = by_trace[entry["key"].partition("/")[0]]
        assert entry["wall"] == query["wall_ns"]
        assert sum(entry["path"]) == query["wall_ns"] == sum(query["critical_path"]["phases_ns"].values())
        assert entry["height"] == entry["body"] == 22 * entry["rows"]
        assert (entry["from"], entry["width"]) == (0, 100_000)


def test_bars_are_as_long_on_the_screen_as_their_numbers(page: Page, forty: Shown) -> None:
    page.emulate()
    page.view(1280)
    page.open(forty.url)
    bars = page.ask(
        """const figure = document.querySelector('figure.bars');
        const numbers = figure.querySelectorAll('details tbody tr');
        return [...figure.querySelectorAll('.chart tr')].map((row, at) => ({
            box: row.querySelector('.bar').getBoundingClientRect().width,
            parts: [...row.querySelectorAll('rect')].map(rect => rect.getBoundingClientRect().width),
            told: [...numbers[at].cells].slice(1).map(cell => parseFloat(cell.dataset.v)),
            sum: parseFloat(row.querySelector('.n').dataset.v)}))"""
    )
    longest = max(bar["sum"] for bar in bars[1:])
    for number, bar in enumerate(bars):
        *phases, whole = (0 if value is None else value for value in bar["told"])
        assert whole == bar["sum"]
        if number == 0:
            assert sum(phases) == whole
        full = bar["box"] * (1 if number == 0 else whole / longest)
        assert sum(bar["parts"]) == pytest.approx(full, abs=len(bar["parts"]))


def _drawn_in_ms(page: Page) -> float:
    """From the request to the first picture with all of the document read, at best of three times."""
    found = []
    for _ in range(3):
        page.ask("location.reload()")
        found.append(
            page.wait_for(
                """const [paint] = performance.getEntriesByName('first-contentful-paint');
                const loaded = performance.getEntriesByType('navigation')[0].loadEventEnd;
                return paint && loaded ? Math.max(paint.startTime, loaded) : 0"""
            )
        )
    return float(min(found))


def test_the_demo_s_report_is_small_and_drawn_at_once(page: Page, demo: Path) -> None:
    assert demo.stat().st_size < 150_000
    page.emulate()
    page.view(1280)
    page.open(demo.as_uri())
    assert page.ask("return document.querySelectorAll('details.query').length") == 5
    assert _drawn_in_ms(page) < 1_000


@pytest.mark.timeout(400)
def test_of_ten_thousand_queries_a_page_shows_some_and_says_how_many_are_left_out(
    page: Page, very_many: Shown
) -> None:
    assert very_many.path.stat().st_size < 3_000_000
    page.emulate()
    page.view(1280)
    page.open(very_many.url)
    shown = page.ask(
        "return [...document.querySelectorAll('details.query .why')].map(why => why.textContent)"
    )
    assert len(shown) == 40
    assert set(shown) >= {"slowest", "typical", "failed"}
    assert "9960 queries are not drawn" in page.ask("return document.body.textContent")
    assert [entry for entry in page.log() if entry["level"] == "SEVERE"] == []
    assert _drawn_in_ms(page) < 2_000
