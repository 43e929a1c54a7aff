"""Clocks of different machines are brought together by one shift each; processes of one machine are left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
from flaws import find_flaws
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.analysis.trees.clock_skew import ClockSkew, Shift, correct_clocks
from punie.trace.analysis.trees.hosts import Machines, Process, Relation, process_of, relation
from punie.trace.analysis.trees.tree import grow
from punie.trace.model import Attributes, Event, Span, SpanKind, SpanSet, StatusCode

T: Final = "a" * 32
LAPTOP: Final = {"service.name": "agent", "host.name": "laptop"}
BOX: Final = {"service.name": "mlx_lm", "host.name": "box"}
MS: Final = 1_000_000


def span(
    name: str,
    parent: str | None,
    start: int,
    end: int,
    resource: Attributes,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
) -> Span:
    return Span(T, name, parent, name, start, end, kind, attributes or {}, resource=resource)


def corrected(*spans: Span) -> tuple[dict[str, tuple[int, int]], ClockSkew]:
    forest, skew = correct_clocks(grow(spans))
    return {key[1]: (one.start_ns, one.end_ns) for key, one in forest.spans.items()}, skew


ROOT: Final = span("query", None, 1000, 2000, LAPTOP)
POST: Final = span("POST", "query", 1100, 1500, LAPTOP, kind=SpanKind.CLIENT)


@pytest.mark.parametrize("off_ns", [-10_000, -101, 101, 5_000_000_000])
def test_what_fits_into_its_parent_is_put_into_the_middle_with_all_that_its_machine_made(off_ns: int) -> None:
    served = span("served", "POST", 1200 + off_ns, 1400 + off_ns, BOX, kind=SpanKind.SERVER)
    decode = span("decode", "served", 1250 + off_ns, 1390 + off_ns, BOX)
    times, skew = corrected(ROOT, POST, served, decode)
    assert times == {
        "query": (1000, 2000),
        "POST": (1100, 1500),
        "served": (1200, 1400),
        "decode": (1250, 1390),
    }
    assert skew.shifts == (Shift(T, "box", -off_ns, 100),)


def test_what_already_lies_inside_is_not_centred() -> None:
    served = span("served", "POST", 1101, 1301, BOX)
    times, skew = corrected(ROOT, POST, served)
    assert times["served"] == (1101, 1301)
    assert skew == ClockSkew()


def test_several_requests_narrow_the_room() -> None:
    again = span("again", "query", 1600, 1800, LAPTOP)
    first = span("first", "POST", 11_150, 11_450, BOX)  # room: -10 050 … -9 950
    second = span("second", "again", 11_710, 11_790, BOX)  # room: -10 110 … -9 990
    times, skew = corrected(ROOT, POST, again, first, second)
    assert skew.shifts == (Shift(T, "box", -10_020, 30),)  # room of both: -10 050 … -9 990
    assert (times["first"], times["second"]) == ((1130, 1430), (1690, 1770))


def test_what_is_longer_than_its_parent_has_to_begin_inside_it() -> None:
    times, skew = corrected(ROOT, POST, span("served", "POST", 600, 1300, BOX))
    assert times["served"] == (1300, 2000)  # room of its start: 1100 … 1500
    assert skew.shifts == (Shift(T, "box", 700, 200),)
    untouched, none = corrected(ROOT, POST, span("served", "POST", 1200, 1900, BOX))
    assert (untouched["served"], none) == ((1200, 1900), ClockSkew())


@pytest.mark.parametrize(
    "request_span",
    [
        replace(POST, attributes={semconv.HTTP_ENDS_AT: semconv.HTTP_ENDS_AT_HEADERS}),
        replace(POST, attributes={semconv.HTTP_ENDS_AT: "close"}),
        replace(POST, status=StatusCode.ERROR),
    ],
    ids=["ends at the headers", "left", "failed"],
)
def test_a_client_that_did_not_wait_for_the_end_says_nothing_of_it(request_span: Span) -> None:
    served = span("served", "POST", 1300, 1600, BOX)
    assert corrected(ROOT, request_span, served)[1] == ClockSkew()
    assert corrected(ROOT, POST, served)[1] != ClockSkew()


def test_a_consumer_only_begins_after_its_producer() -> None:
    sent = span("sent", "query", 1100, 1110, LAPTOP, kind=SpanKind.PRODUCER)
    late = span("late", "sent", 5000, 5001, BOX, kind=SpanKind.CONSUMER)
    assert corrected(ROOT, sent, late)[1] == ClockSkew()
    early = replace(late, start_ns=900, end_ns=950)
    assert corrected(ROOT, sent, early)[1].shifts == (Shift(T, "box", 200, None),)


def test_a_machine_that_asks_back_is_held_against_both_clocks() -> None:
    served = span("served", "POST", 50_000, 50_300, BOX)
    back = span("back", "served", 1250, 1260, LAPTOP)
    times, skew = corrected(ROOT, POST, served, back)
    assert times["back"] == (1250, 1260)
    start, end = times["served"]
    assert 1100 <= start <= 1250 < 1260 <= end <= 1500
    assert len(skew.shifts) == 1


def test_where_no_one_shift_fits_nothing_is_moved_and_it_is_said() -> None:
    again = span("again", "query", 1600, 1800, LAPTOP)
    early = span("early", "POST", 100, 300, BOX)
    late = span("late", "again", 9_000, 9_100, BOX)
    spans = (ROOT, POST, again, early, late)
    times, skew = corrected(*spans)
    assert times == {one.span_id: (one.start_ns, one.end_ns) for one in spans}
    assert skew == ClockSkew(unclear=(f"{T}: box",))
    (finding,) = (f for f in find_flaws(read_traces(SpanSet(spans))) if f.slug == "clock-skew-unclear")
    assert (finding.effect, finding.count) == (Effect.DOWNGRADED, 1)


def test_a_server_at_work_for_the_whole_request_fits_one_shift() -> None:
    length = POST.end_ns - POST.start_ns
    served = span("served", "POST", POST.start_ns + 9_000, POST.start_ns + 9_000 + length, BOX)
    times, skew = corrected(ROOT, POST, served)
    assert times["served"] == (POST.start_ns, POST.end_ns)
    assert skew == ClockSkew(shifts=(Shift(T, "box", -9_000, 0),))


def test_events_move_and_an_end_that_was_never_told_stays_untold() -> None:
    served = replace(span("served", "POST", 10_100, 0, BOX), events=(Event("token", 10_200),))
    forest, _ = correct_clocks(grow((ROOT, POST, served)))
    moved = forest.spans[T, "served"]
    assert (moved.start_ns, moved.end_ns, moved.events[0].time_ns) == (1300, 0, 1400)


@pytest.mark.parametrize("resource", [LAPTOP, {**BOX, "host.name": "laptop"}, {"service.name": "mlx_lm"}, {}])
def test_on_one_machine_and_where_it_is_not_known_nothing_is_shifted(resource: Attributes) -> None:
    spans = (ROOT, POST, span("served", "POST", 50 * MS, 50 * MS + 9, resource))
    times, skew = corrected(*spans)
    assert times["served"] == (50 * MS, 50 * MS + 9)
    assert skew.shifts == ()
    known = "host.name" in resource
    assert skew.unknown == (() if known else ((T, "served"),))
    slugs = {finding.slug: finding.effect for finding in find_flaws(read_traces(SpanSet(spans)))}
    assert slugs.get("host-not-known") == (None if known else Effect.SHOWN)


@pytest.mark.parametrize(("resource", "loopback"), [({"service.name": "mlx_lm"}, True), (BOX, True)])
def test_a_request_over_loopback_stays_on_its_machine(resource: Attributes, loopback: bool) -> None:
    post = replace(POST, attributes={"server.address": "127.0.0.1"} if loopback else {})
    times, skew = corrected(ROOT, post, span("served", "POST", 50 * MS, 50 * MS + 9, resource))
    assert times["served"] == (50 * MS, 50 * MS + 9)
    assert skew == ClockSkew()


def test_the_finding_says_how_far_and_how_surely_and_the_ledger_reads_the_corrected_times() -> None:
    chat = span("chat", "query", 1090, 1510, LAPTOP, attributes={semconv.OPERATION: "chat"})
    post = replace(POST, parent_id="chat", attributes={"http.request.method": "POST"})
    served = span("served", "POST", 9_000, 9_200, BOX, kind=SpanKind.SERVER)
    found = read_queries(SpanSet((ROOT, chat, post, served)))
    (finding,) = (f for f in found.findings if f.slug == "clock-skew")
    assert (finding.effect, finding.examples) == (Effect.DOWNGRADED, (f"{T}: box by -7.80 µs",))
    assert finding.message.endswith(": by up to 7.80 µs, known to ±100 ns")
    assert {p.value: ns for p, ns in found.records[0].ledger.phases_ns.items() if ns} == {
        "model": 200,
        "http": 200,
        "framework": 600,
    }


SIGNS: Final = {
    "the surest name that both tell decides": (
        {"host.id": "1", "host.name": "a"},
        {"host.id": "2", "host.name": "a"},
        Relation.OTHER_MACHINE,
    ),
    "two pods of one node": (
        {"k8s.node.name": "n", "host.name": "pod-1", "k8s.pod.uid": "1"},
        {"k8s.node.name": "n", "host.name": "pod-2", "k8s.pod.uid": "2"},
        Relation.ONE_MACHINE,
    ),
    "pods that differ say nothing": ({"k8s.pod.uid": "1"}, {"k8s.pod.uid": "2"}, Relation.NOT_KNOWN),
    "one pod": (
        {"k8s.pod.uid": "1", "host.name": "a"},
        {"k8s.pod.uid": "1", "host.name": "b"},
        Relation.ONE_MACHINE,
    ),
    "names of different kinds": ({"host.id": "1"}, {"host.name": "a"}, Relation.NOT_KNOWN),
    "one service without names": ({"service.name": "a"}, {"service.name": "a"}, Relation.ONE_MACHINE),
    "two services without names": ({"service.name": "a"}, {"service.name": "b"}, Relation.NOT_KNOWN),
}


@pytest.mark.parametrize("case", SIGNS)
def test_what_tells_one_machine_from_another(case: str) -> None:
    one, other, expected = SIGNS[case]
    mine, theirs = (process_of(span("x", None, 0, 1, resource)) for resource in (one, other))
    assert relation(mine, theirs) is relation(theirs, mine) is expected


def test_processes_are_gathered_over_what_each_two_of_them_share() -> None:
    resources = ({"host.id": "1"}, {"host.name": "a"}, {"host.id": "1", "host.name": "a"}, {"host.name": "b"})
    processes: list[Process] = [process_of(span("x", None, 0, 1, resource)) for resource in resources]
    machines = Machines(processes)
    assert len({machines.of(process) for process in processes}) == 2
    assert machines.differ(processes[0], processes[3])


@st.composite
def nested_spans(draw: st.DrawFn, hosts: int) -> tuple[Sequence[Span], Sequence[int]]:
    """A tree whose children lie inside their parents by one true clock, and how far off each host's clock is."""
    offsets = [0, *(draw(st.integers(-(10**6), 10**6)) for _ in range(hosts - 1))]
    windows, homes = [(10**7, 10**7 + 10_000)], [0]
    spans = [span("s0", None, *windows[0], {"host.name": "h0"})]
    for number in range(1, draw(st.integers(1, 12))):
        parent = draw(st.integers(0, number - 1))
        start = draw(st.integers(*windows[parent]))
        end = draw(st.integers(start, windows[parent][1]))
        host = draw(st.integers(0, hosts - 1))
        windows.append((start, end))
        homes.append(host)
        off_ns = offsets[host]
        resource = {"host.name": f"h{host}"}
        spans.append(span(f"s{number}", f"s{parent}", start + off_ns, end + off_ns, resource))
    return spans, homes


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4).flatmap(nested_spans))
def test_after_the_correction_children_lie_inside_unless_it_says_otherwise(
    drawn: tuple[Sequence[Span], Sequence[int]],
) -> None:
    spans, homes = drawn
    forest, skew = correct_clocks(grow(spans))
    found = forest.spans
    assert all(found[T, one.span_id].duration_ns == one.duration_ns for one in spans)
    shifts = [{found[T, s.span_id].start_ns - s.start_ns for s, h in zip(spans, homes, strict=True) if h == host}
              for host in range(4)]  # fmt: skip
    assert all(len(of_host) <= 1 for of_host in shifts)  # one machine, one shift
    if len(set(homes)) == 1:
        assert (dict(found), skew) == ({(T, one.span_id): one for one in spans}, ClockSkew())
    if len(set(homes)) <= 2:
        assert skew.unclear == ()
    if not skew.unclear:
        for one in spans[1:]:
            child, parent = found[T, one.span_id], found[T, one.parent_id or ""]
            assert parent.start_ns <= child.start_ns <= child.end_ns <= parent.end_ns


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4).flatmap(nested_spans), st.randoms(use_true_random=False))
def test_the_order_of_the_spans_makes_no_difference(
    drawn: tuple[list[Span], Sequence[int]], random: object
) -> None:
    spans = list(drawn[0])
    random.shuffle(spans)  # type: ignore[attr-defined] # Hypothesis's Random
    assert correct_clocks(grow(spans)) == correct_clocks(grow(drawn[0]))
