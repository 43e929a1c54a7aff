"""The whole way on the demo model and its real server, as a user goes it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from short_suites import write_suite

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode
from punie.trace.model import Phase

QUERIES = {"view-functions", "user-serializer", "async-await", "dependency-injection", "orm-or-sql"}
ON_THE_SERVER = ("queue", "template", "prefill", "decode")


def _only_run(runs: Path) -> Path:
    (run,) = runs.iterdir()
    return run


def _report(source: Path, *flags: str) -> dict[str, Any]:
    out = source / "again.json"
    assert main(["report", str(source), "-o", str(out), "--force", *flags]) == ExitCode.OK
    return dict(json.loads(out.read_text()))


def _spans(run: Path) -> list[dict[str, Any]]:
    lines = [line for file in (run / "spans").iterdir() for line in file.read_text().splitlines()]
    return [json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in lines]


def test_five_of_five(finished: tuple[Path, str]) -> None:
    report = _report(finished[0])
    assert {query["query_id"] for query in report["queries"]} == QUERIES
    assert [query["failures"] for query in report["queries"]] == [[]] * 5
    assert report["verdicts"]["accuracy"]["verdict"] == "yes"
    assert report["verdicts"]["memory"]["verdict"] == "yes"
    assert report["missing"] == []
    # On a busy machine the server may be done with a request milliseconds after its last byte was read.
    assert {finding["slug"] for finding in report["integrity"]} <= {"outside-parent", "outside-window"}


def test_the_ledger_adds_up_and_knows_the_server_from_inside(finished: tuple[Path, str]) -> None:
    for query in _report(finished[0])["queries"]:
        phases = query["phases_ns"]
        assert sum(phases.values()) == query["wall_ns"]
        assert all(phases[name] > 0 and query["provenance"][name] == ["server"] for name in ON_THE_SERVER)
        assert phases["model"] == 0
        assert query["network_known"] is True
        assert (phases["tool"] > 0) == (query["expected"] == "tool")
        assert query["output_tokens"] > 0
        if query["model_requests"] > 1:
            assert query["cached_tokens"] > 0


def test_one_trace_from_the_agent_to_the_token(finished: tuple[Path, str]) -> None:
    spans = _spans(finished[0])
    by_id = {span["spanId"]: span for span in spans}
    requests = [span for span in spans if span["name"] == "server request"]
    for request in requests:
        inside = {span["name"] for span in spans if span.get("parentSpanId") == request["spanId"]}
        assert inside == {*ON_THE_SERVER, "parse"}  # also where a turn calls no tool
    assert len(requests) >= 8  # three queries of two turns, two of one; and the warm-up
    for request in requests:
        names = []
        span = request
        while span.get("parentSpanId"):
            span = by_id[span["parentSpanId"]]
            names.append(span["name"].partition(" ")[0])
        assert names in (
            ["POST", "chat", "invoke_agent", "query"],
            ["POST", "chat", "invoke_agent", "warm-up"],
        )


def test_the_summary_fits_80_columns_and_report_prints_it_again(
    finished: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, printed = finished
    assert main(["report", str(run)]) == ExitCode.OK
    again = capsys.readouterr().out
    assert again.replace(str(run), f"runs/{run.name}") == printed  # the folder as it was named
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    assert "demo model shows that everything works" in printed


def test_report_needs_the_spans_alone(finished: tuple[Path, str], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "spans").mkdir(parents=True)
    for file in (finished[0] / "spans").iterdir():
        (copy / "spans" / file.name).write_bytes(file.read_bytes())
    with_plan, without = _report(finished[0]), _report(copy)
    assert without["queries"] == with_plan["queries"]
    assert without["verdicts"]["generation"] == with_plan["verdicts"]["generation"]


def test_csv_and_gates(
    finished: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(finished[0])
    assert main(["report", run, "-o", str(tmp_path / "r.csv"), "--gate", "accuracy,memory"]) == ExitCode.OK
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert len([row for row in rows if row["warmup"] == "false"]) == 5
    assert all(sum(int(row[f"{phase}_ns"]) for phase in Phase) == int(row["wall_ns"]) for row in rows)
    assert main(["report", run, "--gate", "target"]) == ExitCode.GATE_UNDECIDED  # one pass is too little
    assert main(["report", run, "--target", "1ms", "--gate", "target,accuracy"]) == ExitCode.GATE_FAILED
    assert main(["report", run, "--max-memory", "1MB", "--gate", "memory"]) == ExitCode.GATE_FAILED
    assert "gate memory: no" in capsys.readouterr().err
    assert main(["report", run, "-o", str(tmp_path / "r.csv")]) == ExitCode.USAGE  # never overwritten unasked


def test_no_content_is_needed_to_judge(finished: tuple[Path, str], tmp_path: Path) -> None:
    """What is stripped before spans leave the machine changes no figure."""
    content = re.compile(r'\{"key":"(punie\.query\.(text|answer)|gen_ai\.(input|output)\.messages)"')
    stripped = tmp_path / "stripped"
    (stripped / "spans").mkdir(parents=True)
    for file in (finished[0] / "spans").iterdir():
        (stripped / "spans" / file.name).write_text(content.sub(r'{"key":"gone"', file.read_text()))
    assert "punie.query.answer" not in "".join(f.read_text() for f in (stripped / "spans").iterdir())
    assert _report(stripped)["queries"] == _report(finished[0])["queries"]


def test_every_message_is_counted_and_the_bill_for_the_cache_has_no_bounds(
    finished: tuple[Path, str],
) -> None:
    opening = len(["<|im_start|>", "assistant", "\n"])  # of the answer, behind the last message
    served = [span for span in _spans(finished[0]) if span["name"] == "server request"]
    served.sort(key=lambda span: int(span["endTimeUnixNano"]))
    are_all_known = True
    for span in served:
        said = {item["key"]: item["value"] for item in span["attributes"]}
        counts, digests = (
            [next(iter(item.values())) for item in said[f"punie.message.{name}"]["arrayValue"]["values"]]
            for name in ("tokens", "digests")
        )
        assert len(counts) == len(digests) >= 2
        are_all_known = all(int(count) > 0 for count in counts)
        assert are_all_known or span is served[-1]  # a busy server that is stopped gives way while it counts
        prompt_tokens = int(said["gen_ai.usage.input_tokens"]["intValue"])
        assert not are_all_known or sum(int(count) for count in counts) + opening == prompt_tokens
    bill = _report(finished[0])["cache"]
    assert len(served) >= len(bill["requests"]) == 8
    assert all(request["judged"] for request in bill["requests"])
    assert not are_all_known or bill["least_tokens"] == bill["most_tokens"]


def test_cache_off_whole_answers_and_repeats(tmp_path: Path) -> None:
    few = ("view-functions", "orm-or-sql", "dependency-injection")
    suite = write_suite(tmp_path / "suite.toml", *few)
    flags = [
        "--cache",
        "off",
        "--no-stream",
        "--repeat",
        "2",
        "--seed",
        "3",
        "--plain-server",
        "--suite",
        suite,
    ]
    runs = tmp_path / "runs"
    assert main(["run", "--runs", str(runs), *flags, "--gate", "accuracy"]) == ExitCode.OK
    report = _report(_only_run(runs))
    assert len(report["queries"]) == 6
    orders = [[q["query_id"] for q in report["queries"] if q["repeat"] == repeat] for repeat in (0, 1)]
    assert set(orders[0]) == set(orders[1]) == set(few)
    assert orders[0] != orders[1]
    for query in report["queries"]:
        assert query["cached_tokens"] in (0, None)
        assert query["network_known"] is False
        assert query["phases_ns"]["model"] > 0
    network = next(group for group in report["totals"]["groups"] if group["group"] == "network")
    assert network["known"] is False


def test_a_plain_server_s_prefill_and_decode_are_read_off_the_stream(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--runs", str(tmp_path), "--plain-server"]) == ExitCode.OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    report = _report(_only_run(tmp_path))
    assert {query["query_id"] for query in report["queries"]} == QUERIES
    for query in report["queries"]:
        phases = query["phases_ns"]
        for name in ("prefill", "decode"):
            assert phases[name] > 0
            assert query["provenance"][name] == ["stream"]
        assert sum(phases.values()) == query["wall_ns"]
        assert phases["http"] == 0
        assert query["network_known"] is False
    assert [line[0] for line in lines if "stream" in line and "%" in line] == ["decode", "prefill"]
    for name in ("network", "http"):
        assert [name, *["not", "known"] * 2] in lines


@pytest.fixture
def going(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A long run in a process of its own, with at least two queries answered."""
    process = subprocess.Popen(
        [sys.executable, "-m", "punie.trace", "run", "--runs", str(tmp_path), "--repeat", "50"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stderr is not None
        answered = 0
        for line in process.stderr:
            answered += line.strip().startswith(b"[")
            if answered == 2:
                break
        assert answered == 2
        yield process, _only_run(tmp_path)
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _server_pids(run: Path) -> list[int]:
    named = [p for p in psutil.process_iter(["pid", "cmdline"]) if p.info["cmdline"]]
    ours = [p for p in named if "punie.trace.server.launcher" in p.info["cmdline"]]
    return [p.pid for p in ours if str(run / "server.log") in {f.path for f in p.open_files()}]


def _gone(pids: list[int], within_s: float = 20) -> bool:
    end = time.monotonic() + within_s
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(psutil.pid_exists, pids))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_leaves_a_journal_and_no_server(
    how: signal.Signals, going: tuple[subprocess.Popen[bytes], Path]
) -> None:
    process, run = going
    servers = _server_pids(run)
    assert servers
    process.send_signal(how)
    code = process.wait(timeout=30)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else ExitCode.INTERRUPTED)
    assert _gone(servers)
    report = _report(run)
    asked = {(q["query_id"], q["repeat"]) for q in report["queries"]}
    missing = {(m["query_id"], m["repeat"]) for m in report["missing"]}
    assert len(asked) >= 2
    assert asked.isdisjoint(missing)
    assert len(asked) + len(missing) == 250
    assert report["verdicts"]["generation"]["verdict"] == "undecided"
    assert "missing" in report["verdicts"]["generation"]["basis"]


