"""Where a report goes: a file or standard output, never over another file, as wide as the terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
from planted_spans import as_otlp, planted
from sample_reports import DOCUMENTS

from punie.trace.__main__ import main
from punie.trace.commands.options import OutputOptions
from punie.trace.commands.output import Output, terminal_width
from punie.trace.console.standard_streams import colored, in_encoding
from punie.trace.errors import ExitCode, OutputError, UsageError
from punie.trace.report.formats import FORMATS
from punie.trace.report.writers import json_text

HOSTILE = "\x1b]52;c;cm0gLXJm\x07\u202eevil"


@pytest.fixture
def spans(tmp_path: Path) -> str:
    path = tmp_path / "spans.jsonl"
    path.write_text(json.dumps(as_otlp(planted("a", slower=1))) + "\n")
    return str(path)


@pytest.mark.parametrize(
    "of_others",
    [
        "print('garbage')",
        "os.system('echo garbage')",
        "print('garbage'); sys.stdout.close()",
        "os.write(1, b'garbage'); os.close(1)",
    ],
)
def test_what_user_code_prints_is_in_no_report(of_others: str) -> None:
    program = (
        "import os, sys\nfrom punie.trace.console.standard_streams import stdout_reserved_for_report, write_out\n"
        f"with stdout_reserved_for_report():\n    {of_others}\nwrite_out('report')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr.strip()) == ("report", "garbage")


@pytest.mark.parametrize(
    "said",
    [
        "standard_streams import write_err; write_err('said')",
        "progress import Progress; Progress().log('said')",
    ],
)
def test_what_is_said_is_said_after_user_code_closed_standard_error(said: str) -> None:
    program = f"import sys\nsys.stderr.close()\nfrom punie.trace.console.{said}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "said"


def test_a_dash_is_standard_output(
    spans: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", spans, "-o", "-", "--format", "json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["queries"]
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("entry", FORMATS)
def test_a_file_gets_the_format_of_its_ending_and_is_named(
    entry: object, spans: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in getattr(entry, "endings", ()):
        path = tmp_path / f"report{ending}"
        assert main(["report", spans, "-o", str(path)]) == ExitCode.OK
        assert capsys.readouterr() == ("", f"Wrote {path}\n")
        assert path.stat().st_size > 0


def test_json_goes_into_a_file_in_parts(spans: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(*_: object) -> str:
        raise AssertionError("it was made as a whole")

    monkeypatch.setattr(json_text, "write", whole)
    path = tmp_path / "report.json"
    assert main(["report", spans, "-o", str(path)]) == ExitCode.OK
    assert "schema_version" in json.loads(path.read_text())


def test_a_file_that_exists_is_replaced_only_by_force(spans: str, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("mine")
    assert main(["report", spans, "-o", str(path)]) == ExitCode.USAGE
    assert path.read_text() == "mine"
    assert main(["report", spans, "-o", str(path), "--force"]) == ExitCode.OK
    assert path.read_text().startswith("# ")


def test_a_file_that_came_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    output = Output.of(OutputOptions(output=path))
    path.write_text("another's")
    with pytest.raises(UsageError, match="exists"):
        output.write(DOCUMENTS["run one"]())
    assert path.read_text() == "another's"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
@pytest.mark.parametrize("name", ["text", "json", "perfetto"])
def test_a_report_that_finds_the_disk_full_is_printed(name: str, spans: str) -> None:
    command = [sys.executable, "-m", "punie.trace", "report", spans, "--format", name]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    done = subprocess.run([*command, "-o", "/dev/full", "--force"], capture_output=True, check=False)
    assert done.returncode == ExitCode.EXPORT
    assert b"/dev/full: can't be written: No space left on device" in done.stderr
    assert done.stdout == printed != b""


def test_a_report_whose_folder_has_gone_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    output = Output.of(OutputOptions(output=folder / "report.md"))
    folder.rmdir()
    with pytest.raises(UsageError, match="its folder doesn't exist"):
        output.write(DOCUMENTS["run one"]())
    assert capsys.readouterr().out.startswith("# ")


def test_a_page_without_room_for_a_temporary_file_is_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output.of(OutputOptions(open=True))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(OutputError, match="a temporary file can't be written"):
        output.write(DOCUMENTS["run one"]())
    assert capsys.readouterr().out.startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["", "absent/report.md", "report.doc"])
def test_what_can_t_be_written_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    assert main(["report", "/nowhere", "-o", str(tmp_path / name)]) == ExitCode.USAGE


def test_a_file_s_name_doesn_t_reach_the_terminal_as_a_command(
    spans: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", spans, "-o", str(tmp_path / f"{HOSTILE}.md")]) == ExitCode.OK
    assert main(["report", f"{HOSTILE}.jsonl"]) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert "evil" in said
    assert all(character.isprintable() for character in said.replace("\n", ""))


@pytest.mark.parametrize(("columns", "width"), [(40, 60), (60, 60), (97, 97), (300, 120)])
def test_text_is_as_wide_as_the_terminal_within_reason(
    columns: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb"):
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "__stdout__", terminal)
        assert terminal_width() == width


def test_what_is_no_terminal_is_80_columns_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert terminal_width() == 80


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor", "--model", HOSTILE],
        ["doctor", "--model", HOSTILE, "--format", "json"],
        ["report", "x", "--gate", HOSTILE],
        ["compare", HOSTILE, HOSTILE],
        [HOSTILE],
    ],
)
def test_what_the_user_typed_doesn_t_reach_the_terminal_as_a_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(arguments)
    said = "".join(capsys.readouterr())
    assert "evil" in said
    assert all(character.isprintable() for character in said.replace("\n", ""))


@pytest.mark.parametrize("scheme", ["jaeger", "clickhouse"])
def test_a_password_in_a_url_is_in_no_error(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"{scheme}://somebody:hunter2@127.0.0.1:1/db?service=a"
    assert main(["report", url]) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert "@127.0.0.1:1" in said
    assert "hunter2" not in said


def test_a_report_goes_through_a_pipe_that_has_no_path(spans: str) -> None:
    command = [
        sys.executable,
        "-m",
        "punie.trace",
        "report",
        spans,
        "-o",
        "/dev/stdout",
        "--format",
        "csv",
        "--force",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (ExitCode.OK, "Wrote /dev/stdout\n")
    assert done.stdout.startswith("query_id,")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="this system has no folder that takes no file")
def test_a_file_that_can_t_be_written_is_no_input(spans: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", spans, "-o", "/proc/report.md"]) == ExitCode.EXPORT
    assert "/proc/report.md: can't be written" in capsys.readouterr().err


def test_a_binary_format_goes_into_a_file_or_a_pipe_and_to_no_terminal(spans: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.perfetto-trace"
    assert main(["report", spans, "-o", str(path)]) == ExitCode.OK
    command = [sys.executable, "-m", "punie.trace", "report", spans, "--format", "perfetto"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == path.read_bytes()
    controller, terminal = pty.openpty()
    done = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, text=True, check=False)
    os.close(controller)
    os.close(terminal)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(
        "punie-trace: error: format perfetto is binary, and standard output is a terminal [usage]\n"
        "next: -o FILE.perfetto-trace\n"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["compare", "a", "b", "-o", "x.perfetto-trace"], "perfetto is made of the spans of queries"),
        (["decide", "a", "--format", "folded"], "folded is made of the spans of queries"),
        (["report", "a", "--by", "day", "-o", "x.junit.xml"], "junit is made of verdicts"),
    ],
)
def test_a_format_of_what_a_report_does_not_have_is_refused_before_anything_is_read(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitCode.USAGE  # none of these sources exists
    said = capsys.readouterr().err
    assert problem in said
    assert "next: --format with one of: text, json, md, csv" in said


def test_junit_has_the_gates_alone_as_cases(spans: str, tmp_path: Path) -> None:
    path = tmp_path / "gates.junit.xml"
    main(["report", spans, "-o", str(path), "--gate", "accuracy"])
    assert 'tests="1"' in path.read_text()


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was opened in the browser, one address a line."""
    program, opened = tmp_path / "browser", tmp_path / "opened"
    program.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    return opened


