"""Finds a Collector that listens on this machine by speaking OTLP to it: an open port alone proves nothing."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

from punie.trace.stack_ports import StackPort, stack_port
from punie.trace.telemetry.shipping.targets import Origin, Target, Transport

LOOPBACK: Final = "127.0.0.1"
PROBE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A port of this machine on which OTLP may be spoken."""

    transport: Transport
    port: int

    @property
    def target(self) -> Target:
        """It, as a receiver."""
        path = "/v1/traces" if self.transport is Transport.HTTP else ""
        return Target(Origin.FOUND, self.transport, f"http://{LOOPBACK}:{self.port}{path}")


def usual_endpoints() -> tuple[Endpoint, ...]:
    """Where the local stack takes OTLP. Raises UsageError for a variable that names no port."""
    return (
        Endpoint(Transport.HTTP, stack_port(StackPort.OTLP_HTTP)),
        Endpoint(Transport.GRPC, stack_port(StackPort.OTLP_GRPC)),
    )


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What is at an endpoint. `problem` is empty for an OTLP receiver; `listening` False: nobody is there."""

    endpoint: Endpoint
    listening: bool
    problem: str

    @property
    def is_receiver(self) -> bool:
        """Whether spans can be sent there."""
        return self.listening and not self.problem

    @property
    def text(self) -> str:
        """A sentence for people."""
        where = f"{LOOPBACK}:{self.endpoint.port}"
        if not self.listening:
            return f"nobody listens on {where}"
        if self.is_receiver:
            return f"{where} takes OTLP over {self.endpoint.transport}"
        return f"{where} listens but gives no OTLP answer ({self.problem})"


@dataclass(frozen=True, slots=True)
class Search:
    """Every endpoint that was tried, in order: up to the first receiver."""

    results: tuple[ProbeResult, ...]

    @property
    def target(self) -> Target | None:
        """The receiver, None if there is none."""
        return next((result.endpoint.target for result in self.results if result.is_receiver), None)

    @property
    def others(self) -> tuple[str, ...]:
        """A sentence for each program that listens there and isn't an OTLP receiver."""
        return tuple(result.text for result in self.results if result.listening and result.problem)


def find_collector(
    endpoints: tuple[Endpoint, ...] | None = None, *, timeout_s: float = PROBE_TIMEOUT_S
) -> Search:
    """Try `endpoints` in order until an OTLP receiver answers; None: the usual ones. Each takes `timeout_s` at most."""
    results: list[ProbeResult] = []
    for endpoint in usual_endpoints() if endpoints is None else endpoints:
        results.append(probe(endpoint, timeout_s=timeout_s))
        if results[-1].is_receiver:
            break
    return Search(tuple(results))


def probe(endpoint: Endpoint, *, timeout_s: float = PROBE_TIMEOUT_S) -> ProbeResult:
    """Send a request without spans, if somebody listens there at all."""
    if not _listens(endpoint.port, timeout_s):
        return ProbeResult(endpoint, listening=False, problem="")
    from punie.trace.telemetry.shipping.sender import why_no_receiver  # loads gRPC and an HTTP client

    problem = why_no_receiver(endpoint.target, timeout_s).partition("\n")[0]
    return ProbeResult(endpoint, listening=True, problem=problem)


def _listens(port: int, timeout_s: float) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout_s).close()
    except OSError:
        return False
    return True
