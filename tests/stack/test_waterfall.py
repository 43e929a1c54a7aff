"""Jaeger's own page with a real trace: rows readable, the model inside its HTTP request, tokens and tools."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from waterfall import Row, Waterfall, waterfall

from punie.trace.model import Span
from stack import ShippedRun, Stack, page_assets

QUERY = "view-functions"
ON_THE_SERVER = {"queue", "template", "prefill", "decode", "parse"}
DRAWN = 0.2  # percent: bars are drawn to a tenth


@dataclass(frozen=True, slots=True)
class Shown:
    """The page of one query, its rows, and the spans that they stand for."""

    page: Waterfall
    rows: Sequence[Row]
    spans: Sequence[Span]

    def below(self, index: int) -> list[Row]:
        """The rows under row `index`, at any depth."""
        found = []
        for row in self.rows[index + 1 :]:
            if row.depth <= self.rows[index].depth:
                break
            found.append(row)
        return found

    def places(self, name: str) -> list[int]:
        return [index for index, row in enumerate(self.rows) if row.name == name]

    def first_span(self, name: str) -> Span:
        return min((span for span in self.spans if span.name == name), key=lambda span: span.start_ns)


def _links(printed: str) -> dict[str, str]:
    return dict(re.findall(r"waterfall of ([\w-]+), .*:\n  (http://\S+)", printed))


@pytest.fixture(scope="module")
def shown(stack: Stack, shipped_run: ShippedRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    if page_assets() is None:
        pytest.skip("PUNIE_JAEGER_UI doesn't name a folder with the assets of Jaeger's page")
    link = _links(shipped_run.printed)[QUERY]
    trace_id = link.rpartition("/")[2]
    spans = [span for span in shipped_run.spans if span.trace_id == trace_id]
    with waterfall(tmp_path_factory.mktemp("browser"), link, spans=len(spans)) as page:
        yield Shown(page, page.rows(), spans)


def test_run_prints_a_link_for_each_query(stack: Stack, shipped_run: ShippedRun) -> None:
    if page_assets() is None:
        pytest.skip("PUNIE_JAEGER_UI doesn't name a folder with the assets of Jaeger's page")
    asked = {
        str(span.attributes["punie.query.id"]): f"{stack.jaeger_query}/trace/{span.trace_id}"
        for span in shipped_run.spans
        if span.name == "query"
    }
    assert len(asked) == 5
    assert _links(shipped_run.printed) == asked


def test_every_span_has_a_row_with_its_service_and_its_whole_name(shown: Shown) -> None:
    assert Counter((row.service, row.name) for row in shown.rows) == Counter(
        (span.resource["service.name"], span.name) for span in shown.spans
    )
    assert [row.name for row in shown.rows if not row.fits] == []


def test_the_genai_view_is_on_and_marks_model_and_tool(shown: Shown) -> None:
    assert "GenAI View" in shown.page.page.ask("return document.body.innerText")
    marked = {row.name for row in shown.rows if row.icon}
    assert marked >= {
        "invoke_agent assistant",
        "chat default_model",
        "execute_tool run_command",
        "server request",
    }


def test_the_models_phases_are_drawn_inside_the_http_request_and_below_the_servers(
    shown: Shown,
) -> None:
    requests = shown.places("server request")
    assert len(requests) == 2
    seen: set[str] = set()
    for index in requests:
        request, post = shown.rows[index], shown.rows[index - 1]
        assert (post.name, post.depth) == ("POST", request.depth - 1)
        assert post.left - DRAWN <= request.left <= post.right
        phases = shown.below(index)
        assert {row.service for row in phases} == {"mlx_lm"}
        for row in phases:
            assert request.left - DRAWN <= row.left <= row.right <= post.right + DRAWN
        seen |= {row.name for row in phases}
    assert seen == ON_THE_SERVER


def test_prefill_and_decode_fill_most_of_the_servers_request(shown: Shown) -> None:
    for index in shown.places("server request"):
        request = shown.rows[index]
        model = [row for row in shown.below(index) if row.name in ("prefill", "decode")]
        drawn = sum(row.right - row.left for row in model)
        assert drawn > 0.5 * (request.right - request.left)


def test_the_model_calls_tab_shows_its_tokens(shown: Shown) -> None:
    said = shown.page.details(shown.places("chat default_model")[0])
    usage = shown.first_span("chat default_model").attributes
    assert f"Input {usage['gen_ai.usage.input_tokens']}\n" in said
    assert f"Output {usage['gen_ai.usage.output_tokens']}\n" in said
    assert f"Cached (read) {usage['gen_ai.usage.cache_read.input_tokens']}\n" in said


def test_the_tools_tab_shows_its_name_and_none_of_its_content(shown: Shown) -> None:
    said = shown.page.details(shown.places("execute_tool run_command")[0])
    assert re.search(r"run_command", said.partition("GenAI")[2])
    assert "grep" not in said
