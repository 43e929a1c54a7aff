"""Client and server that share a span's id, as Zipkin's writers have it: both count, one inside the other."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import pytest
from flaws import find_flaws
from msgspec.structs import replace

from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.analysis.trees.tree import copies_in_order, grow
from punie.trace.model import Phase, Span, SpanKind, SpanSet

T: Final = "a" * 32
AGENT: Final = {"service.name": "agent"}
MODEL: Final = {"service.name": "model"}
ROOT: Final = Span(
    T, "1", None, "invoke_agent", 0, 1000, attributes={"gen_ai.operation.name": "invoke_agent"}
)
CLIENT: Final = Span(
    T,
    "2",
    "1",
    "POST",
    10,
    900,
    kind=SpanKind.CLIENT,
    attributes={"http.request.method": "POST"},
    resource=AGENT,
)
SERVER: Final = Span(T, "2", "1", "server request", 50, 800, kind=SpanKind.SERVER, resource=MODEL)
DECODE: Final = Span(
    T,
    "3",
    "2",
    "decode",
    100,
    700,
    attributes={"punie.phase": "decode", "punie.phase.provenance": "server"},
    resource=MODEL,
)
CONNECT: Final = Span(T, "4", "2", "connect", 20, 40, resource=AGENT)
SPANS: Final = (ROOT, CLIENT, SERVER, DECODE, CONNECT)


def parents(*spans: Span) -> dict[str, str | None]:
    forest = grow(spans)
    return {key[1]: parent and parent[1] for key, parent in forest.parent.items()}


def test_the_server_s_span_stands_below_the_client_s_with_what_is_its_own() -> None:
    expected = {"1": None, "2": "1", "2.server": "2", "3": "2.server", "4": "2"}
    assert all(parents(*spans) == expected for spans in permutations(SPANS))
    forest = grow(SPANS)
    assert forest.spans[T, "2"].name == "POST"
    assert forest.spans[T, "2.server"].name == "server request"
    assert (set(forest.shared), set(forest.conflicts), forest.repeats) == ({(T, "2")}, set(), ())


def test_its_time_is_the_server_s() -> None:
    (record,) = read_queries(SpanSet(SPANS)).records
    phases = record.ledger.phases_ns
    assert (phases[Phase.DECODE], phases[Phase.SERVE], phases[Phase.HTTP]) == (600, 150, 140)
    (finding,) = (flaw for flaw in find_flaws(read_traces(SpanSet(SPANS))) if flaw.slug == "shared-id")
    assert (finding.effect, finding.count, finding.examples) == (Effect.SHOWN, 1, (f"{T}/2",))


def test_a_call_inside_the_server_that_shares_its_id_too_stands_in_the_server() -> None:
    inner = replace(CLIENT, span_id="5", parent_id="2", start_ns=200, end_ns=600, resource=MODEL)
    tool = replace(
        SERVER, span_id="5", parent_id="2", start_ns=300, end_ns=500, resource={"service.name": "t"}
    )
    found = parents(*SPANS, inner, tool)
    assert (found["5"], found["5.server"]) == ("2.server", "5")


def test_copies_that_were_delivered_twice_are_repeats_all_the_same() -> None:
    forest = grow((*SPANS, *SPANS))
    assert len(forest.spans) == len(SPANS)
    assert (len(forest.repeats), forest.conflicts) == (len(SPANS), frozenset())


@pytest.mark.parametrize(
    "other",
    [
        replace(SERVER, kind=SpanKind.CLIENT),
        replace(SERVER, kind=SpanKind.INTERNAL),
        replace(SERVER, parent_id="9"),
    ],
    ids=["two clients", "no server", "another parent"],
)
def test_other_copies_that_differ_stay_a_conflict(other: Span) -> None:
    forest = grow((ROOT, CLIENT, other, DECODE))
    assert (set(forest.shared), set(forest.conflicts)) == (set(), {(T, "2")})
    assert forest.spans[T, "2"] == CLIENT


def test_of_copies_the_longest_is_the_last_whatever_their_order() -> None:
    short, long = replace(DECODE, end_ns=200), replace(DECODE, end_ns=650)
    other = replace(long, trace_id="b" * 32)
    for order in permutations((short, long, other)):
        found = {(span.trace_id, span.span_id): span for span in copies_in_order(order)}
        assert found == {(T, "3"): long, ("b" * 32, "3"): other}
    assert copies_in_order((long, other)) == (long, other)
