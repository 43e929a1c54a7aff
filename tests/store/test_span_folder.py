"""A folder of files with spans: all of them, in any format, and the ones that can't be read by name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from punie.trace.__main__ import main
from punie.trace.errors import InputError
from punie.trace.store.sources import read_source

OTLP = json.dumps(
    {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "a" * 32,
                                "spanId": "b" * 16,
                                "name": "otlp",
                                "startTimeUnixNano": 1,
                                "endTimeUnixNano": 2,
                            }
                        ]
                    }
                ]
            }
        ]
    }
)
JAEGER = json.dumps(
    {
        "spans": [{"traceID": "c", "spanID": "d", "operationName": "jaeger", "startTime": 1, "duration": 1}],
        "processes": {},
    }
)


def test_files_of_every_format_in_folders_below_too(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.json").write_text(OTLP)
    (tmp_path / "b.JSONL.gz").write_bytes(gzip.compress(OTLP.encode()))
    (tmp_path / "below" / "c.json").write_text(JAEGER)
    found = read_source(str(tmp_path))
    assert [span.name for span in found.spans] == ["otlp", "otlp", "jaeger"]
    assert (found.unreadable, found.resolution_ns) == ((), 1000)


def test_a_file_that_can_not_be_read_is_named_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(OTLP)
    (tmp_path / "b.json").write_text("hello")
    found = read_source(str(tmp_path))
    assert len(found.spans) == 1
    (record,) = found.unreadable
    assert (record.file, record.line) == (str(tmp_path / "b.json"), 0)
    assert record.reason.startswith("neither JSON nor")


def test_what_nobody_may_look_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text(OTLP)
    (tmp_path / "locked").mkdir()
    (tmp_path / "b.jsonl").symlink_to("x" * 300)
    inside = Path.iterdir

    def refusing(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError
        return inside(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    found = read_source(str(tmp_path))
    assert len(found.spans) == 1
    assert [Path(record.file).name for record in found.unreadable] == ["b.jsonl", "locked"]


def test_files_with_other_endings_and_hidden_ones_are_left(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    for name in ("README.md", "notes.txt", ".hidden.json", ".cache/a.json"):
        (tmp_path / name).write_text("hello")
    with pytest.raises(InputError, match="neither a run folder") as caught:
        read_source(str(tmp_path))
    assert ".jsonl" in caught.value.remedy
    (tmp_path / "a.json").write_text(OTLP)
    found = read_source(str(tmp_path))
    assert len(found.spans) == 1
    passed_over = [note.case for note in found.notes if note.slug == "passed-over-file"]
    assert passed_over == [str(tmp_path / "README.md"), str(tmp_path / "notes.txt")]


def test_a_folder_named_spans_alone_makes_no_run(tmp_path: Path) -> None:
    (tmp_path / "spans").mkdir()
    (tmp_path / "spans" / "a.json").write_text(OTLP)
    (tmp_path / "b.json").write_text(JAEGER)
    assert sorted(span.name for span in read_source(str(tmp_path)).spans) == ["jaeger", "otlp"]


def test_of_runs_in_a_folder_the_spans_are_taken_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("before", "after"):
        (tmp_path / name / "spans").mkdir(parents=True)
        (tmp_path / name / "spans" / "agent-1.jsonl").write_text(f"{OTLP}\n")
        for kept in ("run.json", "cell.json", "report.json"):
            (tmp_path / name / kept).write_text('{"format_version": 1}')
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "both.json")]) == 0
    found = read_source(str(tmp_path))
    assert (len(found.spans), found.unreadable) == (2, ())
    assert "Wrote" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["ftp://host/file", "kafka://host/topic"])
def test_an_unknown_scheme_is_named(text: str) -> None:
    with pytest.raises(InputError, match="no source has the scheme") as caught:
        read_source(text)
    assert text in caught.value.message
    assert "jaeger://" in caught.value.remedy
