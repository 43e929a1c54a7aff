"""Formats that other programs read, held against these programs' own readers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

import pytest
from drawn_reports import DRAWN
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sample_reports import DOCUMENTS
from syrupy.assertion import SnapshotAssertion

from punie.trace.model import Verdict
from punie.trace.report.document import Document, Figure, Unit
from punie.trace.report.formats import by_ending, by_name
from punie.trace.report.page import Page

FOLDED, JUNIT, OPENMETRICS, PERFETTO = (
    by_name(name) for name in ("folded", "junit", "openmetrics", "perfetto")
)
EVENT = proto.TrackEvent
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ALL = {f"drawn {name}": made for name, made in DRAWN.items()} | dict(DOCUMENTS)
JUDGED = {name: made for name, made in ALL.items() if any(made().answers)}


# --- folded stacks ---


@pytest.mark.parametrize("name", DRAWN)
def test_folded_stacks_sum_to_the_wall_time_of_every_query(name: str, snapshot: SnapshotAssertion) -> None:
    document = DRAWN[name]()
    text = FOLDED.write(document)
    assert text == snapshot
    sums: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, weight = line.rpartition(" ")
        sums[stack.partition(";")[0]] += int(weight)
    assert document.drawings is not None
    walls = sorted(record.wall_ns for record in document.drawings.records)
    assert sorted(sums.values()) == (walls or [0])


def test_a_name_ends_neither_its_frame_nor_its_line() -> None:
    lines = FOLDED.write(DRAWN["failed"]()).splitlines()
    assert OBEYED.search("\n".join(lines).replace("\n", "")) is None
    assert {len(line.split(";")) for line in lines} <= {1, 2, 3, 4, 5, 6}
    assert any("</script>" in line for line in lines)  # in plain text that is nobody's markup


# --- JUnit ---


def _result(case: ET.Element) -> str:
    return next((what for what in ("failure", "skipped") if case.find(what) is not None), "pass")


@pytest.mark.parametrize("name", JUDGED)
def test_junit_has_a_case_for_each_verdict_and_gates_alone_can_fail(name: str) -> None:
    document = JUDGED[name]()
    answers = list(document.answers)
    slugs = tuple({answer.slug for answer in answers})
    for gates, of_no in (((), "skipped"), (slugs, "failure")):
        text = JUNIT.write(document, Page(gates=gates))
        assert OBEYED.search(text) is None
        (suite,) = ET.fromstring(text)  # noqa: S314 - we wrote it
        cases = suite.findall("testcase")
        results = [_result(case) for case in cases]
        means = {Verdict.YES: "pass", Verdict.NO: of_no, Verdict.UNDECIDED: "skipped"}
        assert results == [means[answer.verdict] for answer in answers]
        counts = {name: int(value) for name, value in suite.attrib.items() if name != "name"}
        said = Counter(results)
        assert counts == {
            "tests": len(cases),
            "failures": said["failure"],
            "errors": 0,
            "skipped": said["skipped"],
        }
        for case, answer in zip(cases, answers, strict=True):
            assert case.attrib["name"]
            skipped = case.find("skipped")
            assert skipped is None or skipped.attrib["message"].startswith(f"{answer.verdict.value}, ")


def test_a_gate_without_anything_to_judge_it_by_is_skipped() -> None:
    text = JUNIT.write(DOCUMENTS["decision one"](), Page(gates=("memory",)))
    (case,) = ET.fromstring(text).iter("testcase")  # noqa: S314
    assert (case.attrib["classname"], _result(case)) == ("punie-trace.memory", "skipped")


@pytest.mark.parametrize("name", JUDGED)
def test_junit_as_it_was(name: str, snapshot: SnapshotAssertion) -> None:
    assert JUNIT.write(JUDGED[name]()) == snapshot


def test_with_gates_named_they_alone_are_cases() -> None:
    text = JUNIT.write(DOCUMENTS["run many"](), Page(gates=("accuracy", "target")))
    names = [case.attrib["classname"] for case in ET.fromstring(text).iter("testcase")]  # noqa: S314
    assert names == ["punie-trace.accuracy", "punie-trace.target"]


# --- OpenMetrics ---


def _families(document: Document) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(OPENMETRICS.write(document)):  # type: ignore[no-untyped-call]
        assert family.name not in found
        samples = {tuple(sorted(one.labels.items())): one.value for one in family.samples}
        assert len(samples) == len(family.samples)  # no sample twice
        found[family.name] = samples
    return found


@pytest.mark.parametrize("name", ALL)
def test_openmetrics_has_every_figure_that_is_known(name: str) -> None:
    document = ALL[name]()
    families = _families(document)
    figures = [answer.figure for answer in document.answers]
    figures += [
        cell
        for section in document.sections
        for row in (section.table.rows if section.table else ())
        for cell in row[1:]
        if isinstance(cell, Figure)
    ]
    known = [value for one in figures for value in (one.value, one.low, one.high) if value is not None]
    rest = {"punie_trace_report", "punie_trace_verdict"}
    assert sum(len(samples) for name, samples in families.items() if name not in rest) == len(known)


def test_openmetrics_has_base_units_and_verdicts_as_states() -> None:
    document = DOCUMENTS["run many"]()
    families = _families(document)
    (target,) = (answer for answer in document.answers if answer.slug == "target")
    assert target.figure.unit is Unit.NANOSECONDS
    assert target.figure.value is not None
    seconds = families["punie_trace_estimate_seconds"][("question", "target"),]
    assert seconds == pytest.approx(target.figure.value / 1e9)
    states = families["punie_trace_verdict"]
    given = {labels: value for labels, value in states.items() if ("question", "target") in labels}
    assert sum(given.values()) == 1
    assert len(given) == len(Verdict)


# --- Perfetto ---


def _trace(name: str) -> proto.Trace:
    trace = proto.Trace()
    trace.ParseFromString(PERFETTO.write_bytes(DRAWN[name]()))
    return trace


def _tracks(trace: proto.Trace) -> dict[int, proto.TrackDescriptor]:
    found = [packet.track_descriptor for packet in trace.packet if packet.HasField("track_descriptor")]
    assert len({track.uuid for track in found}) == len(found)
    return {track.uuid: track for track in found}


def _messages(trace: proto.Trace) -> Iterator[Message]:
    """The trace and the messages in it, for fields that Perfetto doesn't know."""
    found: list[Message] = [trace]
    for message in found:  # grows while we walk it
        yield message
        for field, value in message.ListFields():
            if field.message_type is not None:
                found.extend(value if isinstance(value, Sequence) or hasattr(value, "append") else [value])


