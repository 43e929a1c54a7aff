"""A trace file whose every text wants to be obeyed: in each format of files, written as each format of reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import written_spans
from fuzzing.oracle import CONTROLS, check_document, check_format
from hostile_texts import TEXTS
from msgspec import structs

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode
from punie.trace.model import Event, Span, SpanKind, StatusCode
from punie.trace.report.builders.comparison import build_comparison
from punie.trace.report.builders.run import build_run
from punie.trace.report.document import Document
from punie.trace.report.formats import FORMATS
from punie.trace.usecases.comparison import compare_sources
from punie.trace.usecases.load import load_source
from punie.trace.usecases.run_report import VerdictTargets, build_report

BEGIN_NS: Final = 1_764_000_000_000_000_000
SECOND: Final = 1_000_000_000


def hostile_spans(text: str, trace: int = 1) -> list[Span]:
    """A query with a call of a tool and of a model, failed, and `text` in every place that holds a text."""
    begin_ns = BEGIN_NS + trace * 10 * SECOND
    shared: dict[str, Any] = {
        "resource": {"service.name": text, "host.name": text, "process.command_line": text},
        "scope": text,
        "status": StatusCode.ERROR,
        "status_message": text,
        "events": (Event(text, begin_ns, {"exception.message": text, "exception.type": text}),),
    }
    of_all = {"error.type": text, "gen_ai.response.finish_reasons": (text,), text: text}
    places = (
        ("invoke_agent", None, 0, 9, {"gen_ai.agent.name": text, "punie.query.id": text, "punie.query.text": text}),
        ("chat", 1, 1, 4, {"gen_ai.request.model": text, "gen_ai.output.messages": text}),
        ("execute_tool", 1, 5, 8, {"gen_ai.tool.name": text, "gen_ai.tool.call.arguments": text}),
    )  # fmt: skip
    return [
        Span(
            trace_id=f"{trace:032x}",
            span_id=f"{number:016x}",
            parent_id=None if parent is None else f"{parent:016x}",
            name=f"{operation} {text}" if number > 1 else text,
            start_ns=begin_ns + start * SECOND // 10,
            end_ns=begin_ns + end * SECOND // 10,
            kind=SpanKind.CLIENT if operation == "chat" else SpanKind.INTERNAL,
            attributes={"gen_ai.operation.name": operation, **of_all, **attributes},
            **shared,
        )
        for number, (operation, parent, start, end, attributes) in enumerate(places, start=1)
    ]


def report_of(path: Path) -> Document:
    """What `report` makes of a file, as a document."""
    return build_run(build_report(load_source(str(path)), VerdictTargets()))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_report_of_a_hostile_trace_is_obeyed(text: str, tmp_path: Path) -> None:
    path = tmp_path / "spans.json"
    path.write_bytes(written_spans.otlp_lines([*hostile_spans(text, 1), *hostile_spans(text, 2)]))
    document = report_of(path)
    assert document.title
    check_document(document)


@pytest.mark.parametrize("name", [one.name for one in FORMATS])
def test_every_registered_format_was_looked_at(name: str, tmp_path: Path) -> None:
    """All texts in one trace: a new format is here by being registered."""
    path = tmp_path / "spans.json"
    texts = [text for text in TEXTS.values() if len(text) < 1000]
    spans = [span for number, text in enumerate(texts, start=1) for span in hostile_spans(text, number)]
    path.write_bytes(written_spans.otlp_lines(spans))
    document, (chosen,) = report_of(path), [one for one in FORMATS if one.name == name]
    check_format(chosen, document)
    assert len(chosen.write_bytes(document)) > 100


WRITERS: Final[dict[str, Callable[[Sequence[Span]], bytes]]] = {
    "OTLP JSON": written_spans.otlp_json,
    "OTLP protobuf": written_spans.otlp_protobuf,
    "Jaeger": written_spans.jaeger_json,
    "Zipkin": written_spans.zipkin_json,
}
TOGETHER: Final = "\x1b[31m\x9b\u202e=1|<script>alert(1)</script>\r\n\x07"


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_no_format_of_files_is_a_way_in(write: Callable[[Sequence[Span]], bytes], tmp_path: Path) -> None:
    path = tmp_path / "spans"
    path.write_bytes(write(hostile_spans(TOGETHER)))
    check_document(report_of(path))


def test_parquet_is_no_way_in(tmp_path: Path) -> None:
    path = tmp_path / "spans.parquet"
    written_spans.parquet_of_json(hostile_spans(TOGETHER), path)
    check_document(report_of(path))


def test_a_comparison_of_hostile_traces_is_not_obeyed(tmp_path: Path) -> None:
    for side, trace in (("a", 1), ("b", 2)):
        (tmp_path / side).write_bytes(written_spans.otlp_lines(hostile_spans(TOGETHER, trace)))
    check_document(build_comparison(compare_sources((str(tmp_path / "a"),), (str(tmp_path / "b"),))))


def test_a_file_s_name_is_not_obeyed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\x1b[31m\x9b\u202e=1.json"
    path.write_bytes(written_spans.otlp_lines(hostile_spans("plain")))
    check_document(report_of(path))
    for content, code in ((b"nonsense", ExitCode.INPUT), (path.read_bytes(), ExitCode.OK)):
        path.write_bytes(content)
        assert main(["report", str(path)]) == code
        said = capsys.readouterr()
        assert not CONTROLS.search(said.out + said.err)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_an_error_quotes_is_not_obeyed(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fields and values that are refused are named, on a line."""
    (tmp_path / "spans").mkdir()
    (tmp_path / "run.json").write_text(
        json.dumps({"format_version": 2, "run_id": text, text: text, "seed": text})
    )
    suite = tmp_path / "suite.toml"
    suite.write_text(f"name = {json.dumps(text)}\n[[query]]\nid = {json.dumps(text)}\n", errors="replace")
    for words in (
        ["report", str(tmp_path)],
        ["run", "--suite", str(suite)],
        ["report", text],
        [text],
        ["run", f"--{text}"],
    ):
        assert main(words) in (ExitCode.INPUT, ExitCode.USAGE)
        said = capsys.readouterr()
        assert not CONTROLS.search(said.out + said.err), words


def test_a_receiver_s_answer_among_spans_is_no_unreadable_record(tmp_path: Path) -> None:
    path = tmp_path / "spans.json"
    path.write_bytes(written_spans.otlp_lines(hostile_spans("plain")) + b'{"partialSuccess": {}}\n')
    assert load_source(str(path)).spans.unreadable == ()


def test_one_hostile_span_among_others_takes_nothing_with_it(tmp_path: Path) -> None:
    path = tmp_path / "spans.json"
    plain = [structs.replace(span, trace_id="f" * 32) for span in hostile_spans("plain")]
    path.write_bytes(written_spans.otlp_lines([*hostile_spans("\x00"), *plain]))
    assert len(load_source(str(path)).spans.spans) == 6
