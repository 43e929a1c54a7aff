"""`report SOURCE` on files that others recorded: an exact ledger, or one clear line; nothing heavy is imported."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode

NOT_NEEDED = (
    *(
        "opentelemetry",
        "google.protobuf",
        "duckdb",
        "pydantic_ai",
        "logfire",
        "mlx",
        "httpx",
        "concurrent.futures",
    ),
    *("punie.trace.analysis.improvement.model", "punie.trace.analysis.experiment.arms"),
    *("punie.trace.report.published.run", "punie.trace.store.parquet.apart"),
)
OTLP = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "A" * 32,
                            "spanId": "B" * 16,
                            "name": "invoke_agent",
                            "startTimeUnixNano": 1764000000000000001,
                            "endTimeUnixNano": "1764000000000000008",
                        }
                    ]
                }
            ]
        }
    ]
}


@pytest.fixture
def corpus() -> Path:
    folder = os.environ.get("PUNIE_CORPUS")
    if not folder:
        pytest.skip("PUNIE_CORPUS names no folder with recorded traces")
    return Path(folder)


def _report(source: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["report", str(source), "--format", "json"]) == ExitCode.OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def _is_exact(report: dict[str, Any]) -> bool:
    asked = report["queries"]
    return bool(asked) and all(
        sum(query["phases_ns"].values()) == query["wall_ns"]
        and all(0 <= query["contested_ns"][phase] <= ns for phase, ns in query["phases_ns"].items())
        for query in asked
    )


def test_every_file_of_the_corpus_gives_an_exact_ledger(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(corpus.glob("*.json"))
    assert files
    for path in files:
        report = _report(path, capsys)
        assert _is_exact(report), path.name
        slugs = {finding["slug"] for finding in report["integrity"]}
        assert "unreadable-record" not in slugs
        is_coarse = '"operationName"' in path.read_text()
        assert ("coarse-clock" in slugs) == is_coarse, path.name


def test_what_is_no_trace_is_refused_with_one_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(corpus / "README.md")]) == ExitCode.INPUT
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"punie-trace: error: {corpus / 'README.md'}: neither JSON nor")
    assert said[1].startswith("next: Spans are read from these files: ")


def test_a_file_without_one_readable_span_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spans.json"
    path.write_text('{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}')
    assert main(["report", str(path)]) == ExitCode.INPUT
    line, remedy, more = capsys.readouterr().err.splitlines()
    assert remedy.startswith("next: Name a run folder")
    assert more.endswith("#input")
    assert f"{path}:1, says: resourceSpans[0].scopeSpans[0].spans[0]: no traceId" in line


def test_packed_lines_with_a_torn_end_are_read_and_the_tear_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spans.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(OTLP).encode() + b"\n{"))
    report = _report(path, capsys)
    assert _is_exact(report)
    (finding,) = [one for one in report["integrity"] if one["slug"] == "unreadable-record"]
    assert finding["examples"][0].startswith(f"{path}:2: torn line")


def test_each_line_that_can_not_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spans.jsonl"
    path.write_text("\n".join([json.dumps(OTLP), *["{bad"] * 7]) + "\n")
    (finding,) = [one for one in _report(path, capsys)["integrity"] if one["slug"] == "unreadable-record"]
    assert [line.split(": ")[0] for line in finding["examples"]] == [f"{path}:{n}" for n in range(2, 9)]
    for name in ("text", "md"):
        assert main(["report", str(path), "--format", name]) == ExitCode.OK
        said = "".join(capsys.readouterr().out.split()).replace("\\", "")
        named = [f"{path}:{n}:" in said for n in range(2, 9)]
        assert named == [True] * 3 + [False] * 4
        assert "and4more" in said


def test_a_source_imports_only_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "spans.json"
    path.write_text(json.dumps(OTLP))
    program = (
        "import sys\nfrom punie.trace.__main__ import main\n"
        f"assert main(['report', {str(path)!r}]) == 0\nprint(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(NOT_NEEDED).isdisjoint(run.stderr.split())
