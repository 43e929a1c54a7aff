"""The same traces, written in any format that can hold them, give the same answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from planted_spans import planted
from written_spans import (
    jaeger_json,
    otlp_json,
    otlp_lines,
    otlp_protobuf,
    parquet_of_exporter,
    parquet_of_json,
    zipkin_json,
)

from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import Event, Span, SpanSet
from punie.trace.store.sources import read_source

RECORDED: Final = Path(__file__).parents[1] / "data" / "recorded" / "frameworks"
TRACES: Final = {
    "planted": tuple(planted("run", slower=2)),
    "frameworks": read_source(str(RECORDED)).spans,
}
LINKED: Final = [replace(span, linked=("b" * 32, "c" * 32)) for span in TRACES["planted"][:2]]
TO_FILE: Final[dict[str, Callable[[Sequence[Span]], bytes]]] = {
    "OTLP JSON": otlp_json,
    "OTLP JSON lines": otlp_lines,
    "OTLP protobuf": otlp_protobuf,
}
TO_FILE_IN_MICROSECONDS: Final[dict[str, Callable[[Sequence[Span]], bytes]]] = {
    "Jaeger JSON": jaeger_json,
    "Zipkin JSON": zipkin_json,
}
TO_PARQUET: Final[dict[str, Callable[[Sequence[Span], Path], None]]] = {
    "Parquet": parquet_of_json,
    "Parquet of the exporter": parquet_of_exporter,
}


def answers(spans: Sequence[Span]) -> list[QueryRecord]:
    """What is known of each query."""
    records = read_queries(SpanSet(tuple(spans))).records
    assert records
    return sorted(records, key=lambda record: record.ledger.query_key)


def in_microseconds(span: Span) -> Span:
    def cut(ns: int) -> int:
        return ns // 1_000 * 1_000

    return replace(
        span,
        start_ns=cut(span.start_ns),
        end_ns=cut(span.start_ns) + cut(span.end_ns - span.start_ns),
        events=tuple(Event(event.name, cut(event.time_ns)) for event in span.events),
    )


def read(path: Path) -> tuple[Span, ...]:
    found = read_source(str(path))
    assert found.unreadable == ()
    return found.spans


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("form", TO_FILE)
def test_a_file_gives_the_same(tmp_path: Path, form: str, name: str) -> None:
    (tmp_path / "spans.json").write_bytes(TO_FILE[form](TRACES[name]))
    assert answers(read(tmp_path / "spans.json")) == answers(TRACES[name])


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("form", TO_PARQUET)
def test_parquet_gives_the_same(tmp_path: Path, form: str, name: str) -> None:
    TO_PARQUET[form](TRACES[name], tmp_path / "spans.parquet")
    assert answers(read(tmp_path / "spans.parquet")) == answers(TRACES[name])


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("form", TO_FILE_IN_MICROSECONDS)
def test_a_file_in_microseconds_gives_the_same_of_times_in_microseconds(
    tmp_path: Path, form: str, name: str
) -> None:
    spans = [in_microseconds(span) for span in TRACES[name]]
    (tmp_path / "spans.json").write_bytes(TO_FILE_IN_MICROSECONDS[form](spans))
    assert answers(read(tmp_path / "spans.json")) == answers(spans)


@pytest.mark.parametrize("form", [*TO_FILE, "Jaeger JSON", *TO_PARQUET])
def test_links_to_other_traces_are_kept(tmp_path: Path, form: str) -> None:
    own = replace(LINKED[0], linked=(LINKED[0].trace_id, "d" * 32), span_id="e" * 16)
    path = tmp_path / ("spans.parquet" if form in TO_PARQUET else "spans.json")
    if form in TO_PARQUET:
        TO_PARQUET[form]([*LINKED, own], path)
    else:
        path.write_bytes({**TO_FILE, **TO_FILE_IN_MICROSECONDS}[form]([*LINKED, own]))
    linked = sorted(span.linked for span in read(path))
    assert linked == [LINKED[0].linked, LINKED[0].linked, ("d" * 32,)]
