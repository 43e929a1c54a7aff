"""The small parts: launcher arguments and exit codes, log, diagnosis, memory, late imports."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from punie.trace.footprint import FootprintKind, footprint_reader, read_phys_footprint
from punie.trace.server.diagnosis import death_line, describe_exit, find_cause, is_downloading
from punie.trace.server.launcher import LauncherArguments, exit_code, load_hook, parse_arguments
from punie.trace.server.log import SHOWN_LINES, TAIL_BYTES, ServerLog
from punie.trace.server.memory import MemorySampler
from punie.trace.server.memory_limit import LimitSource, MemoryLimit, recommended_limit
from punie.trace.server.port import url


def test_launcher_splits_its_arguments_from_the_servers() -> None:
    assert parse_arguments(
        ["--hook", "a:b", "--grace", "2", "--", "--model", "m", "--"]
    ) == LauncherArguments(server=("--model", "m", "--"), hook="a:b", grace_s=2.0)
    assert parse_arguments([]) == LauncherArguments(server=())


def test_hook_is_found_by_name() -> None:
    hook: object = load_hook("contextlib:ExitStack")
    assert hook is ExitStack


@pytest.mark.parametrize(
    ("code", "expected"),
    [(None, 0), (0, 0), (143, 143), ("a message", 1)],
    ids=["none", "zero", "signal", "text"],
)
def test_exit_code_of_system_exit(code: object, expected: int) -> None:
    def run() -> None:
        raise SystemExit(code)

    assert exit_code(run) == expected


def test_exit_code_of_an_error_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: os.stat("/no/such/file") and None) == 1  # noqa: PTH116 - any error will do
    assert "FileNotFoundError" in capsys.readouterr().err


def test_tail_is_bounded_in_lines_and_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert ServerLog(path).tail() == ""
    path.write_bytes(b"old\n" + b"x" * 100_000 + b"\xff\nlast\n")
    tail = ServerLog(path, start=4).tail()
    assert len(tail) <= TAIL_BYTES
    assert tail.endswith("x\ufffd\nlast")
    assert ServerLog(path, start=path.stat().st_size).tail() == ""


def test_found_line_comes_with_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert ServerLog(path).find("died") == ""
    path.write_text("it died early\nfine\n" + "generation thread died: why\nTraceback\n" + "more\n" * 200)
    found = ServerLog(path, start=14).find("died")
    assert found.splitlines() == ["generation thread died: why", "Traceback", *["more"] * (SHOWN_LINES - 2)]
    assert ServerLog(path).find("never") == ""


def test_exits_in_words() -> None:
    assert describe_exit(1) == "ended with exit status 1"
    assert describe_exit(-9) == "was killed by SIGKILL, as a system does that is out of memory"
    assert describe_exit(143) == "was killed by SIGTERM"
    assert describe_exit(255) == "ended with exit status 255"


def test_remedies_and_reasons() -> None:
    cause = find_cause("x GatherMM y")
    assert cause is not None
    assert "float32" in cause.sentence
    assert find_cause("nothing known") is None
    no_network = find_cause("httpx2.ConnectError: [Errno -2] Name or service not known")
    assert no_network is not None
    assert "--model" in no_network.remedy
    line = "2026-01-01 - ERROR - mlx_lm.server generation thread died: [broadcast] no"
    assert death_line(line + "\nTraceback") == "[broadcast] no"
    assert death_line("another line") == "another line"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:1/v1"),
        ("::1", "http://[::1]:1/v1"),
        ("::", "http://[::1]:1/v1"),
        ("0.0.0.0", "http://127.0.0.1:1/v1"),  # noqa: S104 - a text
    ],
)
def test_urls(host: str, expected: str) -> None:
    assert url(host, 1) == expected


HOG = """
import subprocess, sys
def hold(megabytes):
    held = bytearray(b"x" * megabytes * 2**20)
    print("ready", flush=True)
    sys.stdin.read()
if len(sys.argv) == 3:
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]])
    hold(int(sys.argv[1]))
else:
    hold(int(sys.argv[1]))
"""


def test_memory_of_a_process_and_its_child() -> None:
    command = (sys.executable, "-c", HOG, "80", HOG)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        with MemorySampler(process.pid, interval_s=0.01) as sampler:
            while sampler.usage().samples < 3:
                os.sched_yield()
        process.communicate("")
    usage = sampler.usage()
    assert 160 * 2**20 < usage.peak_bytes < 400 * 2**20
    assert usage.source is footprint_reader()[0]


def test_memory_of_a_process_that_is_gone_is_not_known() -> None:
    process = subprocess.Popen((sys.executable, "-c", ""))
    process.wait()
    with MemorySampler(process.pid) as sampler:
        pass
    assert sampler.usage().samples == 0


@pytest.mark.skipif(sys.platform != "darwin", reason="a figure of macOS")
def test_footprint_of_this_process() -> None:
    assert footprint_reader()[0] is FootprintKind.PHYS_FOOTPRINT
    assert read_phys_footprint(psutil.Process()) > 2**20


def test_recommended_limit_is_at_most_all_memory() -> None:
    limit = recommended_limit()
    assert 0 < limit.limit_bytes <= psutil.virtual_memory().total
    assert limit.source is (LimitSource.METAL if sys.platform == "darwin" else LimitSource.TOTAL)


ALL_MEMORY = MemoryLimit(psutil.virtual_memory().total, LimitSource.TOTAL)


@pytest.mark.parametrize(
    ("mlx_says", "limit"),
    [
        ("echo 22906503168", MemoryLimit(22906503168, LimitSource.METAL)),
        ("echo None", ALL_MEMORY),
        ("echo \"KeyError: 'max_recommended_working_set_size'\" >&2; exit 1", ALL_MEMORY),
    ],
)
def test_on_macos_mlx_recommends_the_limit_and_ends_no_run_if_it_does_not(
    mlx_says: str, limit: MemoryLimit, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{mlx_says}\n")
    python.chmod(0o755)
    assert recommended_limit(platform="darwin", python=str(python)) == limit
    assert recommended_limit(platform="darwin", python=str(tmp_path / "none")) == ALL_MEMORY


def test_importing_the_server_package_loads_nothing_heavy() -> None:
    program = "import sys, punie.trace.server.config; print({'httpx', 'mlx_lm', 'mlx', 'psutil'} & set(sys.modules))"
    shown = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_a_download_shows_at_the_end_of_the_log() -> None:
    assert is_downloading("started\nFetching 9 files:  33%|###   | 3/9 [00:02<00:04,  1.5it/s]\n")
    assert is_downloading(
        "model.safetensors:  10%|# | 1G/9G\rmodel.safetensors:  11%|# | 1.1G/9G [0:10, 95MB/s]"
    )
    assert not is_downloading("Fetching 9 files: 100%\nINFO loading the model\n")
    assert not is_downloading("")
