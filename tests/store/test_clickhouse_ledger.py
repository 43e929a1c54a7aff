"""The text that ClickHouse runs gives the ledgers that the sweep defines, and the slow reference: to the nanosecond."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from chdb_engine import ledgers_of_clickhouse
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from ledger_cases import queries, reference
from msgspec.structs import replace
from phased import classify
from query_trees import Tree, seeded

from punie.trace.analysis.ledger.ledger import compute_ledgers
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.errors import InputError
from punie.trace.model import PHASE_GROUP, PHASE_RANK, PHASES, Group, Phase, Provenance
from punie.trace.store.clickhouse.texts import ledger_arrays_sql
from punie.trace.store.sources import read_source


def agree(spans: Sequence[PhasedSpan]) -> tuple[QueryLedger, ...]:
    """The ledgers, which both have in common."""
    found = compute_ledgers(spans)
    assert found == ledgers_of_clickhouse(spans)
    return found


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of an example that fails
@settings(
    deadline=None,
    max_examples=10,
    phases=[Stage.explicit, Stage.generate],
    suppress_health_check=list(HealthCheck),
)
@given(several=st.lists(queries(), min_size=40, max_size=60), seed=st.integers(0, 99))
def test_generated_queries(several: list[list[PhasedSpan]], seed: int) -> None:
    named = [
        [replace(span, query_key=f"q{number}", trace_id=f"t{number % 2}") for span in spans]
        for number, spans in enumerate(several)
    ]
    together = [span for spans in named for span in spans]
    seeded(seed).shuffle(together)  # drawn one by one they would be more draws than an example may have
    found = {ledger.query_key: ledger for ledger in agree(together)}
    for spans in named:
        wall_ns, totals, contested, sources = reference(spans)
        ledger = found[spans[0].query_key]
        assert (ledger.wall_ns, ledger.phases_ns, ledger.contested_ns) == (wall_ns, totals, contested)
        assert {phase: set(how) for phase, how in ledger.provenance.items() if how} == sources


def test_a_child_of_a_span_without_length_is_at_work_itself() -> None:
    """Its parent's number is the lowest, so that in the arrays nothing stands before it."""
    begin = 1_764_000_000_000_000_000

    def span(span_id: str, parent: str | None, start: int, end: int, phase: Phase) -> PhasedSpan:
        return PhasedSpan(
            "q",
            "t",
            span_id,
            parent,
            begin + start,
            begin + end,
            phase,
            Provenance.CLIENT,
            is_root=parent is None,
        )

    spans = [
        span("inverted", "parse", 7, 5, Phase.PARSE),
        span("http", "inverted", 8, 10, Phase.HTTP),
        span("root", None, 1, 12, Phase.FRAMEWORK),
        span("parse", "absent", 9, 12, Phase.PARSE),
    ]
    (ledger,) = agree(spans)
    assert (ledger.phases_ns[Phase.PARSE], ledger.contested_ns[Phase.PARSE]) == (3, 1)


def test_nine_hundred_trees_as_a_run_writes_them() -> None:
    random = seeded(3)
    spans = [span for number in range(900) for span in Tree(number, random).spans]
    assert len(agree(classify(spans))) == 900


def test_every_trace_of_the_corpus() -> None:
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
    assert len(agree(found)) >= 8


def test_no_spans_no_ledgers() -> None:
    assert agree([]) == ()


def test_the_text_gives_every_phase_its_place_in_the_order_of_precedence() -> None:
    sql = ledger_arrays_sql()
    owner = sql[sql.index("multiIf(") : sql.index(") AS owner")]
    assert [int(rank) for rank in re.findall(r"(?:>= \d+|> 0), (\d+)", owner)] == list(range(len(PHASES) - 1))
    assert owner.endswith(f", {PHASE_RANK[Phase.FRAMEWORK]}")


@pytest.mark.parametrize("group", Group)
def test_the_text_counts_every_group_with_its_phases(group: Group) -> None:
    own = [str(PHASE_RANK[phase]) for phase in PHASES if PHASE_GROUP[phase] is group]
    outsiders = rf"owner NOT IN \({', '.join(own)}\)" if len(own) > 1 else rf"owner != {own[0]}\)"
    assert len(re.findall(outsiders, ledger_arrays_sql())) == 1
