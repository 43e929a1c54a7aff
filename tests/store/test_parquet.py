"""Parquet of spans: our column names, those of the Collector's ClickHouse exporter, and what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import duckdb
import pytest
from flaws import find_flaws
from msgspec.structs import replace

from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.errors import InputError
from punie.trace.model import Event, Span, SpanKind, SpanSet, StatusCode
from punie.trace.store.files.limit import VARIABLE
from punie.trace.store.parquet.in_database import total
from punie.trace.store.parquet.rows import send_types
from punie.trace.store.sources import read_source

READ: Final = Span(
    trace_id="0123456789abcdef0123456789abcdef",
    span_id="0123456789abcdef",
    parent_id="fedcba9876543210",
    name="chat demo",
    start_ns=1764000000123456789,
    end_ns=1764000000123456793,
    kind=SpanKind.CLIENT,
    attributes={"n": 5, "list": ("a", "b")},
    status=StatusCode.ERROR,
    status_message="too slow",
    resource={"service.name": "agent"},
    scope="punie.trace",
)
OURS: Final = {
    "trace_id": "'0123456789ABCDEF0123456789ABCDEF'",
    "span_id": "'0123456789abcdef'",
    "parent_id": "'fedcba9876543210'",
    "name": "'chat demo'",
    "start_ns": "1764000000123456789",
    "end_ns": "1764000000123456793",
    "kind": "3",
    "status_code": "2",
    "status_message": "'too slow'",
    "attributes": """'{"n": 5, "list": ["a", "b"]}'""",
    "resource": """'{"service.name": "agent"}'""",
    "scope": "'punie.trace'",
}
CLICKHOUSE: Final = {
    "Timestamp": "TIMESTAMP_NS '2025-11-24 16:00:00.123456789'",
    "TraceId": OURS["trace_id"],
    "SpanId": OURS["span_id"],
    "ParentSpanId": OURS["parent_id"],
    "SpanName": OURS["name"],
    "SpanKind": "'Client'",
    "ServiceName": "'agent'",
    "ResourceAttributes": "MAP {'host.name': 'laptop'}",
    "ScopeName": OURS["scope"],
    "SpanAttributes": "MAP {'n': '5'}",
    "Duration": "4::UBIGINT",
    "StatusCode": "'Error'",
    "StatusMessage": OURS["status_message"],
}


def write(path: Path, *rows: dict[str, str]) -> Path:
    selects = " UNION ALL ".join(
        "SELECT " + ", ".join(f'{value} AS "{name}"' for name, value in row.items()) for row in rows
    )
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({selects}) TO '{path}' (FORMAT parquet)")
    return path


def read(folder: Path, *rows: dict[str, str], name: str = "spans.parquet") -> SpanSet:
    return read_source(str(write(folder / name, *rows)))


def test_our_columns(tmp_path: Path) -> None:
    assert read(tmp_path, OURS) == SpanSet((READ,))


def test_the_columns_of_the_clickhouse_exporter(tmp_path: Path) -> None:
    attributes, resource = {"n": "5"}, {"host.name": "laptop", "service.name": "agent"}
    assert read(tmp_path, CLICKHOUSE) == SpanSet((replace(READ, attributes=attributes, resource=resource),))


TEXTS: Final = {
    "gen_ai.usage.input_tokens": ("'96'", 96),
    "llm.token_count.prompt": ("'96'", 96),
    "gen_ai.response.time_to_first_chunk": ("'0.25'", 0.25),
    "gen_ai.response.finish_reasons": ("""'["stop"]'""", ("stop",)),
    "punie.score.ok": ("'true'", True),
    "punie.query.id": ("'7'", "7"),
}


def test_maps_of_text_give_back_the_numbers_truths_and_lists_that_their_keys_stand_for(
    tmp_path: Path,
) -> None:
    entries = ", ".join(f"'{key}': {text}" for key, (text, _) in TEXTS.items())
    row = {**CLICKHOUSE, "SpanAttributes": f"MAP {{{entries}}}"}
    found = read(tmp_path, row, {**row, "SpanId": "'00000000000000aa'"})
    for span in found.spans:
        assert span.attributes == {key: value for key, (_, value) in TEXTS.items()}
    assert {(note.slug, note.count) for note in found.notes} == {("numbers-as-text", 2)}
    (finding,) = (flaw for flaw in find_flaws(read_traces(found)) if flaw.slug == "numbers-as-text")
    assert (finding.effect, finding.count) == (Effect.SHOWN, 10)  # five keys of two spans


def test_values_that_have_their_types_are_no_text_numbers(tmp_path: Path) -> None:
    typed = {"attributes": """'{"gen_ai.usage.input_tokens": 5, "punie.score.ok": true}'"""}
    assert read(tmp_path, {**OURS, **typed}).notes == ()


def test_ids_as_bytes_and_attributes_as_a_struct(tmp_path: Path) -> None:
    ids = {name: f"from_hex({OURS[name]})" for name in ("trace_id", "span_id", "parent_id")}
    struct = {"attributes": "{'n': 5, 'list': ['a', 'b'], 'nothing': NULL}"}
    assert read(tmp_path, {**OURS, **ids, **struct}).spans == (READ,)


@pytest.mark.parametrize("parent", ["NULL", "''", "'0000000000000000'"])
def test_a_root(tmp_path: Path, parent: str) -> None:
    assert read(tmp_path, {**OURS, "parent_id": parent}).spans == (replace(READ, parent_id=None),)


@pytest.mark.parametrize(
    ("kind", "step_ns"),
    [("TIMESTAMP_NS", 1), ("TIMESTAMP", 1_000), ("TIMESTAMPTZ", 1_000)],
)
def test_timestamps_say_how_coarse_they_are(tmp_path: Path, kind: str, step_ns: int) -> None:
    times = {
        "start_ns": f"make_timestamp_ns({READ.start_ns})::{kind}",
        "end_ns": f"make_timestamp_ns({READ.end_ns})::{kind}",
    }
    found = read(tmp_path, {**OURS, **times})
    assert abs(found.spans[0].start_ns - READ.start_ns) < step_ns
    assert found.resolution_ns == step_ns


EVENT_NS: Final = READ.start_ns + 2
STAMP: Final = "TIMESTAMP_NS '2025-11-24 16:00:00.123456791'"
EVENTS: Final = {
    "structs": {"events": f"[{{'name': 'first', 'time_unix_nano': {EVENT_NS}, 'attributes': {{'n': 5}}}}]"},
    "timestamps": {"events": f"[{{'name': 'first', 'timestamp': {STAMP}, 'attributes': MAP {{'n': 5}}}}]"},
    "json": {"events": f"""'[{{"name":"first","timeUnixNano":"{EVENT_NS}","attributes":{{"n":5}}}}]'"""},
    "iso": {
        "events": """'[{"name":"first","timestamp":"2025-11-24T16:00:00.123456791Z","attributes":{"n":5}}]'"""
    },
    "otlp": {
        "events": f"""'[{{"name":"first","timeUnixNano":{EVENT_NS},
                        "attributes":[{{"key":"n","value":{{"intValue":"5"}}}}]}}]'"""
    },
    "nested": {"Events": f"[{{'Timestamp': {STAMP}, 'Name': 'first', 'Attributes': MAP {{'n': 5}}}}]"},
    "lists": {
        "Events.Timestamp": f"[{STAMP}]",
        "Events.Name": "['first']",
        "Events.Attributes": "[MAP {'n': 5}]",
    },
}


