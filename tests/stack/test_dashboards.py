"""Every question of the dashboard is asked of the real Prometheus and held against what the spans themselves give."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from dashboard_figures import FIGURES, Asked, Between, Labels
from dashboard_panels import ROWS
from dashboard_queries import ACCOUNT, AGENT, CALLS, SERVER, STEP, WHOLE_RANGE, Query
from planted_spans import AGENT as PLANTED_AGENT
from planted_spans import SERVER as PLANTED_SERVER
from planted_spans import as_otlp, planted

from punie.trace import semconv
from punie.trace.model import Span
from stack import Json, ShippedRun, Stack

QUERIES: Final[Mapping[str, Query]] = {
    f"{query.name}, {'the range' if query.is_instant else 'a step'}": query
    for row in ROWS
    for panel in row.panels
    for query in panel.queries
}
_OVER_AN_HOUR: Final = "1h"


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked about, and when: `window` is what Grafana puts in for its own two."""

    asked: Asked
    window: str
    at_s: float

    def fill(self, promql: str) -> str:
        for name, value in (
            (AGENT, self.asked.agent),
            (SERVER, self.asked.server),
            (ACCOUNT, self.asked.account),
            (WHOLE_RANGE, self.window),
            (STEP, self.window),
        ):
            promql = promql.replace(name, value)
        assert "$" not in promql
        return promql


def _ask(stack: Stack, path: str, **parameters: str | float) -> list[Json]:
    answer = httpx.get(f"{stack.prometheus_url}/api/v1/{path}", params=parameters, trust_env=False)
    assert answer.status_code == httpx.codes.OK, answer.text
    data = answer.json()["data"]
    return list(data if path == "query_exemplars" else data["result"])


def _send(stack: Stack, spans: list[Span]) -> list[Span]:
    httpx.post(f"{stack.otlp_http}/v1/traces", json=as_otlp(spans), trust_env=False).raise_for_status()
    return spans


def _wait_until_counted(stack: Stack, services: str, count: int) -> float:
    """The time at which Prometheus has counted `count` spans of `services`."""
    query = f'sum({CALLS}{{service_name=~"{services}"}})'
    deadline = time.monotonic() + 60
    while True:
        now = time.time()
        counted = sum(float(sample["value"][1]) for sample in _ask(stack, "query", query=query, time=now))
        if counted >= count:
            assert counted == count
            return now
        assert time.monotonic() < deadline, f"Prometheus has {counted:g} spans of {count}"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def cases(stack: Stack, request: pytest.FixtureRequest) -> Mapping[str, Case]:
    """A run, planted spans, and of those the ones that came after others were counted already."""
    both = f"{PLANTED_AGENT}|{PLANTED_SERVER}"
    first = _send(stack, planted("first", slower=5))
    run: ShippedRun = request.getfixturevalue("shipped_run")  # it takes long: the first are counted meanwhile
    between_s = _wait_until_counted(stack, both, len(first))
    second = _send(stack, planted("second", slower=1))
    whole = [*first, *second]
    _wait_until_counted(stack, f"{semconv.SERVICE_AGENT}|{semconv.SERVICE_SERVER}", len(run.spans))
    end_s = _wait_until_counted(stack, both, len(whole))
    window = f"{round((end_s - between_s) * 1e3)}ms"
    spans = run.spans

    def of_planted(asked: list[Span]) -> Asked:
        return Asked(asked, whole, PLANTED_AGENT, PLANTED_SERVER)

    ours = Asked(spans, spans, semconv.SERVICE_AGENT, semconv.SERVICE_SERVER)
    by_stream = Asked(spans, spans, semconv.SERVICE_AGENT, semconv.SERVICE_SERVER, account="stream")
    return {
        "a run": Case(ours, _OVER_AN_HOUR, end_s),
        "a run as its stream tells it": Case(by_stream, _OVER_AN_HOUR, end_s),
        "planted spans": Case(of_planted(whole), _OVER_AN_HOUR, end_s),
        "planted spans after others": Case(of_planted(second), window, end_s),
    }


