"""Jaeger, the Collector and Prometheus for tests: the real programs on free loopback ports, from the files that ship.

    def test_spans_arrive(stack: Stack) -> None:                 # the session's, from tests/stack/conftest.py
        ...                                                       # send to stack.otlp_http, read stack.jaeger_query

    with start_stack(folder) as stack:                            # one of your own, for what breaks things
        stack.jaeger.stop()                                       # SIGTERM; .kill() is SIGKILL, .start() again
        stack.collector.kill()

    stack.otlp_http      "http://127.0.0.1:PORT"  OTLP/HTTP of the Collector (--otlp takes it)
    stack.otlp_grpc      "grpc://127.0.0.1:PORT"  OTLP/gRPC of the Collector
    stack.metrics        "http://127.0.0.1:PORT/metrics"  what the Collector shows Prometheus
    stack.jaeger_query   "http://127.0.0.1:PORT"  Jaeger's page and API
    stack.jaeger_source  "jaeger://127.0.0.1:PORT"  the same, for `punie-trace report`
    stack.prometheus_url "http://127.0.0.1:PORT"  Prometheus, where `prometheus=True`
    stack.collector, .jaeger, .prometheus         `Program`s: start, stop, kill, log
    traces_in_jaeger(stack), wait_for_spans(stack, 132), wait_for_trace(stack, ID)  what Jaeger's API v3 shows, raw
    shipped_run: ShippedRun                       fixture: a real demo run that was sent to the session's `stack`
    ask_prometheus(stack, "up")                   the samples of an instant query

    with start_collector(folder, overlays=[SCALE], environment={…}) as otlp_http:  # the Collector alone

Addresses and folders reach the Collector and Jaeger as the environment variables that their files name, so the files
are used byte for byte; Prometheus reads no variables: in its file the targets are replaced.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from stack_programs import ROOT, find, remedy

from punie.trace.model import Span

CONFIG: Final = ROOT / "collector"
SCALE: Final = CONFIG / "collector-scale.yaml"
HOST: Final = "127.0.0.1"
_READY_S: Final = 60.0
_STOP_S: Final = 20.0


def require(*programs: str) -> None:
    """Skip the test if a program isn't here; with PUNIE_STACK=require fail it."""
    missing = [f"{program}: {remedy(program)}" for program in programs if find(program) is None]
    if missing:
        message = f"not on this machine: {'; '.join(missing)}"
        if os.environ.get("PUNIE_STACK") == "require":
            pytest.fail(message)
        pytest.skip(message)


def page_assets() -> Path | None:
    """The assets of Jaeger's page, if PUNIE_JAEGER_UI names a folder with them."""
    folder = os.environ.get("PUNIE_JAEGER_UI")
    assets = Path(folder).absolute() / "assets" if folder else None
    return assets if assets and (assets / "index.html").is_file() else None


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now, each another."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass(slots=True)
class Program:
    """A program that can be stopped, killed and started again at the same ports; ended by its own id."""

    command: Sequence[str]
    environment: Mapping[str, str]
    ready_url: str  # answers 200 once it is up
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self._process, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        assert self._process is None, "it runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL): it can save nothing."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it if it runs; what it may still want to save, nobody reads."""
        if self._process:
            self.kill()

    def _end(self, how: signal.Signals) -> None:
        assert self._process, "it doesn't run"
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _wait_until_ready(self) -> None:
        assert self._process
        deadline = time.monotonic() + _READY_S
        while not _is_ready(self.ready_url):
            if self._process.poll() is not None:
                self._process = None
                raise AssertionError(f"{self.command[0]} ended at its start:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{self.command[0]} isn't ready after {_READY_S:g} s:\n{self._last_lines()}"
                )
            time.sleep(0.05)

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@dataclass(frozen=True, slots=True)
class Stack:
    """The programs that run, and where. See the top of this file."""

    folder: Path
    collector: Program
    jaeger: Program
    prometheus: Program | None
    otlp_http: str
    otlp_grpc: str
    metrics: str
    jaeger_query: str
    prometheus_url: str

    @property
    def jaeger_source(self) -> str:
        return self.jaeger_query.replace("http://", "jaeger://")


@contextmanager
def start_stack(
    folder: Path, *, prometheus: bool = False, jaeger_ui: Path | None = None, overlays: Sequence[Path] = ()
) -> Iterator[Stack]:
    """Jaeger and the Collector, and Prometheus if asked, until the block ends; everything they write is in `folder`.

    `jaeger_ui` is a folder with the assets of Jaeger's page; `overlays` are more files for the Collector.
    """
    require("jaeger", "otelcol", *(["prometheus"] if prometheus else []))
    folder.mkdir(parents=True, exist_ok=True)
    ports = Ports.free()
    jaeger = _jaeger(folder, ports, jaeger_ui)
    collector = _collector(folder, ports, overlays)
    scraper = _prometheus(folder, ports) if prometheus else None
    with ExitStack() as running:
        for program in (jaeger, collector, scraper):
            if program:
                running.callback(program.close)
                program.start()
        yield Stack(
            folder=folder,
            collector=collector,
            jaeger=jaeger,
            prometheus=scraper,
            otlp_http=f"http://{HOST}:{ports.otlp_http}",
            otlp_grpc=f"grpc://{HOST}:{ports.otlp_grpc}",
            metrics=f"http://{HOST}:{ports.metrics}/metrics",
            jaeger_query=f"http://{HOST}:{ports.jaeger_query}",
            prometheus_url=f"http://{HOST}:{ports.prometheus}",
        )


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each program listens."""

    otlp_grpc: int
    otlp_http: int
    metrics: int
    collector_health: int
    collector_self: int
    jaeger_otlp: int
    jaeger_query: int
    jaeger_query_grpc: int
    jaeger_health: int
    jaeger_self: int
    prometheus: int

    @classmethod
    def free(cls) -> Ports:
        """Ports of loopback that nobody listens on."""
        return cls(*free_ports(len(fields(cls))))


