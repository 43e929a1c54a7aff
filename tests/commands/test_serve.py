"""`serve` as a user runs it: a program in the foreground, a client with trace context, Ctrl-C."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from scripted_model import write_scripted_model
from served import Client, question, wait_until

from punie.trace.__main__ import main
from punie.trace.commands.serve import OWN_FLAGS
from punie.trace.errors import ExitCode
from punie.trace.server.command import server_arguments
from punie.trace.server.config import ServerConfig
from punie.trace.store.sources import read_source

SERVED = re.compile(r"serving (http://127\.0\.0\.1:\d+)/v1 as default_model")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scripted_model(tmp_path_factory.mktemp("served"))


@contextmanager
def serve(
    *arguments: str, pythonpath: Path | None = None, around: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, and what it says when it serves."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LOGFIRE_"))
    }
    if pythonpath is not None:
        environment["PYTHONPATH"] = str(pythonpath)
    command = (*around, sys.executable, "-m", "punie.trace", "serve", *arguments)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as program:
        try:
            assert program.stderr is not None
            yield program, next(line for line in program.stderr if SERVED.search(line))
        finally:
            program.kill()


def ask(said: str, client: Client, **more: object) -> None:
    found = SERVED.search(said)
    assert found is not None
    url = found[1]
    with httpx.Client(trust_env=False, timeout=30) as http:
        answer = http.post(
            f"{url}/v1/chat/completions", json=question("count", **more), headers=client.headers
        )
    assert answer.status_code == httpx.codes.OK


def end(program: subprocess.Popen[str], number: signal.Signals, code: ExitCode = ExitCode.OK) -> str:
    """What it says after the signal; it ends with `code`."""
    program.send_signal(number)
    _, said = program.communicate(timeout=30)
    assert program.returncode == code
    return said


def names(spans_dir: Path, client: Client) -> list[str]:
    (journal,) = spans_dir.glob("mlx_lm-*.jsonl")
    resources = [json.loads(line)["resourceSpans"][0] for line in journal.read_text().splitlines()]
    spans = [resource["scopeSpans"][0]["spans"][0] for resource in resources]
    return [span["name"] for span in spans if span["traceId"] == client.trace_id]


@contextmanager
def collector() -> Iterator[tuple[str, Callable[[], Sequence[str]]]]:
    """An OTLP receiver: its address, and the names of the spans that it got, with their trace ids."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    got.extend(f"{span.trace_id.hex()} {span.name}" for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", lambda: tuple(got)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_serves_traces_and_sends_until_ctrl_c(model: Path, tmp_path: Path) -> None:
    client, unrecorded, spans_dir = Client(), Client(recorded=False), tmp_path / "spans"
    flags = ("--model", str(model), "--port", "0", "--spans-dir", str(spans_dir))
    with (
        collector() as (otlp, got),
        serve(*flags, "--otlp", otlp, "--", "--decode-concurrency", "3") as (program, greeting),
    ):
        ask(greeting, unrecorded)
        ask(greeting, client)
        wait_until(lambda: f"{client.trace_id} server request" in got() or None)
        said = end(program, signal.SIGINT)
    expected = ["queue", "template", "prefill", "decode", "parse", "server request"]
    assert names(spans_dir, client) == expected
    assert names(spans_dir, unrecorded) == []  # as `serve --help` says
    assert [line for line in got() if line.startswith(client.trace_id)] == [
        f"{client.trace_id} {name}" for name in expected
    ]
    assert f"sent to {otlp}" in said
    assert "POST /v1/chat/completions" in (spans_dir / "server.log").read_text()


def test_a_plain_server_writes_no_spans_and_ends_with_sigterm(tmp_path: Path) -> None:
    with serve("--port", "0", "--spans-dir", str(tmp_path), "--plain-server") as (program, greeting):
        assert program.stderr is not None
        assert "the demo model" in next(program.stderr)
        ask(greeting, Client(), max_tokens=3)
        end(program, signal.SIGTERM)
    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]


