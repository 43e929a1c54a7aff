"""The command line from the outside: quick help, clear refusals, one exit code a kind of trouble."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
from short_suites import write_suite

from punie.trace.__main__ import VERBS, build_parser, main
from punie.trace.commands import run_options
from punie.trace.console.progress import Progress, ProgressConsole
from punie.trace.console.standard_streams import importing_agent
from punie.trace.errors import ExitCode, PipeClosedError
from punie.trace.manual import ERRORS, FINDINGS, page, page_on_site
from punie.trace.options import read_options

HEAVY = (
    "pydantic_ai",
    "logfire",
    "opentelemetry",
    "mlx",
    "mlx_lm",
    "openai",
    "httpx",
    "httpx2",
    "rich",
    "psutil",
)
# All that `--help` of all verbs may cost, beside argparse and `commands/`.
MAY_BE_IMPORTED = {
    f"punie.trace.{name}"
    for name in [
        "__main__",
        "analysis",
        "analysis.experiment",
        "analysis.experiment.size",
        "api",
        "bench",
        "bench.options",
        "console",
        "console.standard_streams",
        "errors",
        "flags",
        "garbage",
        "options",
        "report",
        "report.formats",
        "report.inert",
        "report.page",
        "server",
        "server.config",
        "server.validation",
        "units",
    ]
}
SLOW_OF_THE_STANDARD_LIBRARY = {
    "asyncio",
    "ssl",
    "socket",
    "tempfile",
    "tomllib",
    "subprocess",
    "uuid",
    "logging",
}
RECORDED = min((Path(__file__).parents[1] / "data" / "recorded").rglob("*.jsonl"))
ERRORS_PAGE = Path(__file__).parents[2] / "docs/errors.md"


def _imported_by(*arguments: str) -> set[str]:
    program = (
        "import sys\n"
        "from punie.trace.__main__ import main\n"
        f"sys.argv = ['punie-trace', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stderr.split())


def _imported_before_us() -> set[str]:
    """What Python itself has at its start, with whatever this environment's `.pth` files import."""
    run = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("report", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert {name.partition(".")[0] for name in _imported_by(*arguments)}.isdisjoint(HEAVY)


def test_help_imports_the_commands_and_what_declares_their_flags() -> None:
    imported = _imported_by("--help") - _imported_before_us()
    ours = {name for name in imported if name.startswith("punie.trace.")}
    assert {name for name in ours if not name.startswith("punie.trace.commands")} <= MAY_BE_IMPORTED
    assert {name.partition(".")[0] for name in imported - ours} <= sys.stdlib_module_names | {"punie"}
    assert imported.isdisjoint(SLOW_OF_THE_STANDARD_LIBRARY)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([verb, "--help"])
    assert exit_.value.code == 0
    assert f"punie-trace {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["report", "/nowhere"], ExitCode.INPUT, "/nowhere"),
        (["--versoin"], ExitCode.USAGE, "punie-trace knows no --versoin; did you mean --version?"),
        (["--format", "json", "report", "x"], ExitCode.USAGE, "punie-trace knows no --format"),
        (["report", ""], ExitCode.INPUT, "empty"),
        (["compare", "", ""], ExitCode.INPUT, "empty"),
        (["report", "/nowhere", "--target", "soon"], ExitCode.USAGE, "--target"),
        (["report", "/nowhere", "-o", "/nowhere/report.json"], ExitCode.USAGE, "/nowhere/report.json"),
        (["report", "/nowhere", "-o", "report.doc"], ExitCode.USAGE, "report.doc"),
        (["run", "--model", "/nowhere"], ExitCode.USAGE, "--model: "),
        (["run", "--suite", "/nowhere.toml"], ExitCode.INPUT, "/nowhere.toml"),
        (["run", "--agent", "nomodule"], ExitCode.WORKLOAD, "module:attribute"),
        (["run", "--agent", "no_such_module:agent"], ExitCode.WORKLOAD, "no_such_module"),
        (["run", "--agent", "json:loads"], ExitCode.WORKLOAD, "loads"),
        (["run", "--workspace", "/nowhere"], ExitCode.USAGE, "--workspace"),
        (["run", "--base-url", "http://127.0.0.1:9", "--draft", "m"], ExitCode.USAGE, "--draft"),
        (["run", "--base-url", "http://127.0.0.1:9", "--api-key-env", "NO_SUCH"], ExitCode.USAGE, "NO_SUCH"),
        (["run", "--api-key-env", "HOME"], ExitCode.USAGE, "--api-key-env is for --base-url"),
        (["run", "--base-url", "not a url"], ExitCode.USAGE, "--base-url"),
        (["run", "--num-draft-tokens", "2"], ExitCode.USAGE, "--num-draft-tokens"),
        (["run", "--temperature", "-1"], ExitCode.USAGE, "--temperature"),
        (["run", "--otlp", "nowhere"], ExitCode.USAGE, "--otlp"),
        (["run", "--max-memory", "lots"], ExitCode.USAGE, "--max-memory"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing_behind(
    arguments: list[str],
    code: ExitCode,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--repeat", "0"], "--repeat: 0 is not between 1 and"),
        (["run", "--repeat", "two"], "--repeat: 'two' is not a whole number"),
        (["run", "--repeat", "9" * 5_000], "--repeat: "),
        (["run", "--temperature", "nan"], "--temperature: "),
        (["run", "--cache", "of"], "--cache: invalid choice: 'of'; did you mean off?"),
        (["run", "--repaet", "2"], "run knows no --repaet; did you mean --repeat?"),
        (["ship"], "RUN"),
        (["report", "x", "--gate", "speed"], "--gate"),
        (["report", "x", "--gate", "acuracy"], "unknown gate 'acuracy'; did you mean accuracy?"),
        (["reprot"], "did you mean report?"),
        (["unknown"], "unknown"),
    ],
)
def test_usage_errors_are_short_and_say_what_to_do(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitCode.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[0]
    assert lines[0].endswith("[usage]")
    assert lines[1].startswith("next: punie-trace")
    assert lines[2].startswith("more: ")
    assert lines[2].endswith("docs/errors.md#usage")
    assert len(lines) == 3


def test_a_page_is_that_of_the_site_or_of_the_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert [Path(page(name)) for name in (ERRORS, FINDINGS)] == [docs / "errors.md", docs / "findings.md"]
    assert page_on_site(ERRORS) == ""
    info = tmp_path / "punie_trace-9.dist-info"
    info.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    head = "Metadata-Version: 2.4\nName: punie-trace\nVersion: 9\n"
    (info / "METADATA").write_text(head)
    assert page(ERRORS) == ""  # from a wheel file, before there is a site
    (info / "METADATA").write_text(f"{head}Project-URL: Documentation, https://docs.example/\n")
    assert page(ERRORS) == page_on_site(ERRORS) == "https://docs.example/errors.html"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["improve", "--only", "breif", "--dry-run"],
            ExitCode.USAGE,
            "lever breif: not known; did you mean brief?",
        ),
        (["improve", "--without", "brief,drafft", "--dry-run"], ExitCode.USAGE, "did you mean draft?"),
        (["run", "--suite", "worspace"], ExitCode.INPUT, "did you mean workspace?"),
    ],
)
def test_a_name_that_is_nearly_one_is_refused_with_it(
    arguments: list[str], code: ExitCode, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert said in capsys.readouterr().err


def test_a_flag_by_its_former_name_works_and_says_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    draft = ["bench", "speculative", "--draft", "d", "--model", "/gone", "--k", "2,2", "--dry-run"]
    assert main(draft) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said.startswith("punie-trace: --k is now --num-draft-tokens, and will be refused\n")
    assert "error: --num-draft-tokens: 2 is given twice" in said
    assert "--k " not in build_parser(("bench",)).format_help()


def test_the_program_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitCode.OK
    assert "VERB" in capsys.readouterr().out


def test_a_bug_has_an_exit_code_and_leaves_its_traceback_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise LookupError("what nobody\nexpected")

    monkeypatch.setattr("punie.trace.commands.doctor.execute", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["doctor"]) == ExitCode.BUG
    said = capsys.readouterr().err
    assert said.startswith(
        "punie-trace: a bug of punie-trace: LookupError: what nobody expected (its traceback: "
    )
    (kept,) = tmp_path.iterdir()
    assert str(kept) in said
    assert "in broken" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_module_that_takes_long_to_import_is_said_to(capfd: pytest.CaptureFixture[str]) -> None:
    with importing_agent("shop:agent", slow_after_s=0.05):
        time.sleep(0.3)
    assert "--agent shop:agent: still being imported after 0.05 s" in capfd.readouterr().err
    with importing_agent("shop:agent", slow_after_s=0.2):
        pass
    time.sleep(0.4)
    assert not capfd.readouterr().err


def test_what_opentelemetry_refuses_of_its_variables_is_no_bug_of_ours() -> None:
    same_value = {"OTEL_NOBODY_READS": "many"}  # stands first
    for name, value in (
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"),
        ("OTEL_PROPAGATORS", "tracecontext,odd"),
    ):
        run = [
            sys.executable,
            "-m",
            "punie.trace",
            "run",
            "--base-url",
            "http://127.0.0.1:1/v1",
            "--no-export",
        ]
        said = subprocess.run(
            run, capture_output=True, text=True, check=False, env=same_value | os.environ | {name: value}
        )
        assert said.returncode == ExitCode.USAGE
        assert said.stderr.startswith(f"punie-trace: error: {name}={value}: ")
        assert f"next: correct it, or: unset {name}\n" in said.stderr


@pytest.mark.parametrize("verb", [("run", "--runs"), ("serve", "--spans-dir")])
@pytest.mark.parametrize(
    ("flags", "said"),
    [(["--draft", "demo"], True), (["--draft", "demo", "--cache", "off"], False), ([], False)],
)
def test_a_draft_with_the_prompt_cache_on_is_warned_of_before_the_server_starts(
    verb: tuple[str, str], flags: list[str], said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main([*verb, str(tmp_path), "--no-export", "--port", port, *flags]) == ExitCode.SERVER
    assert ("--cache off" in capsys.readouterr().err) is said


def _to(
    stdout: int | IO[bytes] | None, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a program of its own; without `stdout` nobody reads its pipe."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        return subprocess.run(
            [sys.executable, "-m", "punie.trace", *arguments],
            stdout=nobody if stdout is None else stdout,
            stderr=subprocess.PIPE,
            env={**os.environ, **variables},
            check=False,
            timeout=60,
        )


@pytest.mark.parametrize(
    "arguments", [("report", "--format", "json"), ("report",), ("compare",), ("--help",)]
)
def test_a_closed_pipe_ends_quietly(arguments: tuple[str, ...]) -> None:
    sources = {"report": [str(RECORDED)], "compare": [str(RECORDED)] * 2}.get(arguments[0], [])
    done = _to(None, arguments[0], *sources, *arguments[1:])
    assert (done.returncode, done.stderr) == (ExitCode.PIPE_CLOSED, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_named() -> None:
    with Path("/dev/full").open("wb") as full:
        done = _to(full, "report", str(RECORDED))
    assert done.returncode == ExitCode.EXPORT
    assert done.stderr.startswith(b"punie-trace: error: standard output: can't be written: No space left")
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_an_error_that_can_t_be_said_keeps_its_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "punie.trace", "report", str(tmp_path / "nothing")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (ExitCode.INPUT, b"")


def test_the_version_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code in (None, 0)
    assert re.fullmatch(r"punie-trace \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_an_encoding_that_lacks_a_letter_gets_text_in_ascii() -> None:
    done = _to(subprocess.PIPE, "report", str(RECORDED), PYTHONIOENCODING="ascii")
    assert done.returncode == ExitCode.OK
    assert b" - " in done.stdout  # the dot between what was run


def test_what_programs_read_is_utf_8_where_the_encoding_lacks_a_letter() -> None:
    """It ends no run: a page says of itself that it is UTF-8."""
    done = _to(subprocess.PIPE, "report", str(RECORDED), "--format", "html", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (ExitCode.OK, b"")
    assert "–" in done.stdout.decode("utf-8")
    assert b"charset=utf-8" in done.stdout


def test_what_programs_read_is_utf_8_where_the_encoding_has_its_letters_too() -> None:
    done = _to(subprocess.PIPE, "report", str(RECORDED), "--format", "html", PYTHONIOENCODING="cp1252")
    assert "–" in done.stdout.decode("utf-8")


def test_progress_that_nobody_reads_is_no_gate_s_answer() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nobody, pytest.raises(PipeClosedError):
        Progress(ProgressConsole(file=nobody)).log("x" * 10_000)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_has_examples_that_are_read(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    shown, _, examples = capsys.readouterr().out.partition("examples:\n")
    assert "%%" not in shown
    commands = [line.split() for line in examples.splitlines()]
    assert commands
    for program, *arguments in commands:
        assert program == "punie-trace"
        build_parser().parse_args(arguments)


def test_the_page_of_errors_lists_every_exit_code() -> None:
    page = ERRORS_PAGE.read_text()
    for code in ExitCode:
        assert f"| [{code.value}](#{code.value}) |" in page
        assert f"### {code.value}\n" in page


def test_a_flag_that_is_gone_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "spans.json", "--engine", "duckdb"]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "--engine is gone" in error
    assert "leave it out" in error


def test_files_of_the_working_directory_are_not_run(tmp_path: Path) -> None:
    for name in ("argparse", "mlx", "mlx_lm", "httpx", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger ran')\n")
    program = Path(sys.executable).with_name("punie-trace")
    suite = write_suite(tmp_path / "suite.toml", "user-serializer")  # it asks for a tool, which is a program
    command = [str(program), "run", "--suite", suite, "--no-export", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "a stranger ran" in done.stderr) == (ExitCode.OK, False)
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"run.json", "server.log"}
    assert [path for path in files if path.stat().st_mode & 0o077] == []


def test_no_error_shows_the_credentials_of_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "http://me:sekret@host/v1"]) == ExitCode.USAGE
    assert main(["run", "--repeat", "http://me:sekret@host/v1"]) == ExitCode.USAGE
    assert main(["run", "--base-url", "ftp://me:sekret@host/v1"]) == ExitCode.USAGE
    assert (
        main(["ship", "ftp://me:sekret@host/v1"]) == ExitCode.INPUT
    )  # taken for a path, which has one slash
    said = capsys.readouterr().err
    assert "host/v1" in said
    assert "sekret" not in said


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\ud800"])
@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["improve", "--dry-run", "--suite"], "--suite"),
        (["improve", "--resume"], "--resume"),
        (["train", "concise", "--resume"], "--resume"),
        (["run", "--config"], "--config"),
        (["mcp", "--runs"], "--runs"),
    ],
)
def test_a_path_that_no_file_can_have_is_refused_by_its_flag(
    words: list[str], flag: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, name]) == ExitCode.USAGE
    assert f"error: {flag}: " in capsys.readouterr().err


