"""The costs of a turn where its tokens hardly vary, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.what_if.cost_model import Costs, cost_model, fit
from punie.trace.analysis.what_if.observed import ObservedQuery, ObservedTurn, tool_windows
from punie.trace.analysis.what_if.prediction import savings_of
from punie.trace.model import Phase, Provenance


def asked(*turns: tuple[int | None, int, int]) -> Sequence[ObservedQuery]:
    """A query a turn of uncached tokens, output tokens and ns; nobody tells prefill and decode apart."""
    return [
        ObservedQuery(f"q{number}", 0, 0, ns, (ObservedTurn(0, ns, uncached, output, None, None, (0, 0)),), 0)
        for number, (uncached, output, ns) in enumerate(turns)
    ]


@pytest.mark.parametrize(
    ("turns", "costs"),
    [
        (((100, 10, 1200), (300, 20, 2500), (200, 30, 2300)), Costs(400.0, 5.0, 30.0)),
        (((100, 10, 700), (100, 20, 1000), (100, 30, 1300)), Costs(400.0, None, 30.0)),
        (((100, 10, 900), (200, 10, 1400), (300, 10, 1900)), Costs(400.0, 5.0, None)),
        (((100, 10, 900), (100, 10, 1100)), Costs(1000.0, None, None)),
        (((100, 10, 900), (200, 20, 1100)), Costs(1000.0, None, None)),  # they rise and fall together
        (((None, 10, 900), (None, 20, 1100)), Costs(1000.0, None, None)),
    ],
)
def test_what_varies_has_a_cost_and_nothing_else(
    turns: Sequence[tuple[int | None, int, int]], costs: Costs
) -> None:
    found = fit(asked(*turns))
    assert found is not None
    assert found.overhead == pytest.approx(costs.overhead)
    assert found.per_uncached == (None if costs.per_uncached is None else pytest.approx(costs.per_uncached))
    assert found.per_output == (None if costs.per_output is None else pytest.approx(costs.per_output))


def test_a_cost_lies_in_the_middle_of_its_interval() -> None:
    ns = (1_310, 1_590, 1_912, 2_190, 2_520)
    model = cost_model(asked(*((100, 10 * n, took) for n, took in enumerate(ns, 1))))
    assert model is not None
    cost = model.per_output
    assert cost.value is not None
    assert cost.low is not None
    assert cost.high is not None
    assert cost.low < cost.value < cost.high
    assert cost.value - cost.low == pytest.approx(cost.high - cost.value)


def test_a_share_is_of_the_mean_wall_time_of_a_query() -> None:
    queries = asked(*((100, 10 * n, 1_000_000 + 300_000 * n) for n in range(1, 6)))
    model = cost_model(queries)
    assert model is not None
    saved = next(saving for saving in savings_of(queries, model) if saving.slug == "output-20")
    assert saved.saved_ns == pytest.approx(0.2 * 300_000 * 3)  # three in the mean
    assert saved.share == pytest.approx(0.2 * 900_000 / 1_900_000)


def test_only_tools_that_took_time_have_windows() -> None:
    def span(phase: Phase, start_ns: int, end_ns: int) -> PhasedSpan:
        return PhasedSpan("q", "t", str(start_ns), None, start_ns, end_ns, phase, Provenance.CLIENT)

    spans = [
        span(Phase.TOOL, 50, 90),
        span(Phase.TOOL, 10, 30),
        span(Phase.DECODE, 0, 9),
        span(Phase.TOOL, 5, 5),
    ]
    assert tool_windows(spans) == {"q": ((10, 30), (50, 90))}
