"""No server outlives us: however our process ends, and whatever the server is doing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from punie.trace.server import launcher, program_launcher
from punie.trace.server.command import build_server_command
from punie.trace.server.config import ServerConfig
from punie.trace.server.process import ServerProcess

OWNER = """
import asyncio, sys
from pathlib import Path
from punie.trace.server.config import ServerConfig
from punie.trace.server.process import ServerProcess

async def main():
    async with ServerProcess(ServerConfig(sys.argv[1]), Path(sys.argv[2]), ready_timeout_s=100) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(300)

asyncio.run(main())
"""
HOOK = """
from pathlib import Path
import sys

def install(cleanup):
    assert "mlx_lm.server" in sys.modules
    Path(__file__).with_name("installed").touch()
    cleanup.callback(Path(__file__).with_name("closed").touch)
"""


@contextmanager
def owner_of_a_server(model: Path, log: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = (sys.executable, "-c", OWNER, str(model), str(log))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        try:
            yield owner, pid
        finally:
            owner.kill()
            if runs(pid):
                os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    """A zombie doesn't: where nobody adopts orphans, it stays in the table."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_gone_in_time(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not runs(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_orphan_when_the_owner_gets(number: signal.Signals, tiny_model: Path, tmp_path: Path) -> None:
    with owner_of_a_server(tiny_model, tmp_path / "server.log") as (owner, pid):
        assert runs(pid)
        owner.send_signal(number)
        assert is_gone_in_time(pid)
        owner.wait(30)


def test_stops_in_the_middle_of_an_answer_and_closes_what_the_hook_opened(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "a_hook.py").write_text(HOOK)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def hooked(config: ServerConfig, port: int) -> tuple[str, ...]:
        return build_server_command(config, port=port, hook="a_hook:install")

    async def session() -> None:
        server = ServerProcess(
            ServerConfig(tiny_model), tmp_path / "log", ready_timeout_s=100, env=env, build_command=hooked
        )
        async with server, httpx.AsyncClient(trust_env=False, timeout=60) as client:
            assert (tmp_path / "installed").exists()
            body = {"messages": [{"role": "user", "content": "go"}], "max_tokens": 10**6, "stream": True}
            body |= {
                "seed": 1,
                "temperature": 1,
            }  # a seed turns batching off: nothing looks at a stop flag then
            async with client.stream("POST", f"{server.base_url}/chat/completions", json=body) as answer:
                await anext(answer.aiter_lines())
                assert not (tmp_path / "closed").exists()
                await server.stop()
        assert (tmp_path / "closed").exists()

    asyncio.run(session())


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.6, 0.9, 1.2])
def test_launcher_ends_with_its_pipe_before_the_server_is_loaded(after_s: float, tiny_model: Path) -> None:
    """Whatever is being loaded then: MLX's extension made an ImportError of the SystemExit."""
    command = build_server_command(ServerConfig(tiny_model), port=0)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as started:
        time.sleep(after_s)
        assert started.stdin is not None
        started.stdin.close()
        assert started.wait(60) == 128 + signal.SIGTERM


def test_an_error_that_a_signal_was_turned_into_is_not_taken_for_another() -> None:
    def load() -> None:
        try:
            launcher._end(signal.SIGTERM, None)  # noqa: SLF001 # as the system calls it
        except SystemExit as end:
            raise ImportError("an extension") from end

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert launcher.exit_code(load) == 128 + signal.SIGTERM
    finally:
        launcher._received.clear()  # noqa: SLF001 # of this process
        for number, handler in before.items():
            signal.signal(number, handler)
    assert launcher.exit_code(lambda: exec("import nobody_has_it")) == 1  # noqa: S102 # ours


def test_what_another_launcher_of_the_same_number_started_is_not_ours() -> None:
    """Process numbers begin anew in each container, and a machine sees the processes of its containers."""
    theirs = os.environ | {"PUNIE_STARTED_BY": str(os.getpid())}
    wait = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
    with subprocess.Popen(wait, env=theirs, start_new_session=True, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert process.pid not in program_launcher.others()
        finally:
            process.kill()


def test_what_may_not_be_ended_keeps_nothing_else_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is started by sudo is another user's."""
    ended: list[int] = []

    def kill(pid: int, _: int) -> None:
        if pid == 1:
            raise PermissionError
        ended.append(pid)

    monkeypatch.setattr(program_launcher, "others", lambda: iter((1, 2)))
    monkeypatch.setattr(os, "kill", kill)
    program_launcher.send(signal.SIGTERM)
    assert ended == [2]