@dataclass(frozen=True, slots=True)
class ShippedRun:
    """A run of the demo suite whose spans went through the Collector into Jaeger and Prometheus."""

    folder: Path  # the run's
    printed: str  # what `run` said
    spans: tuple[Span, ...]  # as the journal has them
    source: str  # for `punie-trace report`: its traces in Jaeger
    started_s: float  # epoch seconds, before and after it
    ended_s: float


Json = dict[str, Any]


def traces_in_jaeger(stack: Stack) -> dict[str, list[Json]]:
    """Every span that Jaeger shows of the last day, as OTLP JSON, by trace id; a span shown twice is in it twice.

    Each has its service's name added as `service`.
    """
    api = f"{stack.jaeger_query}/api/v3"
    services = httpx.get(f"{api}/services", trust_env=False).raise_for_status().json().get("services") or []
    now = datetime.now(UTC)
    query = {
        "query.start_time_min": _rfc3339(now - timedelta(days=1)),
        "query.start_time_max": _rfc3339(now + timedelta(hours=1)),
        "query.num_traces": "10000",
    }
    traces: dict[str, list[Json]] = {}
    for service in services:
        answer = httpx.get(
            f"{api}/traces", params={"query.service_name": service, **query}, trust_env=False, timeout=30.0
        )
        found: dict[str, list[Json]] = {}
        for span in _spans_of(answer.raise_for_status().json()):
            found.setdefault(span["traceId"], []).append(span)
        traces |= found  # a trace of two services is in both answers, whole
    return traces


def _rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _spans_of(answer: Json) -> Iterator[Json]:
    for resource_spans in answer["result"].get("resourceSpans", ()):
        resource = resource_spans["resource"]["attributes"]
        (service,) = (pair["value"]["stringValue"] for pair in resource if pair["key"] == "service.name")
        for scope_spans in resource_spans["scopeSpans"]:
            yield from ({**span, "service": service} for span in scope_spans["spans"])