@pytest.mark.parametrize("form", EVENTS)
def test_events_in_every_form_keep_their_nanoseconds(tmp_path: Path, form: str) -> None:
    found = read(tmp_path, {**OURS, **EVENTS[form]})
    assert found.spans == (replace(READ, events=(Event("first", EVENT_NS, {"n": 5}),)),)
    assert found.notes == ()


@pytest.mark.parametrize("nothing", [{"events": "NULL::VARCHAR"}, {"events": "'[]'"}, {"Events.Name": "[]"}])
def test_a_span_without_events(tmp_path: Path, nothing: dict[str, str]) -> None:
    assert read(tmp_path, {**OURS, **nothing}) == SpanSet((READ,))


@pytest.mark.parametrize(
    "odd",
    [
        {"events": "3"},
        {"events": "'no JSON'"},
        {"events": "['first']"},
        {"events": "[{'what': 'first', 'time': 5}]"},
        {"events": "[{'name': 'first', 'time': 'soon'}]"},
        {"events": "[{'name': 'first', 'time': 5, 'attributes': 'odd'}]"},
        {"Events.Name": "['first']"},
    ],
)
def test_events_in_a_form_that_is_not_known_are_counted(tmp_path: Path, odd: dict[str, str]) -> None:
    found = read(tmp_path, {**OURS, **odd}, {**OURS, **odd})
    assert found.spans == (READ, READ)
    (note,) = found.notes
    assert (note.slug, note.count) == ("unread-events", 2)
    (finding,) = (flaw for flaw in find_flaws(read_traces(found)) if flaw.slug == "unread-events")
    assert (finding.effect, finding.count) == (Effect.SHOWN, 2)