def _figures(samples: list[Json]) -> dict[Labels, float]:
    return {
        frozenset((key, value) for key, value in sample["metric"].items() if key != "__name__"): float(
            sample["value"][1]
        )
        for sample in samples
    }


CASES: Final = ("a run", "a run as its stream tells it", "planted spans", "planted spans after others")


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("case", CASES)
def test_a_panels_query_gives_the_figure_that_the_spans_give(
    stack: Stack, cases: Mapping[str, Case], case: str, name: str
) -> None:
    asked, query = cases[case], QUERIES[name]
    found = _figures(_ask(stack, "query", query=asked.fill(query.promql), time=asked.at_s))
    expected = FIGURES[query.name](asked.asked)
    assert set(found) == set(expected)
    for labels, figure in expected.items():
        if isinstance(figure, Between):
            assert figure.low * (1 - 1e-9) <= found[labels] <= figure.high * (1 + 1e-9)
        else:
            assert found[labels] == pytest.approx(figure)


@pytest.mark.parametrize(
    "name",
    ["phases.known", "phases.tool", "phases.rest", "tools.time", "errors.by_span", "errors.by_status"],
)
@pytest.mark.parametrize("case", ["a run", "planted spans"])
def test_the_steps_of_a_panel_add_up_to_the_whole(
    stack: Stack, cases: Mapping[str, Case], case: str, name: str
) -> None:
    whole, step_s = cases[case], 15
    steps = Case(whole.asked, f"{step_s}s", whole.at_s)
    drawn = _ask(
        stack,
        "query_range",
        query=steps.fill(QUERIES[f"{name}, a step"].promql),
        start=whole.at_s - 40 * step_s,  # before the stack was there
        end=whole.at_s,
        step=step_s,
    )
    found = {
        frozenset(series["metric"].items()): sum(float(value) for _, value in series["values"])
        for series in drawn
    }
    assert found == pytest.approx(FIGURES[name](whole.asked))


def test_planted_spans_leave_no_panel_without_a_figure(cases: Mapping[str, Case]) -> None:
    for case in ("planted spans", "planted spans after others"):
        empty = {query.name for query in QUERIES.values() if not FIGURES[query.name](cases[case].asked)}
        assert empty == set()


def test_a_window_after_everything_has_no_figure_or_0(stack: Stack, cases: Mapping[str, Case]) -> None:
    run = cases["a run"]
    time.sleep(max(0.0, run.at_s + 6 - time.time()))  # so that Prometheus asked once more
    later = Case(run.asked, "5500ms", time.time())
    for query in QUERIES.values():
        if not query.name.startswith("memory."):  # those go on with their last value
            found = _figures(_ask(stack, "query", query=later.fill(query.promql), time=later.at_s))
            assert set(found.values()) <= {0.0}, query.name


def test_names_are_the_same_for_a_prometheus_that_would_take_dots_in_them(
    stack: Stack, cases: Mapping[str, Case]
) -> None:
    """As 3.x asks; the one that is run here is older."""
    assert cases
    accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
    text = httpx.get(stack.metrics, headers={"Accept": accept}, trust_env=False).text
    names = {re.split(r"[ {]", line)[0] for line in text.splitlines() if not line.startswith("#")}
    asked = {name for query in QUERIES.values() for name in re.findall(r"(\w+)\{", query.promql)}
    assert len(asked) > 15
    assert asked <= names


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if query.exemplars])
def test_a_dot_on_a_panel_leads_to_a_query_of_the_run(
    stack: Stack, cases: Mapping[str, Case], name: str
) -> None:
    run = cases["a run"]
    series = _ask(
        stack,
        "query_exemplars",
        query=run.fill(QUERIES[name].promql),
        start=run.at_s - 600,
        end=run.at_s,
    )
    assert series
    assert all(one["exemplars"] for one in series)
    led_to = {exemplar["labels"]["trace_id"] for one in series for exemplar in one["exemplars"]}
    # A bucket has one example a scrape: of queries that fall into the same one, as on a slow machine, one has a dot.
    assert led_to <= {span.trace_id for span in run.asked.queries}