def wait_for_spans(stack: Stack, count: int, *, within_s: float = 30.0) -> dict[str, list[Json]]:
    """As `traces_in_jaeger`, once it shows at least `count` spans. Fails if it doesn't within `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        traces = traces_in_jaeger(stack)
        shown = sum(map(len, traces.values()))
        if shown >= count:
            return traces
        assert time.monotonic() < deadline, f"Jaeger shows {shown} spans of {count} after {within_s:g} s"
        time.sleep(0.2)


def wait_for_trace(stack: Stack, trace_id: str, *, within_s: float = 30.0) -> list[Json]:
    """The spans of one trace, as OTLP JSON, once Jaeger shows it."""
    deadline = time.monotonic() + within_s
    while True:
        answer = httpx.get(f"{stack.jaeger_query}/api/v3/traces/{trace_id}", trust_env=False)
        if answer.status_code == httpx.codes.OK:
            return list(_spans_of(answer.json()))
        assert answer.status_code == httpx.codes.NOT_FOUND, answer.text
        assert time.monotonic() < deadline, f"Jaeger doesn't show {trace_id} after {within_s:g} s"
        time.sleep(0.1)


def ask_prometheus(stack: Stack, query: str) -> list[Json]:
    """The samples that the instant query `query` has now: `{"metric": {…}, "value": [time, "1"]}`."""
    url = f"{stack.prometheus_url}/api/v1/query"
    answer = httpx.get(url, params={"query": query}, trust_env=False).raise_for_status().json()
    return list(answer["data"]["result"])


def collector_environment(folder: Path, ports: Ports) -> dict[str, str]:
    """Every variable that `collector.yaml` names."""
    return {
        "PUNIE_OTLP_GRPC": f"{HOST}:{ports.otlp_grpc}",
        "PUNIE_OTLP_HTTP": f"{HOST}:{ports.otlp_http}",
        "PUNIE_METRICS": f"{HOST}:{ports.metrics}",
        "PUNIE_HEALTH": f"{HOST}:{ports.collector_health}",
        "PUNIE_SELF_HOST": HOST,
        "PUNIE_SELF_PORT": str(ports.collector_self),
        "PUNIE_QUEUE_DIR": str(folder / "queue"),
        "PUNIE_JAEGER": f"{HOST}:{ports.jaeger_otlp}",
    }


def jaeger_environment(folder: Path, ports: Ports) -> dict[str, str]:
    """Every variable that `jaeger.yaml` and `jaeger-badger.yaml` name."""
    return {
        "PUNIE_JAEGER_OTLP": f"{HOST}:{ports.jaeger_otlp}",
        "PUNIE_JAEGER_QUERY": f"{HOST}:{ports.jaeger_query}",
        "PUNIE_JAEGER_QUERY_GRPC": f"{HOST}:{ports.jaeger_query_grpc}",
        "PUNIE_JAEGER_HEALTH": f"{HOST}:{ports.jaeger_health}",
        "PUNIE_JAEGER_SELF_HOST": HOST,
        "PUNIE_JAEGER_SELF_PORT": str(ports.jaeger_self),
        "PUNIE_JAEGER_DIR": str(folder / "badger"),
    }


def _collector(folder: Path, ports: Ports, overlays: Sequence[Path]) -> Program:
    files = (CONFIG / "collector.yaml", *overlays)
    return Program(
        [str(find("otelcol")), *(f"--config={file}" for file in files)],
        collector_environment(folder, ports),
        f"http://{HOST}:{ports.collector_health}",
        folder / "collector.log",
    )


@contextmanager
def start_collector(
    folder: Path, *, overlays: Sequence[Path], environment: Mapping[str, str]
) -> Iterator[str]:
    """A Collector alone, until the block ends; gives its OTLP/HTTP address. What Jaeger would get is queued."""
    require("otelcol")
    folder.mkdir(parents=True, exist_ok=True)
    ports = Ports.free()
    program = _collector(folder, ports, overlays)
    program.environment = {**program.environment, **environment}
    try:
        program.start()
        yield f"http://{HOST}:{ports.otlp_http}"
    finally:
        program.close()


def _jaeger(folder: Path, ports: Ports, ui: Path | None) -> Program:
    configs = [f"{CONFIG / name}" for name in ("jaeger.yaml", "jaeger-badger.yaml")]
    if ui:
        configs.append(f"yaml:extensions::jaeger_query::ui::assets_path: {ui}")
    return Program(
        [str(find("jaeger")), *(f"--config={config}" for config in configs)],
        jaeger_environment(folder, ports),
        f"http://{HOST}:{ports.jaeger_health}/status",
        folder / "jaeger.log",
    )


def _prometheus(folder: Path, ports: Ports) -> Program:
    text = (CONFIG / "prometheus.yaml").read_text()
    for shipped, here in (
        ("collector:8889", ports.metrics),
        ("collector:8888", ports.collector_self),
        ("jaeger:8888", ports.jaeger_self),
    ):
        assert shipped in text
        text = text.replace(shipped, f"{HOST}:{here}")
    config = folder / "prometheus.yaml"
    config.write_text(text)
    return Program(
        [
            str(find("prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={HOST}:{ports.prometheus}",
            *PROMETHEUS_FLAGS,
        ],
        {},
        f"http://{HOST}:{ports.prometheus}/-/ready",
        folder / "prometheus.log",
    )


PROMETHEUS_FLAGS: Final = ("--enable-feature=exemplar-storage",)  # as in docker-compose.yml
