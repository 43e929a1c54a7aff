"""Each check with the real illness it is there for; nothing of it is pretended but packages and clocks."""

from __future__ import annotations

import io
import json
import os
import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path

import pytest
from otlp_receiver import http_receiving, serving

from punie.trace.__main__ import main
from punie.trace.console.standard_streams import write_out_inert
from punie.trace.demo.paths import target_model_path
from punie.trace.doctor import clock, model, packages, ports, server_package
from punie.trace.doctor.check import CheckResult, PythonError, Status, python_output, run_checks
from punie.trace.doctor.text import as_json, as_text, failed
from punie.trace.errors import ExitCode, UsageError
from punie.trace.server.memory_limit import LimitSource, MemoryLimit
from punie.trace.stack_ports import StackPort
from punie.trace.telemetry.shipping.collector import Endpoint
from punie.trace.telemetry.shipping.targets import Transport


def page(body: bytes, status: int = 200) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
            """Silent."""

    return Handler


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def copied_model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in target_model_path().iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def _model(folder: Path) -> CheckResult:
    return model.check_model(model.find_model(folder))


def test_packages_as_they_are_here_fit() -> None:
    assert packages.check_packages().status is Status.OK
    assert packages.check_extras().status is Status.OK


def test_a_missing_package_and_a_wrong_version_fail() -> None:
    requirements = ["httpx>=0.28", "mlx-lm<0.33", "gone; extra == 'x'", "elsewhere; sys_platform == 'win32'"]
    versions = {"httpx": "0.27.1"}
    found = packages.check_packages(requirements, versions.get)
    assert found.status is Status.FAIL
    assert found.observed == "httpx 0.27.1 is installed, >=0.28 is needed; mlx-lm is missing"


def test_a_missing_extra_is_no_illness() -> None:
    found = packages.check_extras(["duckdb>=1; extra == 'duckdb'"], lambda _: None)
    assert (found.status, found.observed) == (Status.OK, "not installed: duckdb")
    assert "'duckdb>=" in found.next_step


def test_the_installed_server_fits_the_launcher() -> None:
    found = server_package.check_server_package()
    assert found.status is Status.OK, found
    assert "every hook fits" in found.observed


def test_a_server_package_that_cant_be_imported_fails() -> None:
    def without_mlx_lm(program: str) -> str:
        return python_output(f"import sys; sys.modules['mlx_lm'] = None\n{program}")

    found = server_package.check_server_package(without_mlx_lm)
    assert found.status is Status.FAIL
    assert "mlx_lm" in found.observed


def test_a_server_that_differs_is_a_warning_that_names_the_hooks() -> None:
    change = "from mlx_lm import server as s; s.ResponseGenerator._tokenize = lambda self: None"
    found = server_package.check_server_package(lambda program: python_output(f"{change}\n{program}"))
    assert found.status is Status.WARN
    assert "ResponseGenerator._tokenize takes (self) instead of" in found.observed


def test_the_speed_of_this_machine_is_measured() -> None:
    found = server_package.check_speed()
    assert found.status in (Status.OK, Status.WARN)
    assert float(found.observed.split()[0]) > 0


@pytest.mark.parametrize(
    ("gflops", "platform", "status"),
    [("3.1", "linux", Status.WARN), ("84", "linux", Status.OK), ("3.1", "darwin", Status.OK)],
)
def test_a_slow_blas_matters_on_linux(gflops: str, platform: str, status: Status) -> None:
    assert server_package.check_speed(lambda _: gflops, platform=platform).status is status


def test_mlx_that_cant_be_asked_is_unknown() -> None:
    found = server_package.check_speed(lambda _: python_output("raise SystemExit('no MLX here')"))
    assert (found.status, found.observed) == (Status.UNKNOWN, "MLX can't be asked: no MLX here")


def test_asking_has_an_end() -> None:
    with pytest.raises(PythonError, match=r"within 0\.2 s"):
        python_output("import time; time.sleep(60)", timeout_s=0.2)


def test_the_demo_model_can_be_read() -> None:
    found = _model(target_model_path())
    assert (found.status, "2.2 MB of weights" in found.observed) == (Status.OK, True)


def test_no_folder_no_configuration_no_weights(copied_model: Path, tmp_path: Path) -> None:
    assert _model(tmp_path / "nowhere").observed == f"there is no folder {tmp_path / 'nowhere'}"
    config = copied_model / "config.json"
    config.write_text("{")
    assert "not JSON" in _model(copied_model).observed
    config.unlink()
    assert _model(copied_model).observed == f"there is no config.json in {copied_model}"
    config.write_text("{}")
    for file in copied_model.glob("*.safetensors"):
        file.unlink()
    found = _model(copied_model)
    assert (found.status, "no weights" in found.observed) == (Status.FAIL, True)