def test_a_server_that_refuses_its_arguments_is_an_error_with_its_words(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("serve", "--model", str(model), "--port", "0", "--spans-dir", str(tmp_path), "--no-export")
    assert main([*flags, "--", "--no-such-flag"]) == ExitCode.SERVER
    assert "unrecognized arguments: --no-such-flag" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("passed_on", "instead"),
    [
        (("--port", "8090"), "--port"),
        (("--decode-concurrency", "2", "--host=0.0.0.0"), "--host"),
        (("--ho", "::"), "--host"),
        (("--model", "elsewhere"), "--model"),
        (("--draft", "elsewhere"), "--draft"),
        (("--temp", "1"), "--temperature"),
        (("--prompt-cache-size", "3"), "--cache"),
    ],
)
def test_what_serve_itself_tells_the_server_is_refused_behind_the_dashes(
    passed_on: tuple[str, ...], instead: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans_dir = tmp_path / "spans"
    flags = ("serve", "--port", "0", "--cache", "off", "--spans-dir", str(spans_dir), "--no-export")
    assert main([*flags, "--", *passed_on]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert f"can't be given after --: {instead} sets it for the server" in said
    assert f"next: Use {instead}, before the --." in said
    assert not spans_dir.exists()


def test_each_flag_that_a_configuration_can_give_is_refused_or_left_to_the_user(
    model: Path, tmp_path: Path
) -> None:
    for name in ("adapter_config.json", "adapters.safetensors"):
        (tmp_path / name).touch()
    config = ServerConfig(
        model,
        adapter_path=tmp_path,
        temperature=0.0,
        top_p=1.0,
        max_tokens=1,
        chat_template_args={"a": 1},
        draft_model=model,
        num_draft_tokens=1,
        prompt_cache_size=0,
        prefill_step_size=1,
    )
    assert all(getattr(config, field.name) is not None for field in dataclasses.fields(config))
    told = {flag for flag in server_arguments(config, port=1) if flag.startswith("--")}
    assert told - {*OWN_FLAGS} == {
        "--chat-template-args",
        "--prompt-cache-size",
        "--prefill-step-size",
    }  # no flags of `serve`


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_server_is_ready_is_said_and_is_no_success(
    number: signal.Signals, model: Path, tmp_path: Path
) -> None:
    flags = ("--model", str(model), "--port", "0", "--spans-dir", str(tmp_path), "--no-export")
    command = (sys.executable, "-m", "punie.trace", "serve", *flags)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        try:
            wait_until(lambda: (tmp_path / "server.log").exists() or None)
            said = end(program, number, ExitCode.INTERRUPTED)
        finally:
            program.kill()
    assert said == "punie-trace: interrupted: the server wasn't ready yet\n"


def test_a_model_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans_dir = tmp_path / "spans"
    flags = ("serve", "--model", str(tmp_path / "nowhere"), "--spans-dir", str(spans_dir), "--no-export")
    assert main(flags) == ExitCode.USAGE
    assert "nowhere" in capsys.readouterr().err
    assert not spans_dir.exists()


CHANGED = """
import importlib.util, sys

class Changed:
    def find_spec(self, name, path, target=None):
        if name != "mlx_lm.server":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def change(module):
            execute(module)
            was = module.ResponseGenerator._tokenize
            module.ResponseGenerator._tokenize = lambda self, tokenizer, request, args, new=0: was(
                self, tokenizer, request, args
            )

        spec.loader.exec_module = change
        return spec

sys.meta_path.insert(0, Changed())
"""


def test_another_mlx_lm_is_served_plain_and_who_started_it_is_told_why(model: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CHANGED)
    spans_dir = tmp_path / "spans"
    flags = ("--model", str(model), "--port", "0", "--spans-dir", str(spans_dir), "--no-export")
    with serve(*flags, pythonpath=tmp_path) as (program, greeting):
        ask(greeting, Client())
        end(program, signal.SIGTERM)
    assert "no spans (mlx_lm " in greeting
    assert "ResponseGenerator._tokenize takes (self, tokenizer, request, args, new) instead of" in greeting
    assert not list(spans_dir.glob("*.jsonl"))


def test_spans_that_find_no_room_are_said_and_have_their_exit_code(model: Path, tmp_path: Path) -> None:
    spans_dir = tmp_path / "spans"
    flags = ("--model", str(model), "--port", "0", "--spans-dir", str(spans_dir), "--no-export")
    with serve(*flags, around=("sh", "-c", 'ulimit -f 16; exec "$@"', "sh")) as (program, greeting):
        for _ in range(7):
            ask(greeting, Client())
        said = end(program, signal.SIGTERM, ExitCode.EXPORT)
    assert "spans of the server could not be written: " in said
    assert str(spans_dir / "mlx_lm-") in said
    assert "File too large" in said
    (note,) = read_source(str(spans_dir)).notes
    assert note.slug == "spans-lost"


def test_a_folder_for_spans_that_cannot_be_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flags = ("--model", str(model), "--port", "0", "--spans-dir", str(tmp_path / "file" / "spans"))
    command = (sys.executable, "-m", "punie.trace", "serve", *flags)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == ExitCode.EXPORT
    assert f"--spans-dir {tmp_path / 'file' / 'spans'}: can't be made: Not a directory" in done.stderr
    assert "Traceback" not in done.stderr
