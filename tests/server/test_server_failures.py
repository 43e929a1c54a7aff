"""How ServerProcess takes a program that misbehaves: programs of a few lines stand in for the server."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from punie.trace.errors import ServerError
from punie.trace.server.config import ServerConfig
from punie.trace.server.process import ServerProcess

ANSWERING = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = b'{"choices": []}'
        self.send_response(STATUS)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + ANSWERING
UNLUCKY_ONCE = (
    """
from pathlib import Path
mark = Path(MARK)
if not mark.exists():
    mark.touch()
    raise OSError(98, "Address already in use")
"""
    + ANSWERING
)

Make = Callable[..., ServerProcess]


@pytest.fixture
def make(tmp_path: Path, tiny_model: Path) -> Make:
    """`make(program, port=0, …)`: a server whose program is this Python text; it gets the port as argument."""

    def of(
        program: str, *, port: int = 0, ready_timeout_s: float = 60, stop_grace_s: float = 5
    ) -> ServerProcess:
        def command(_: ServerConfig, chosen: int) -> tuple[str, ...]:
            return (sys.executable, "-c", program, str(chosen))

        return ServerProcess(
            ServerConfig(tiny_model, port=port),
            tmp_path / "server.log",
            ready_timeout_s=ready_timeout_s,
            stop_grace_s=stop_grace_s,
            build_command=command,
        )

    return of


def answering(status: int = 200, program: str = ANSWERING) -> str:
    return program.replace("STATUS", str(status))


async def until_dead(server: ServerProcess) -> None:
    while True:
        server.raise_if_dead()
        await asyncio.sleep(0.01)


async def failure_of(server: ServerProcess) -> ServerError:
    with pytest.raises(ServerError) as caught:
        await server.start()
    assert server.pid is None
    return caught.value


def test_program_that_ends_is_reported_with_its_last_lines(make: Make) -> None:
    program = "import sys\nfor n in range(100): print('line', n)\nprint('boom'); sys.exit(3)"
    error = asyncio.run(failure_of(make(program)))
    assert error.message == "the server ended with exit status 3"
    assert error.log_tail.splitlines() == [f"line {n}" for n in range(71, 100)] + ["boom"]


def test_second_start_does_not_show_the_log_of_the_first(make: Make, tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("Address already in use, long ago\n")
    error = asyncio.run(failure_of(make("print('now'); raise SystemExit(3)")))
    assert error.log_tail == "now"


def test_not_ready_in_time(make: Make) -> None:
    error = asyncio.run(
        failure_of(make("import time; time.sleep(100)", ready_timeout_s=0.5, stop_grace_s=30))
    )
    assert error.message == "the server wasn't ready after 0.5 s"
    assert "--ready-timeout" in error.remedy


def test_refusal_is_no_readiness(make: Make) -> None:
    error = asyncio.run(failure_of(make(answering(404))))
    assert error.message == 'the server refused to complete one token: 404 {"choices": []}'


def test_program_that_does_not_exist(tmp_path: Path, tiny_model: Path) -> None:
    server = ServerProcess(
        ServerConfig(tiny_model), tmp_path / "log", build_command=lambda _config, _port: ("/no/such/program",)
    )
    assert "can't be started" in asyncio.run(failure_of(server)).message


def test_taken_port_is_said_before_anything_starts(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        error = asyncio.run(failure_of(make(answering(), port=other.getsockname()[1])))
    assert re.fullmatch(r"the server can't listen on 127.0.0.1:\d+: Address already in use", error.message)


def test_free_port_that_was_lost_is_chosen_again(make: Make, tmp_path: Path) -> None:
    server = make(answering(program=UNLUCKY_ONCE).replace("MARK", repr(str(tmp_path / "mark"))))

    async def session() -> None:
        async with server:
            await server.check()

    asyncio.run(session())
    assert "Address already in use" in (tmp_path / "server.log").read_text()


def test_death_during_the_run(make: Make) -> None:
    async def session() -> None:
        async with make(answering()) as server:
            await server.check()
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            with pytest.raises(ServerError, match="the server was killed by SIGKILL"):
                await until_dead(server)
            with pytest.raises(ServerError, match="the server was killed by SIGKILL"):
                await server.check()

    asyncio.run(session())


def test_unhealthy_without_a_known_reason(make: Make) -> None:
    program = answering().replace(
        "send_response(200)", "send_response(200 if self.command == 'POST' else 503)"
    )

    async def session() -> None:
        async with make(program) as server:
            with pytest.raises(ServerError, match="isn't healthy"):
                await server.check()

    asyncio.run(session())


def test_stop_kills_what_ignores_sigterm_and_may_be_repeated(make: Make) -> None:
    async def session() -> int:
        server: ServerProcess = make(answering(program=STUBBORN), stop_grace_s=0.2)
        async with server:
            assert server.pid is not None
            pid = server.pid
        await server.stop()
        with pytest.raises(ServerError, match="isn't running"):
            await server.check()
        return pid

    assert not psutil.pid_exists(asyncio.run(session()))


def test_cancelled_start_leaves_nothing(make: Make) -> None:
    async def session() -> int:
        server = make("import time; time.sleep(100)")
        start = asyncio.create_task(server.start())
        while server.pid is None:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)
        pid = server.pid
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        return pid

    assert not psutil.pid_exists(asyncio.run(session()))


def test_cancelled_stop_kills_at_once(make: Make) -> None:
    async def session() -> int:
        server = make(answering(program=STUBBORN), stop_grace_s=1000)
        await server.start()
        assert server.pid is not None
        pid = server.pid
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await server.stop()
        return pid

    assert not psutil.pid_exists(asyncio.run(session()))


def test_left_server_can_be_entered_again(make: Make) -> None:
    async def session() -> None:
        server = make(answering())
        for _ in range(2):
            async with server:
                with pytest.raises(RuntimeError, match="started already"):
                    await server.start()

    asyncio.run(session())