def _shown(trace: proto.Trace) -> str:
    """The trace as text: what a reader would see, event by event."""
    lines, tracks = [], _tracks(trace)
    for packet in trace.packet:
        if packet.HasField("track_descriptor"):
            one = packet.track_descriptor
            name = one.process.process_name or f"{tracks[one.parent_uuid].process.process_name} / {one.name}"
            lines.append(f"track {one.uuid}: {name}")
        else:
            event = packet.track_event
            kind = EVENT.Type.Name(event.type).removeprefix("TYPE_")
            notes = {
                note.name: note.string_value if note.HasField("string_value") else note.int_value
                for note in event.debug_annotations
            }
            flows = [*event.flow_ids], [*event.terminating_flow_ids]
            more = (
                event.counter_value if kind == "COUNTER" else (event.name, [*event.categories], notes, flows)
            )
            lines.append(f"{packet.timestamp} {event.track_uuid} {kind} {more if kind != 'SLICE_END' else ''}".rstrip())  # fmt: skip # noqa: E501
    return "\n".join(lines)


@pytest.mark.parametrize("name", DRAWN)
def test_perfetto_reads_what_was_written(name: str, snapshot: SnapshotAssertion) -> None:
    trace = _trace(name)
    again = trace.SerializeToString()
    reread = proto.Trace()
    reread.ParseFromString(again)
    assert reread == trace
    assert not any(len(UnknownFieldSet(message)) for message in _messages(trace))
    text = _shown(trace)
    assert OBEYED.search(text.replace("\n", "")) is None
    if name != "many":
        assert text == snapshot


