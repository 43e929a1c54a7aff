"""Who listens on the ports of the local stack?"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Final

import psutil

from punie.trace.bounded_get import getting
from punie.trace.doctor.check import CheckResult, ok, warn
from punie.trace.extras import install_command
from punie.trace.stack_ports import StackPort, stack_port
from punie.trace.store.jaeger.page import usual_page, why_no_page
from punie.trace.telemetry.shipping.collector import Endpoint, ProbeResult, probe, usual_endpoints

HOST: Final = "127.0.0.1"
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
SERVE_PORT: Final = 8080
_TIMEOUT_S: Final = 2.0
_OK: Final = 200
_START_STACK: Final = "optional: docker compose up -d, in a clone of the repository"


def check_serve_port(port: int = SERVE_PORT) -> CheckResult:
    """`serve` listens there unless --port names another; `run` takes a free port."""
    if not listens(port):
        return ok(f"port {port} is free for `punie-trace serve`")
    return warn(f"port {port}: {_owner(port)} listens there", "give `serve` another one: --port 8081")


def check_proxies(environment: Mapping[str, str] = os.environ) -> CheckResult:
    """Which proxies the environment names. Their URLs, which may hold passwords, are not shown."""
    named = [name for name in _PROXIES if environment.get(name) or environment.get(name.lower())]
    if not named:
        return ok("none: every server is asked directly")
    facts = f"{', '.join(named)} set: servers on this machine are asked directly, others through it"
    socks = any("socks" in environment.get(name, "") + environment.get(name.lower(), "") for name in named)
    if socks and importlib.util.find_spec("socksio") is None:
        return warn(
            f"{facts}; SOCKS needs a package that is missing",
            f"{install_command(['socksio'])}, or set NO_PROXY",
        )
    return ok(facts)


def check_collector(endpoints: tuple[Endpoint, ...] | None = None) -> CheckResult:
    """OTLP over HTTP and gRPC, each asked with a request without spans; None: at the local stack's ports."""
    results = [probe(endpoint) for endpoint in (usual_endpoints() if endpoints is None else endpoints)]
    facts = "; ".join(map(_result_text, results))
    if any(item.listening and item.problem for item in results):
        return warn(facts, "stop what has its port, or name a Collector with --otlp")
    if not any(item.is_receiver for item in results):
        return warn(facts, _START_STACK)
    return ok(facts)


def _result_text(item: ProbeResult) -> str:
    owner = f": {_owner(item.endpoint.port)}" if item.listening and item.problem else ""
    return f"{item.text}{owner}"


def check_jaeger(page: str | None = None) -> CheckResult:
    """The page that shows waterfalls; None: the local stack's."""
    page = page or usual_page()
    problem = why_no_page(page)
    if not problem:
        return ok(f"its page answers at {page}")
    return warn(f"{page}: {problem}", _START_STACK)


def check_prometheus(port: int | None = None) -> CheckResult:
    """Whether it says that it is ready; None: at the local stack's port."""
    return _check_http(StackPort.PROMETHEUS, port, "/-/ready", b"Prometheus")


def check_grafana(port: int | None = None) -> CheckResult:
    """Whether it says that its database is well; None: at the local stack's port."""
    return _check_http(StackPort.GRAFANA, port, "/api/health", b'"database"')


def _check_http(subject: StackPort, port: int | None, path: str, mark: bytes) -> CheckResult:
    port = port or stack_port(subject)
    if not listens(port):
        return warn(f"nobody listens on {HOST}:{port}", _START_STACK)
    problem = _why_not(port, path, mark)
    if not problem:
        return ok(f"answers on {HOST}:{port}")
    return warn(
        f"{HOST}:{port}: {problem} ({_owner(port)} has the port)",
        f"stop it, or give the stack another port: export {subject.value}={port + 1}",
    )


def _why_not(port: int, path: str, mark: bytes) -> str:
    connection = HTTPConnection(HOST, port, timeout=_TIMEOUT_S)
    try:
        with getting(connection, path, whole_s=2 * _TIMEOUT_S) as response:
            body = response.read(4096)
    except (OSError, HTTPException) as error:
        return f"no answer: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}"
    if response.status != _OK or mark not in body:
        return f"another answer than expected (HTTP {response.status})"
    return ""


def listens(port: int) -> bool:
    """Whether a connection is taken there."""
    try:
        socket.create_connection((HOST, port), _TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _owner(port: int) -> str:
    """The program that listens on `port`; other users' programs are not for us to know."""
    try:
        pids = {
            item.pid
            for item in psutil.net_connections("tcp")
            if item.status == psutil.CONN_LISTEN and item.laddr and item.laddr.port == port
        }
        names = sorted(f"{psutil.Process(pid).name()} (pid {pid})" for pid in pids if pid)
    except psutil.Error:
        names = []
    return ", ".join(names) or "a program that can't be named"