def test_weights_that_cant_be_opened_fail(copied_model: Path) -> None:
    (weights,) = copied_model.glob("*.safetensors")
    weights.unlink()
    weights.mkdir()  # which no user may read as a file, root neither
    found = _model(copied_model)
    assert (found.status, found.observed) == (Status.FAIL, f"{weights}: Is a directory")


def test_a_name_that_no_cache_has_is_a_warning() -> None:
    found = model.check_model(model.find_model("nobody-at-all/no-such-model"))
    assert (found.status, "would download" in found.observed) == (Status.WARN, True)


@pytest.mark.parametrize(
    ("weights", "free", "status"),
    [
        (None, 100, Status.UNKNOWN),
        (50, 100, Status.OK),
        (90, 100, Status.WARN),
        (50, 40, Status.WARN),
        (101, 200, Status.FAIL),
    ],
)
def test_weights_against_memory(weights: int | None, free: int, status: Status) -> None:
    limit = MemoryLimit(100, LimitSource.TOTAL)
    assert model.check_memory(weights, limit, available_bytes=free).status is status


def test_disk_room_and_the_right_to_write(tmp_path: Path) -> None:
    runs = tmp_path / "not" / "yet" / "there"
    assert model.check_disk(runs).status in (Status.OK, Status.WARN)
    assert model.check_disk(runs, low_bytes=10**18).status is Status.WARN
    assert model.check_disk(runs, needed_bytes=10**18).status is Status.FAIL
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert model.check_disk(tmp_path / "file" / "runs").status is Status.FAIL


def test_the_wall_clock_of_this_machine_does_not_jump() -> None:
    assert clock.check_clock().status in (Status.OK, Status.WARN)  # a real step is a real warning


def test_a_step_of_the_wall_clock_is_seen() -> None:
    monotonic, wall = count(0, 1_000), count(10**18, 1_000)
    looks = count()

    def stepped() -> int:
        return next(wall) + (5_000_000 if next(looks) > 300 else 0)

    found = clock.check_clock(stepped, lambda: next(monotonic), pause_s=0.0)
    assert found.status is Status.WARN
    assert "jumped by 5.00 ms" in found.observed


@pytest.mark.parametrize(
    ("state", "status"), [(0, Status.OK), (5, Status.WARN), (None, Status.UNKNOWN), (-1, Status.UNKNOWN)]
)
def test_what_the_kernel_says_of_its_clock(state: int | None, status: Status) -> None:
    assert clock.check_synchronisation(lambda: state).status is status


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex is Linux's")
def test_the_kernel_can_be_asked() -> None:
    assert clock.kernel_clock_state() in range(-1, 6)


def test_a_port_that_is_taken_is_named_with_its_owner(taken_port: int, free_port: int) -> None:
    assert ports.check_serve_port(free_port).status is Status.OK
    found = ports.check_serve_port(taken_port)
    assert found.status is Status.WARN
    assert f"(pid {os.getpid()})" in found.observed


def test_a_collector_none_and_a_stranger_in_its_place(free_port: int) -> None:
    with http_receiving() as receiver:
        doors = (Endpoint(Transport.HTTP, receiver.port), Endpoint(Transport.GRPC, free_port))
        assert ports.check_collector(doors).status is Status.OK
        assert receiver.spans == []
    nobody = ports.check_collector((Endpoint(Transport.HTTP, free_port),))
    assert (nobody.status, "docker compose" in nobody.next_step) == (Status.WARN, True)
    with serving(page(b"")) as port:
        stranger = ports.check_collector((Endpoint(Transport.HTTP, port),))
    assert stranger.status is Status.WARN
    assert f"(pid {os.getpid()})" in stranger.observed


def test_jaeger_none_and_its_placeholder(free_port: int) -> None:
    with serving(page(b"<title>Jaeger UI</title>")) as port:
        assert ports.check_jaeger(f"http://127.0.0.1:{port}").status is Status.OK
    with serving(page(b"<title>Test Page</title>")) as port:
        assert ports.check_jaeger(f"http://127.0.0.1:{port}").status is Status.WARN
    assert ports.check_jaeger(f"http://127.0.0.1:{free_port}").status is Status.WARN


@pytest.mark.parametrize(
    ("check", "body"),
    [
        (ports.check_prometheus, b"Prometheus Server is Ready.\n"),
        (ports.check_grafana, b'{"database": "ok"}'),
    ],
)
def test_prometheus_and_grafana_there_away_and_displaced(check: object, body: bytes, free_port: int) -> None:
    assert callable(check)
    with serving(page(body)) as port:
        assert check(port).status is Status.OK
    with serving(page(b"hello")) as port:
        displaced = check(port)
    assert (displaced.status, "another answer than expected" in displaced.observed) == (Status.WARN, True)
    assert check(free_port).observed == f"nobody listens on 127.0.0.1:{free_port}"


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on() -> None:
    def broken() -> CheckResult:
        raise RuntimeError("no such thing")

    fine = CheckResult(Status.OK, "well", subject="fine")
    first, second = run_checks((("broken", broken), ("fine", lambda: fine)))
    assert (first.status, first.observed) == (Status.UNKNOWN, "the check failed: RuntimeError: no such thing")
    assert second == fine