@pytest.mark.parametrize("name", DRAWN)
def test_slices_of_a_track_are_nested_and_time_never_goes_back(name: str) -> None:
    trace = _trace(name)
    tracks = _tracks(trace)
    open_slices: dict[int, list[int]] = defaultdict(list)
    last_ns = 0
    for packet in (packet for packet in trace.packet if packet.HasField("track_event")):
        event = packet.track_event
        assert event.track_uuid in tracks
        assert packet.timestamp >= last_ns
        last_ns = packet.timestamp
        if event.type == EVENT.TYPE_SLICE_BEGIN:
            open_slices[event.track_uuid].append(packet.timestamp)
        elif event.type == EVENT.TYPE_SLICE_END:
            open_slices[event.track_uuid].pop()
    assert not any(open_slices.values())
    assert all(track.parent_uuid in tracks for track in tracks.values() if not track.HasField("process"))


def test_processes_lanes_flows_counters_and_the_critical_path() -> None:
    trace = _trace("one")
    tracks = _tracks(trace)
    names = [track.process.process_name for track in tracks.values() if track.HasField("process")]
    assert names == [
        "agent (pid 7, here)",
        "HTTP client of agent (pid 7, here)",
        "server mlx_lm (pid 8, here)",
        "critical path",
    ]
    lanes = Counter(track.name for track in tracks.values() if not track.HasField("process"))
    assert lanes["agent"] == 2  # the tools overlap
    events = [(packet.timestamp, packet.track_event) for packet in trace.packet]
    (leaving,) = (event.name for _, event in events if event.flow_ids)
    (arriving,) = (event.name for _, event in events if event.terminating_flow_ids)
    assert (leaving, arriving) == ("POST", "request")
    values = defaultdict(list)
    for _, event in events:
        if event.type == EVENT.TYPE_COUNTER:
            values[tracks[event.track_uuid].name].append(event.counter_value)
    assert values == {
        "memory": [150_000_000],
        "prefill tokens/s": [2000, 0],  # 30 of 40 tokens were not cached, in 15 ms
        "decode tokens/s": [1000, 0],  # 25 in 25 ms
    }
    path = next(uuid for uuid, track in tracks.items() if track.name == "critical path")
    on_path = [at for at, event in events if event.track_uuid == path]
    assert on_path[-1] - on_path[0] == 100_000_000
    assert on_path[1:-1:2] == on_path[2::2]  # where a piece ends the next one begins


def test_queries_at_one_time_have_lanes_of_their_own_and_their_tokens_are_summed() -> None:
    trace = _trace("many")  # each begins 60 ms after the one before and takes 100
    tracks = _tracks(trace)
    servers = [uuid for uuid, track in tracks.items() if track.process.process_name.startswith("server")]
    lanes = [track for track in tracks.values() if track.parent_uuid in servers and track.name == "server"]
    assert len(lanes) == 2


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("trace.perfetto-trace", "perfetto"),
        ("A.PFTRACE", "perfetto"),
        ("trace.folded", "folded"),
        ("gates.junit.xml", "junit"),
        ("metrics.openmetrics.txt", "openmetrics"),
        ("notes.txt", "text"),
    ],
)
def test_the_longest_ending_tells_the_format(file_name: str, name: str) -> None:
    entry = by_ending(file_name)
    assert entry is not None
    assert entry.name == name


def test_a_binary_format_is_no_text() -> None:
    with pytest.raises(TypeError, match="perfetto is binary"):
        PERFETTO.write(DRAWN["one"]())
    assert FOLDED.write_bytes(DRAWN["one"]()).decode() == FOLDED.write(DRAWN["one"]())
