"""A model that tries to get out of the workspace, to use the machine up, and to write to the terminal."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final

import psutil
import pytest
from fuzzing.oracle import CONTROLS, check_document
from hostile_ground import SECRET, Ground, make_ground
from hostile_texts import TEXTS
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import punie.trace
from punie.trace.report.builders.run import build_run
from punie.trace.telemetry.http.transports import uninstrument_http
from punie.trace.usecases.load import load_source
from punie.trace.usecases.run_report import VerdictTargets, build_report
from punie.trace.workload.agent import default_subject
from punie.trace.workload.agent_runner import AgentRunner
from punie.trace.workload.subject import Subject
from punie.trace.workload.tools.tools import ERROR_PREFIX, WorkspaceTools

READERS: Final = (
    "cat {}",
    "head -n 5 {}",
    "tail -n 5 {}",
    "wc -c {}",
    "ls -la {}",
    "grep -r hunter {}",
    "find {}",
)
OUTSIDE: Final = (
    "../outside/secret.txt", "src/../../outside/secret.txt", "{outside}/secret.txt", "file-link", "folder-link/secret.txt",
    "folder-link/", "src/up/secret.txt", "src/up", "proc-link/environ", "/proc/self/environ", "/proc/1/cmdline", "/etc/passwd",
    "/dev/stdin", "/dev/fd/0", "-", "~/.ssh/id_rsa", "~root", "$HOME", "${{HOME}}", "folder-link/*", "*/secret.txt",
    "../*/secret.txt", "f*/s*", "[f]older-link/secret.txt", "./././../outside", "//etc/passwd", "loop", "pipe",
    "\u2024\u2024/outside/secret.txt", "\uff0e\uff0e/outside", "..\uff0foutside", "src\u2215..", "%2e%2e/outside", "..\\outside",
    "\x00", "src/views.py\x00/../../outside/secret.txt", "src\n../outside", "{{a,../outside/secret.txt}}",
)  # fmt: skip
TRICKS: Final = (
    "find . -exec cat {} ;", "find . -execdir id ;", "find . -ok id ;", "find . -delete", "find . -fprintf out x",
    "find . -fprint out", "find . -fls out", "find -L . -name secret.txt", "find -H folder-link", "find . -follow",
    "find . -newer ../outside/secret.txt", "find . -samefile ../outside/secret.txt", "find -files0-from list0",
    "find . -printf %p", "find -D all .", "find . -quit", "find . -regextype posix-egrep -regex x",
    "grep -f list src", "grep --file=list src", "grep -fe list src", "grep hunter -f ../outside/secret.txt src",
    "grep --include-from=list x .", "grep --devices=read x pipe", "grep -D read x pipe", "grep -P '(?R)' hay", "grep -z x src",
    "grep --color=always x . --binary-files=text", "grep -R hunter folder-link", "grep --exclude-from=../outside/secret.txt x .",
    "cat --files0-from=list0", "wc --files0-from=list0", "wc --files0-from=-", "head --files0-from=list0", "ls --hyperlink",
    "ls -L file-link", "ls -H folder-link", "ls --dereference-command-line folder-link", "ls -Z", "tail -f src/views.py",
    "tail -F src/views.py", "tail --retry x", "tail --pid=1 -f hay", "head -c 99999999999999999999 hay", "sort -o out hay",
    "env", "printenv", "xargs cat", "sh -c id", "bash", "python3 -c 1", "perl -e 1", "awk 'BEGIN{system(\"id\")}'", "sed -n p hay",
    "tee out", "touch out", "rm -rf src", "mv hay out", "cp hay out", "ln -s / out", "chmod 777 hay", "dd if=hay of=out",
    "git log", "git -c core.pager=id log", "git config --global core.pager id", "git --exec-path=. status", "git diff --output=out",
    "git -c alias.x=!id x", "git grep --open-files-in-pager=id async", "git --git-dir=../outside log", "curl http://evil.example",
    "wget x", "nc -l 1", "ssh x", "kill -9 1", "sudo id", "vi hay", "less hay", "man ls", "busybox cat hay", "/bin/cat ../outside",
    "./-rf", "../outside/secret.txt", "cat<hay", "cat hay>out", "cat hay >> out", "cat hay | sh", "cat hay; id", "cat hay && id",
    "cat hay || id", "cat hay & id", "cat $(echo hay)", "cat `echo hay`", "cat <(id)", "cat <<< x", "cat hay 2>&1", "cat $((1))",
    "cat hay\nid", "cat hay\rid", "cat hay\x00id", "cat 'hay", 'cat "hay', "cat hay\\", "c\\at hay", "'cat' hay; id", "cat\u00a0hay",
    "\u0441at hay", "CAT hay", "cat{,} hay", "!!", "cat !$", ":(){ :|:& };:", "", "   ", "\x1b[A", "cat " + "hay " * 600,
    "grep x " + "../" * 500 + "etc/passwd", "PATH=. cat hay", "LD_PRELOAD=./x cat hay", "exec cat hay", "eval cat hay", ". hay",
)  # fmt: skip


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return make_ground(tmp_path_factory.mktemp("ground"))


def attempts(ground: Ground) -> Iterator[str]:
    for path in OUTSIDE:
        yield from (reader.format(path.format(outside=ground.outside)) for reader in READERS)
    yield from TRICKS


def test_no_command_leaves_the_workspace(ground: Ground) -> None:
    tools, before = WorkspaceTools(ground.workspace), ground.state()
    tried = [*attempts(ground)]
    assert len(tried) > 300
    for command in tried:
        shown = tools.run_command(command)
        assert SECRET not in shown, command
        assert "uid=" not in shown, command
        assert not CONTROLS.search(shown.replace("\t", " ")), command
    assert ground.state() == before


def test_no_path_leaves_the_workspace(ground: Ground) -> None:
    tools = WorkspaceTools(ground.workspace)
    for path in OUTSIDE:
        shown = tools.read_file(path.format(outside=ground.outside))
        assert shown.startswith(ERROR_PREFIX), path
        assert SECRET not in shown


EXHAUSTING: Final = (
    "grep -E '((a{1,255}){1,255}){1,255}b' hay",
    "grep -E '" + "(" * 400 + "a" + ")*" * 400 + "b' hay",
    "grep -E '(a|a)*b' hay",
    "cat " + "flood " * 300,
    "grep -n a " + "flood " * 100,
    "grep -c -e " + " -e ".join("abcdefgh" * 10) + " flood",
    "find . -regex '" + "\\(.*" * 60 + "x" + "\\)" * 60 + "'",
    "tail -c +0 flood flood flood flood flood flood flood flood flood flood flood flood",
)


@pytest.mark.parametrize("command", EXHAUSTING)
def test_no_command_uses_the_machine_up(command: str, ground: Ground) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    began_s = time.monotonic()
    shown = WorkspaceTools(ground.workspace, time_limit_s=3).run_command(command)
    assert len(shown) < 6_000
    assert time.monotonic() - began_s < 60
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_many_calls_in_one_turn_run_a_few_at_a_time_and_end(ground: Ground) -> None:
    seen = 0

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse([TextPart("done")], finish_reason="stop")
        calls = [ToolCallPart("run_command", {"command": f"cat {'flood ' * 9}"}, f"c{n}") for n in range(60)]
        return ModelResponse(calls, finish_reason="tool_call")

    async def ask() -> None:
        nonlocal seen
        runner = AgentRunner(
            default_subject(ground.workspace), FunctionModel(answer), False, 60, clock=time.time_ns
        )
        task = asyncio.create_task(runner.answer("?"))
        while not task.done():
            seen = max(seen, len(psutil.Process().children(recursive=True)))
            await asyncio.sleep(0.01)
        assert (await task).error is None

    before = len(psutil.Process().children(recursive=True))
    asyncio.run(ask())
    assert seen - before <= 8
    assert len(psutil.Process().children(recursive=True)) <= before


def hostile_model(text: str) -> FunctionModel:
    """Calls a tool that isn't there by a hostile name, one that is with hostile arguments, and answers with it."""

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse([TextPart(text)], finish_reason="stop", model_name=text)
        calls = [
            ToolCallPart(text or "x", {"path": text}, "c1"),
            ToolCallPart("read_file", {"path": text}, text),
        ]
        return ModelResponse(calls, finish_reason="tool_call", model_name=text)

    return FunctionModel(answer, model_name=text)


def test_what_a_model_says_is_not_obeyed(ground: Ground, tmp_path: Path) -> None:
    """Through the real agent, its tools, the journal and every format of reports."""
    subject = default_subject(ground.workspace)
    agent = subject.agent
    telemetry = punie.trace.instrument(agent, journal_dir=tmp_path)
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        for text in TEXTS.values():
            if "\ud800" not in text:  # no answer over HTTP can have it
                runner = AgentRunner(Subject(agent), hostile_model(text), False, 30, clock=time.time_ns)
                asyncio.run(runner.answer(text))
    uninstrument_http(telemetry)
    telemetry.shutdown()
    assert not CONTROLS.search(said.getvalue())
    loaded = load_source(str(tmp_path))
    assert len(loaded.spans.spans) > 2 * len(TEXTS)
    check_document(build_run(build_report(loaded, VerdictTargets())))