def test_what_a_terminal_obeys_is_said_without_effect(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "/no\x1b[31mwhere"]) == ExitCode.INPUT
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "count"), [([], 0), (["--workspace", "w"], 1), (["--workspace", "w", "--suite", "s.toml"], 0)]
)
def test_the_default_suite_over_another_workspace_is_said(flags: list[str], count: int) -> None:
    options = read_options(run_options.Options, build_parser().parse_args(["run", *flags]))
    said = run_options.workload_warnings(options.workload)
    assert len(said) == count
    assert all("asks about the demo project" in line and "--suite" in line for line in said)


NEVER_ENDS = """
import threading, time
from pydantic_ai import Agent

threading.Thread(target=time.sleep, args=(300,)).start()
agent = Agent(defer_model_check=True)
"""


def test_a_thread_of_the_users_module_that_never_ends_does_not_keep_the_command(tmp_path: Path) -> None:
    (tmp_path / "users_agent.py").write_text(NEVER_ENDS)
    flags = (
        "--agent",
        "users_agent:agent",
        "--base-url",
        "http://127.0.0.1:9",
        "--no-export",
        "--ready-timeout",
        "1",
    )
    program = str(Path(sys.executable).with_name("punie-trace"))
    done = subprocess.run(
        [program, "run", *flags], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == ExitCode.SERVER