def test_a_torn_last_line_is_counted(finished: tuple[Path, str], tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    (torn / "spans").mkdir(parents=True)
    for file in (finished[0] / "spans").iterdir():
        data = file.read_bytes()
        (torn / "spans" / file.name).write_bytes(data[:-40] if file.name.startswith("agent") else data)
    findings = {finding["slug"]: finding for finding in _report(torn)["integrity"]}
    assert findings["unreadable-record"]["count"] == 1
    assert "agent-" in findings["unreadable-record"]["examples"][0]


KILLER = '''
import os, signal
import psutil
from pydantic_ai import Agent

def run_command(command: str) -> str:
    """Run a read-only command."""
    for child in psutil.Process().children():
        if "punie.trace.server.launcher" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)
    return "./a.py:1:class Settings:"

agent = Agent(tools=[run_command], defer_model_check=True)
'''


def test_a_server_that_dies_ends_the_run_with_its_own_exit_code(tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(KILLER)
    done = subprocess.run(
        [sys.executable, "-m", "punie.trace", "run", "--runs", "runs", "--agent", "killer:agent"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == ExitCode.SERVER, done.stderr
    assert "SIGKILL" in done.stderr
    assert "punie-trace report runs/" in done.stderr
    assert _report(_only_run(tmp_path / "runs"))["verdicts"]["accuracy"]["verdict"] != "yes"
