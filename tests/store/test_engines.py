"""One SQL text on three engines, and the form for a cluster: identical nanoseconds, the same as a slow sweep."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ledger_cases import queries, sweep

from punie.trace.analysis.ledger.ledger import Engine, SpanRow, compute_ledgers, ledger_sql
from punie.trace.analysis.ledger.phases import PhasedSpan, classify
from punie.trace.analysis.records import QueryLedger
from punie.trace.errors import InputError, UsageError
from punie.trace.store.duckdb_engine import DuckDbEngine
from punie.trace.store.engines import MANY_SPANS, choose_engine
from punie.trace.store.sources import read_source
from punie.trace.store.sqlite import SqliteEngine


@pytest.fixture(scope="module", params=["duckdb", "clickhouse", "clickhouse arrays"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engines beside SQLite, on which every other test runs."""
    if request.param == "duckdb":
        return DuckDbEngine()
    from chdb_engine import ChdbArrays, ChdbEngine

    return ChdbArrays() if request.param == "clickhouse arrays" else ChdbEngine()


def agree(spans: Sequence[PhasedSpan], engine: Engine) -> tuple[QueryLedger, ...]:
    """The ledgers, which both engines have in common."""
    found = compute_ledgers(spans, engine)
    assert found == compute_ledgers(spans, SqliteEngine())
    return found


@settings(
    deadline=None,
    max_examples=2,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(several=st.lists(queries(), min_size=40, max_size=60), random=st.randoms(use_true_random=False))
def test_generated_queries_have_the_same_ledgers_on_every_engine(
    engine: Engine, several: list[list[PhasedSpan]], random: Random
) -> None:
    named = [
        [replace(span, query_key=f"q{number}", trace_id=f"t{number % 2}") for span in spans]
        for number, spans in enumerate(several)
    ]
    together = [span for spans in named for span in spans]
    random.shuffle(together)
    found = {ledger.query_key: ledger for ledger in agree(together, engine)}
    for spans in named:
        wall_ns, totals, contested, sources = sweep(spans)
        ledger = found[spans[0].query_key]
        assert (ledger.wall_ns, ledger.phases_ns, ledger.contested_ns) == (wall_ns, totals, contested)
        assert {phase: set(how) for phase, how in ledger.provenance.items() if how} == sources


def test_every_trace_of_the_corpus_has_the_same_ledger_on_every_engine(engine: Engine) -> None:
    folder = os.environ.get("PUNIE_CORPUS")
    if folder is None:
        pytest.skip("PUNIE_CORPUS is not set: no traces of others to read")
    found: list[PhasedSpan] = []
    for path in sorted(Path(folder).iterdir()):
        try:
            spans = read_source(str(path)).spans
        except InputError:
            continue  # what is no source has a test of its own
        found += (replace(span, query_key=f"{path.name} {span.query_key}") for span in classify(spans))
    assert len(agree(found, engine)) >= 8


def _random_rows(random: Random) -> list[SpanRow]:
    return [
        (
            query,
            span,
            random.choice([None, *range(12)]),
            low,
            low + random.randint(-3, 9),
            rank,
            rank % 5,
            int(not span),
        )
        for query in range(900)
        for span in range(random.randint(1, 11))
        for low, rank in [(random.randint(0, 9), random.randrange(11))]
    ]


def test_the_form_for_a_cluster_gives_the_same_rows() -> None:
    from chdb_engine import ChdbArrays, ChdbEngine

    rows = _random_rows(Random(2))  # noqa: S311 - no secret
    found = [sorted(engine.run(ledger_sql(), rows)) for engine in (ChdbArrays(), ChdbEngine())]
    assert len(found[0]) > 500
    assert found[0] == found[1]


def test_the_wide_text_gives_the_same_rows_on_every_engine(engine: Engine) -> None:
    rows = _random_rows(Random(3))  # noqa: S311 - no secret
    found = sorted(engine.run(ledger_sql(wide=True), rows), key=repr)
    assert found == sorted(engine.run(ledger_sql(), rows), key=repr)
    assert len(found) > 500


def test_no_spans_no_ledgers(engine: Engine) -> None:
    assert compute_ledgers([], engine) == ()


@pytest.mark.parametrize(
    ("name", "spans", "kind"),
    [
        ("auto", MANY_SPANS - 1, SqliteEngine),
        ("auto", MANY_SPANS, DuckDbEngine),
        ("sqlite", MANY_SPANS, SqliteEngine),
        ("duckdb", 1, DuckDbEngine),
    ],
)
def test_the_engine_follows_the_name_then_the_number_of_spans(name: str, spans: int, kind: type) -> None:
    assert isinstance(choose_engine(name, spans), kind)


def test_an_unknown_engine_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--engine oracle"):
        choose_engine("oracle", 1)


def test_a_missing_duckdb_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError, match="--engine duckdb") as caught:
        DuckDbEngine()
    assert "punie-trace[duckdb]" in caught.value.remedy
