"""The real mlx_lm.server under ServerProcess: ready, answering, dying, reported."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from punie.trace.errors import ExitCode, ServerError
from punie.trace.server.attached_server import AttachedServer
from punie.trace.server.command import server_arguments
from punie.trace.server.config import ServerConfig
from punie.trace.server.memory import MemorySampler
from punie.trace.server.process import ServerProcess

READY_S = 100.0


def chat(server: ServerProcess, content: str, **more: object) -> httpx.Response:
    body = {"model": server.model_name, "messages": [{"role": "user", "content": content}], "max_tokens": 3}
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.post(f"{server.base_url}/chat/completions", json=body | more)


def noisy_command(config: ServerConfig, port: int) -> tuple[str, ...]:
    arguments = server_arguments(config, port=port)
    return (sys.executable, "-m", "punie.trace.server.launcher", "--", *arguments, "--log-level", "DEBUG")


def test_answers_after_a_megabyte_of_log_and_is_gone_when_left(tiny_model: Path, tmp_path: Path) -> None:
    log = tmp_path / "run" / "server.log"
    config = ServerConfig(tiny_model, max_tokens=2, chat_template_args={"enable_thinking": False})

    async def session() -> int:
        async with ServerProcess(config, log, ready_timeout_s=READY_S, build_command=noisy_command) as server:
            assert server.pid is not None
            assert server.started_ns < server.ready_ns
            with MemorySampler(server.pid) as sampler:
                for number in range(4):
                    # Bytes outside ASCII take six characters each in the log, and are few tokens after the cut.
                    padding = {"metadata": {"padding": "é" * 50_000}}
                    assert chat(server, f"question {number}", **padding).status_code == httpx.codes.OK
                await server.check()
            assert log.stat().st_size > 1_000_000
            answer = chat(server, "still there?").json()
            assert answer["usage"]["completion_tokens"] == 3
            usage = sampler.usage()
            assert usage.samples > 0
            assert usage.peak_bytes > 10_000_000
            return server.pid

    assert not psutil.pid_exists(asyncio.run(session()))


def test_dead_generation_thread_is_recognised_during_the_run(tiny_model: Path, tmp_path: Path) -> None:
    async def session() -> None:
        server = ServerProcess(ServerConfig(tiny_model), tmp_path / "server.log", ready_timeout_s=READY_S)
        async with server, AttachedServer(server.address) as attached:
            assert attached.model_name == "default_model"
            await attached.check()
            # mlx_lm.server 0.32 makes stop sequences outside of its error handling: a number ends the thread.
            assert chat(server, "hello", stop=[1]).status_code == httpx.codes.NOT_FOUND
            with pytest.raises(ServerError, match="isn't healthy"):
                await attached.check()
            with pytest.raises(ServerError, match="generation thread died") as caught:
                await server.check()
            assert caught.value.exit_code is ExitCode.SERVER
            assert "Traceback (most recent call last)" in caught.value.log_tail
            assert "server.log" in caught.value.remedy

    asyncio.run(session())


@pytest.mark.skipif(sys.platform == "darwin", reason="half precision experts work on Apple's GPU")
def test_model_that_the_cpu_cannot_run_is_an_error_with_its_remedy(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = make_model("half-experts", experts=True, half=True)
    with pytest.raises(ServerError, match=r"generation thread died.*GatherMM") as caught:
        asyncio.run(enter(ServerProcess(ServerConfig(model), tmp_path / "log", ready_timeout_s=READY_S)))
    assert "float32" in caught.value.message


def test_model_without_weights_is_an_error_with_the_end_of_the_log(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = make_model("no-weights", weights=False)
    with pytest.raises(ServerError, match="generation thread died: No safetensors found") as caught:
        asyncio.run(enter(ServerProcess(ServerConfig(model), tmp_path / "log", ready_timeout_s=READY_S)))
    assert "FileNotFoundError" in caught.value.log_tail
    assert "no weights" in caught.value.message


def test_two_servers_at_once_take_two_ports(tiny_model: Path, tmp_path: Path) -> None:
    async def session() -> None:
        config = ServerConfig(tiny_model, prompt_cache_size=0, stop=("never",))
        one = ServerProcess(config, tmp_path / "one.log", ready_timeout_s=READY_S)
        two = ServerProcess(config, tmp_path / "two.log", ready_timeout_s=READY_S)
        try:
            await asyncio.gather(one.start(), two.start())
            assert one.base_url != two.base_url
            assert (
                chat(one, "same", **config.request_defaults()).json()["choices"]
                == (chat(two, "same", **config.request_defaults()).json()["choices"])
            )
        finally:
            await asyncio.gather(one.stop(), two.stop())

    asyncio.run(session())


async def enter(server: ServerProcess) -> None:
    async with server:
        pass