def test_open_shows_the_page_in_a_browser_and_names_it(spans: str, browser: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "punie.trace", "report", spans, "--open"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    path = Path(done.stderr.removeprefix("Wrote ").strip())
    assert done.stdout in ("", f"{browser}\n")
    assert path.read_text().startswith("<!doctype html>")
    path.unlink()
    named = tmp_path / "mine.html"
    subprocess.run([*command, "-o", str(named)], capture_output=True, text=True, check=True)
    assert browser.read_text().splitlines() == [path.as_uri(), named.as_uri()]


def test_open_is_for_pages(spans: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", spans, "--open", "--format", "md"]) == ExitCode.USAGE
    assert "--open is for HTML, not for md" in capsys.readouterr().err


def test_a_dumb_terminal_gets_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colored()
    monkeypatch.setenv("TERM", "dumb")
    assert not colored()


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("5 queries · ≥ 3 µs → █▌", "ascii", "5 queries - >= 3 us -> #="),
        ("5 queries · 3 µs", "latin-1", "5 queries · 3 µs"),
        ("naïve ✓", "ascii", "na?ve ?"),
        ("5 queries · ✓", "utf-8", "5 queries · ✓"),
    ],
)
def test_what_an_encoding_lacks_has_stand_ins(text: str, encoding: str, shown: str) -> None:
    assert in_encoding(text, encoding) == shown