def test_a_negative_duration_in_an_unsigned_column_is_an_inverted_span(tmp_path: Path) -> None:
    for duration_ns in (-1_000, -READ.start_ns):  # inverted; never ended
        row = {**CLICKHOUSE, "Duration": f"{duration_ns % 2**64}::UBIGINT"}
        (span,) = read(tmp_path, row, name=f"{duration_ns}.parquet").spans
        assert span.duration_ns == duration_ns


def test_a_span_that_has_not_ended(tmp_path: Path) -> None:
    assert read(tmp_path, {**OURS, "end_ns": "NULL::BIGINT"}).spans[0].end_ns == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"trace_id": "'xyz'"}, "trace id 'xyz' is no id"),
        ({"span_id": "NULL"}, "no span id"),
        ({"start_ns": "NULL"}, "no start"),
        ({"start_ns": "-1"}, "start '-1' is no time"),
        ({"attributes": "'{'"}, "attributes are no JSON"),
        ({"attributes": "'[1]'"}, "attributes are neither"),
    ],
)
def test_a_row_that_is_no_span_is_named_by_its_number(
    tmp_path: Path, wrong: dict[str, str], reason: str
) -> None:
    found = read(tmp_path, OURS, {**OURS, **wrong}, OURS)
    assert found.spans == (READ, READ)
    (record,) = found.unreadable
    assert (record.file, record.line) == (str(tmp_path / "spans.parquet"), 2)
    assert reason in record.reason


@pytest.mark.parametrize("name", ["trace_id", "span_id", "parent_id", "name", "start_ns", "end_ns"])
def test_a_missing_column_is_named(tmp_path: Path, name: str) -> None:
    rest = {key: value for key, value in OURS.items() if key != name}
    with pytest.raises(InputError, match=rf"spans\.parquet: has no column {name}") as caught:
        read(tmp_path, rest)
    assert name in caught.value.remedy


def test_a_column_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column start_ns is DOUBLE"):
        read(tmp_path, {**OURS, "start_ns": "1.5::DOUBLE"})


def test_file_names_are_no_patterns(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write(tmp_path / "aXb.parquet", {**OURS, "name": "'other'"})
    path = tmp_path / "plain.parquet"
    write(path, OURS)
    odd = path.rename(tmp_path / "a[X]b?*.parquet")
    assert [span.name for span in read_source(str(odd)).spans] == ["chat demo"]


def test_a_damaged_file_is_refused_with_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "spans.parquet", OURS)
    content = path.read_bytes()
    for damaged in (content[:-20], content[:8], content[: len(content) // 2] + content[-8:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged Parquet") as caught:
            read_source(str(path))
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message


def test_lists_in_lists_beyond_what_spans_need_are_refused_before_they_are_read(tmp_path: Path) -> None:
    deep = {depth: "[" * depth + "1" + "]" * depth for depth in (8, 9)}
    assert read(tmp_path, {**OURS, "more": deep[8]}) == SpanSet((READ,))
    with pytest.raises(InputError, match="damaged Parquet: column more has more than 8 lists in lists"):
        read(tmp_path, {**OURS, "more": f"MAP {{'a': struct_pack(b := {deep[8]})}}"})
    path = write(tmp_path / "deep.parquet", {**OURS, "more": deep[9]})
    with pytest.raises(InputError, match="more than 8 lists in lists"):
        total([str(path)])


def test_a_column_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "spans.parquet", {**OURS, "more": "1"})
    path.write_bytes(path.read_bytes().replace(b"more", b"m\xffre"))
    with pytest.raises(InputError, match=r"damaged Parquet: .*unicode"):
        read_source(str(path))


def test_without_duckdb_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "spans.parquet", OURS)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match="is Parquet") as caught:
        send_types(print, str(path))
    assert "'duckdb>=" in caught.value.remedy


@pytest.mark.parametrize(("rows", "name"), [(20_000, "'x'"), (100, "repeat('x', 100000)")])
def test_a_small_file_of_very_many_or_very_long_rows_is_refused(
    rows: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.parquet"
    columns = ", ".join(f"{value} AS {key}" for key, value in {**OURS, "name": name}.items())
    with duckdb.connect() as connection:
        connection.sql(f"SELECT {columns} FROM range({rows})").write_parquet(str(path), compression="zstd")  # noqa: S608 - our own columns
    assert path.stat().st_size < 100_000
    assert len(read_source(str(path)).spans) == rows
    monkeypatch.setenv(VARIABLE, "1000000")
    with pytest.raises(InputError, match="unpacks to more than 1000000 bytes"):
        read_source(str(path))