FINDINGS = (
    CheckResult(Status.OK, "all there", subject="packages"),
    CheckResult(
        Status.FAIL, "there is no folder /a/rather/long/path/" + "x" * 40, "give another one", "model"
    ),
)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_is_as_wide_as_the_terminal(width: int) -> None:
    found = "nobody listens there, and the sentence that says so is longer than any terminal is wide: " * 2
    lines = as_text((CheckResult(Status.WARN, found, "do this " * 20, "Jaeger"),), width).splitlines()
    assert width - 12 < max(map(len, lines)) <= width


def test_a_terminal_without_our_signs_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", ascii_only)
    write_out_inert(as_text((CheckResult(Status.WARN, "512 × 512", "do this", "matmul"),)))
    assert ascii_only.buffer.getvalue() == b"warn     matmul         512 x 512\n" + b" " * 24 + (
        b"-> do this\n\n0 failures, 1 warning, 0 unknown, 0 ok\n"
    )


def test_the_text_fits_80_columns_and_counts() -> None:
    text = as_text(FINDINGS)
    assert max(map(len, text.splitlines())) <= 80
    assert "→ give another one" in text
    assert text.endswith("1 failure, 0 warnings, 0 unknown, 1 ok\n")


def test_a_command_is_not_broken_at_a_hyphen() -> None:
    command = "pip install 'punie-trace[clickhouse,duckdb,zstd]'"
    text = as_text((CheckResult(Status.OK, "not installed", f"if you want them: {command}", "extras"),))
    assert "'punie-trace[clickhouse,duckdb,zstd]'" in text


def test_json_says_the_same() -> None:
    document = json.loads(as_json(FINDINGS))
    assert (document["schema_version"], document["ok"]) == (1, False)
    assert [item["status"] for item in document["findings"]] == ["ok", "fail"]
    assert document["findings"][0]["next_step"] is None
    assert not failed(FINDINGS[:1])


def test_the_verb_ends_with_1_only_if_something_needed_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--runs", str(tmp_path / "runs"), "--format", "json", "--jaeger", "http://127.0.0.1:1"]
    assert main(["doctor", *flags]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    subjects = {item["subject"]: item["status"] for item in document["findings"]}
    assert subjects["Jaeger"] == "warn"
    assert {"mlx_lm.server", "memory", "disk", "clock", "NTP", "Collector", "Grafana"} <= subjects.keys()
    assert main(["doctor", *flags, "--model", str(tmp_path / "nowhere")]) == ExitCode.GATE_FAILED
    failing = [item for item in json.loads(capsys.readouterr().out)["findings"] if item["status"] == "fail"]
    assert [item["subject"] for item in failing] == ["model"]


def test_a_folder_without_a_tokenizer_fails(copied_model: Path) -> None:
    (copied_model / "tokenizer.json").unlink()
    found = _model(copied_model)
    assert (found.status, "there is no tokenizer" in found.observed) == (Status.FAIL, True)


def test_the_chat_template_is_looked_at(copied_model: Path) -> None:
    def look() -> CheckResult:
        return model.check_template(model.find_model(copied_model))

    assert look().status is Status.OK
    (copied_model / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert (look().status, "no place for tools" in look().observed) == (Status.WARN, True)
    (copied_model / "chat_template.jinja").unlink()
    assert (look().status, "no chat template" in look().observed) == (Status.WARN, True)
    config = copied_model / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "chat_template": "{{ tools }}"}))
    assert look().status is Status.OK
    config.write_text("{")
    assert look().status is Status.FAIL


def test_proxies_are_named_without_their_passwords() -> None:
    assert ports.check_proxies({}).observed.startswith("none")
    found = ports.check_proxies({"https_proxy": "http://me:pw@proxy:1"})
    assert (
        found.status,
        "HTTPS_PROXY set: servers on this machine are asked directly" in found.observed,
    ) == (
        Status.OK,
        True,
    )
    assert "pw" not in found.observed
    assert ports.check_proxies({"ALL_PROXY": "socks5://proxy:1"}).status is Status.WARN


def test_the_stack_is_looked_for_at_the_ports_that_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    for name in StackPort:
        monkeypatch.setenv(name.value, str(free_port))
    checks = (ports.check_collector, ports.check_jaeger, ports.check_prometheus, ports.check_grafana)
    assert all(f"127.0.0.1:{free_port}" in check().observed for check in checks)
    monkeypatch.setenv(StackPort.GRAFANA.value, "70000")
    with pytest.raises(UsageError, match="GRAFANA_PORT=70000: no port"):
        ports.check_grafana()
