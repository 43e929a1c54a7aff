"""What the script adds: sorting, zoom, finding, keys; and that nobody's words become a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import pytest
from html_pages import Shown, write
from query_trees import forty_queries, seeded

from browser import Page
from punie.trace.model import SpanSet
from punie.trace.report.builders.run import build_run
from punie.trace.usecases.load import LoadedSource
from punie.trace.usecases.run_report import VerdictTargets, build_report

ENTER, ESCAPE, RIGHT = "\ue007", "\ue00c", "\ue014"
FOCUSED: Final = "return document.activeElement.closest('details.query')?.dataset.key"
ORDER: Final = "return [...document.querySelectorAll('details.query')].map(query => query.dataset.key)"
WORST: Final = (
    "</script><script>window.obeyed=1</script>",
    "<!--<script>",
    "<img src=x onerror=window.obeyed=1>",
    "javascript:window.obeyed=1",
    "\u2028window.obeyed=1",
    "\u202egnp.exe",
    '" onfocus=window.obeyed=1 autofocus x="',
)


@pytest.fixture
def opened(page: Page, forty: Shown) -> Iterator[Page]:
    page.emulate()
    page.view(1280)
    page.open(forty.url)
    yield page
    assert [entry for entry in page.log() if entry["level"] == "SEVERE"] == []


def test_j_and_k_go_from_query_to_query_and_enter_opens(opened: Page) -> None:
    order = opened.ask(ORDER)
    opened.press("j")
    assert opened.ask(FOCUSED) == order[0]
    opened.press("j", "j")
    assert opened.ask(FOCUSED) == order[2]
    opened.press("k")
    assert opened.ask(FOCUSED) == order[1]
    is_open = "return document.activeElement.closest('details.query').open"
    assert opened.ask(is_open) is False
    opened.press(ENTER)
    assert opened.ask(is_open) is True


def test_plus_and_minus_zoom_and_arrows_move_along_the_time(opened: Page) -> None:
    shown = "return document.activeElement.closest('details.query').querySelector('.spans').getAttribute('viewBox')"
    opened.press("j")
    whole = opened.ask(shown)
    opened.press("+")
    assert opened.ask(shown).split()[:3] == ["25000", "0", "50000"]
    opened.press(RIGHT)
    assert opened.ask(shown).split()[:3] == ["37500", "0", "50000"]
    opened.press("-", "-")
    assert opened.ask(shown) == whole
    opened.press("+", "0")
    assert opened.ask(shown) == whole


def test_a_slash_finds_queries_by_name_and_escape_shows_all_again(opened: Page) -> None:
    count = "return document.querySelectorAll('details.query:not([hidden])').length"
    opened.press("/", *"failed")
    assert opened.ask("return document.activeElement.id") == "find"
    assert 1 <= opened.ask(count) < 40
    opened.press(ESCAPE)
    assert opened.ask(count) == 40


def test_a_question_mark_shows_the_keys(opened: Page) -> None:
    opened.press("?")
    assert opened.ask("return document.getElementById('keys').open") is True
    opened.press(ESCAPE)
    assert opened.ask("return document.getElementById('keys').open") is False


def test_a_heading_sorts_its_table_both_ways(page: Page, samples: Mapping[str, Shown]) -> None:
    page.emulate()
    page.open(samples["run many"].url)
    heading = "[...document.querySelectorAll('section[id^=queries] th')].find(th => th.textContent == 'mean')"
    times = f"""const at = {heading}.cellIndex;
        return [...document.querySelectorAll('section[id^=queries] tbody tr')].map(
            row => parseFloat(row.cells[at].dataset.v))"""
    before = page.ask(times)
    assert len(before) == 5
    page.ask(f"{heading}.querySelector('.sort').click()")
    assert page.ask(times) == sorted(before, reverse=True)
    page.ask(f"{heading}.querySelector('.sort').click()")
    assert page.ask(times) == sorted(before)
    assert page.ask(f"return {heading}.ariaSort") == "ascending"


def test_a_drag_shows_what_was_dragged_over(opened: Page) -> None:
    opened.ask(
        """const svg = document.querySelector('.spans'), box = svg.getBoundingClientRect();
        for (const [name, share] of [['pointerdown', 0.2], ['pointerup', 0.4]])
            svg.dispatchEvent(new PointerEvent(name, {clientX: box.left + share * box.width, bubbles: true}))"""
    )
    start, _, width, _ = map(
        float, opened.ask("return document.querySelector('.spans').getAttribute('viewBox')").split()
    )
    assert start == pytest.approx(20_000, abs=300)
    assert width == pytest.approx(20_000, abs=300)


def test_nobody_s_words_become_a_script(page: Page, tmp_path: Path) -> None:
    spans = [
        msgspec.structs.replace(span, name=WORST[number % len(WORST)])
        for number, span in enumerate(forty_queries(seeded(7)))
    ]
    report = build_report(LoadedSource.of(WORST[0], SpanSet(tuple(spans))), VerdictTargets())
    shown = write(build_run(report), tmp_path, "hostile")
    page.requests()
    page.open(shown.url)
    page.ask("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.ask("return window.obeyed ?? null") is None
    assert page.ask(
        "return [document.scripts.length, document.images.length, document.links.length > 0]"
    ) == [1, 0, True]
    assert page.ask("return [...document.links].every(link => link.getAttribute('href').startsWith('#'))")
    text = page.ask("return document.body.textContent")
    assert "</script><script>window.obeyed=1</script>" in text
    assert not {"\u202e", "\u2028"} & set(text)
    assert page.requests() == [shown.url]
    assert [entry for entry in page.log() if entry["level"] == "SEVERE"] == []
