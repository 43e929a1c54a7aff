"""The sweep against a slow reference, interval by interval."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_cases import queries, queries_in_turn, reference
from msgspec.structs import replace

from punie.trace.analysis.ledger.in_turn import by_query
from punie.trace.analysis.ledger.ledger import compute_ledgers, ledgers_of
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.path.query_paths import paths_of
from punie.trace.model import PHASES


@settings(deadline=None, max_examples=200)
@given(queries(), st.randoms(use_true_random=False))
def test_agrees_to_the_nanosecond_in_any_order(spans: list[PhasedSpan], random: Random) -> None:
    wall_ns, totals, contested, sources = reference(spans)
    random.shuffle(spans)
    (ledger,) = compute_ledgers(spans)
    assert ledger.wall_ns == wall_ns
    assert dict(ledger.phases_ns) == totals
    assert dict(ledger.contested_ns) == contested
    assert {phase: set(found) for phase, found in ledger.provenance.items() if found} == sources


@settings(deadline=None, max_examples=200)
@given(st.booleans().flatmap(lambda overlap: queries_in_turn(overlap=overlap)))
def test_self_times_and_sweeps_through_what_overlaps_are_what_one_sweep_finds(
    spans: list[PhasedSpan],
) -> None:
    (found,) = by_query(replace(span, name=span.phase) for span in spans)
    assert found.in_turn is not None
    (of_self_times,) = ledgers_of([found])
    assert (of_self_times,) == ledgers_of([found._replace(in_turn=None)])
    assert paths_of([found]) == paths_of([found._replace(in_turn=None)])


@settings(deadline=None, max_examples=30)
@given(st.lists(queries(), min_size=2, max_size=5))
def test_queries_do_not_touch_each_other(several: list[list[PhasedSpan]]) -> None:
    named = [
        [replace(span, query_key=f"q{number}", trace_id=f"t{number % 2}") for span in spans]
        for number, spans in enumerate(several)
    ]
    together = compute_ledgers([span for spans in named for span in spans])
    alone = [compute_ledgers(spans)[0] for spans in named]
    assert sorted(together, key=lambda one: one.query_key) == alone


@settings(deadline=None)
@given(queries())
def test_time_is_conserved(spans: list[PhasedSpan]) -> None:
    (ledger,) = compute_ledgers(spans)
    assert sum(ledger.phases_ns.values()) == ledger.wall_ns >= 0
    for phase in PHASES:
        assert 0 <= ledger.contested_ns[phase] <= ledger.phases_ns[phase]
