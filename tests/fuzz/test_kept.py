"""Every input that ever failed is tried again, and what is looked for would be found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fuzzing import oracle
from fuzzing.json_text import Twin, dumps, nested, raw
from fuzzing.kept import kept, kind_of
from fuzzing.kinds import KINDS
from fuzzing.minimise import minimise
from fuzzing.worker import CPU_LIMIT_S, make, try_input
from sample_reports import one

from punie.trace.report.builders.run import build_run
from punie.trace.report.document import Document, notes


@pytest.mark.parametrize("path", kept(), ids=lambda path: path.name)
def test_what_failed_once_fails_no_more(path: Path, tmp_path: Path) -> None:
    tried = try_input(0, kind_of(path), path.read_bytes(), tmp_path)
    assert not tried.fault, tried.trace


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_makes_the_same_input_again(kind: str, tmp_path: Path) -> None:
    number = next(number for number in range(2_000) if make(7, number)[0] == kind)
    first, again = make(7, number), make(7, number)
    assert first == again
    assert not try_input(number, *first, tmp_path).fault


def _with(document: Document, **fields: Any) -> Document:  # noqa: ANN401 # of Document
    return replace(document, **fields)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"tokens": -1}\n', "negative"),
        ('{"tokens": NaN}\n', "NaN"),
        ('{"queries": [{"wall_ns": 5, "phases_ns": {"tool": 4}}]}\n', "sum to 4"),
        ('{"a": 1}', "line feed"),
    ],
)
def test_figures_that_can_t_be_are_found(text: str, what: str) -> None:
    with pytest.raises(oracle.Broken, match=what):
        oracle.check_json(text)


def test_text_that_is_obeyed_is_found() -> None:
    oracle.check_document(build_run(one()))
    with pytest.raises(oracle.Broken, match=r"U\+001B"):
        oracle.check_lines("a\x1b[31mb\n")
    with pytest.raises(oracle.Broken, match="spreadsheet"):
        oracle.check_csv("a,b\n1,=cmd\n")
    with pytest.raises(oracle.Broken, match="2 cells under 1"):
        oracle.check_csv("a\n1,2\n")


def test_a_report_that_breaks_its_schema_is_found() -> None:
    document = build_run(one())
    with pytest.raises(oracle.Broken, match="schema"):
        oracle.check_schema(document, "{}\n")
    assert notes("harmless")


def test_json_may_be_written_as_no_library_does() -> None:
    assert (
        dumps({"a": raw("1e999"), Twin("a"): nested(2), "b": "\ud800"})
        == b'{"a":1e999,"a":[[]],"b":"\\ud800"}'
    )


def test_time_and_memory_end_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(_content: bytes, _folder: Path, _pick: int | None) -> str:
        while True:
            pass

    def fill(_content: bytes, _folder: Path, _pick: int | None) -> str:
        return str(len(bytearray(1 << 30)))

    monkeypatch.setattr("fuzzing.worker.CPU_LIMIT_S", CPU_LIMIT_S / 10)
    for act, what in ((spin, "TooLong"), (fill, "MemoryError")):
        monkeypatch.setattr("fuzzing.kinds.KINDS", {"x": replace(KINDS["url"], take=act)})
        assert try_input(0, "x", b"", tmp_path).fault.startswith(what)


def test_a_failing_input_becomes_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(content: bytes, _folder: Path, _pick: int | None) -> str:
        if b"needle" in content:
            raise KeyError
        return ""

    monkeypatch.setattr("fuzzing.kinds.KINDS", {"x": replace(KINDS["url"], take=fail)})
    small = minimise("x", b'{"hay": [1, 2, {"key": "needle", "more": 5}], "straw": 6}', "KeyError at outside")
    assert small == b'{"hay": [{"key": "needle"}]}'
