"""Finds a Collector that listens on this machine by speaking OTLP to it: an open port alone proves nothing."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

from punie.trace.telemetry.shipping.targets import Origin, Target, Transport

LOOPBACK: Final = "127.0.0.1"
HTTP_PORT: Final = 4318
GRPC_PORT: Final = 4317
PROBE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Door:
    """A port on which OTLP may be spoken."""

    transport: Transport
    port: int

    @property
    def target(self) -> Target:
        """What would be sent to there."""
        path = "/v1/traces" if self.transport is Transport.HTTP else ""
        return Target(Origin.FOUND, self.transport, f"http://{LOOPBACK}:{self.port}{path}")


STANDARD_DOORS: Final = (Door(Transport.HTTP, HTTP_PORT), Door(Transport.GRPC, GRPC_PORT))


@dataclass(frozen=True, slots=True)
class Knock:
    """What is behind a door. `problem` is empty if it is an OTLP receiver; `listening` False: nobody is there."""

    door: Door
    listening: bool
    problem: str

    @property
    def is_receiver(self) -> bool:
        """Whether spans can be sent there."""
        return self.listening and not self.problem

    @property
    def said(self) -> str:
        """A sentence for people."""
        where = f"{LOOPBACK}:{self.door.port}"
        if not self.listening:
            return f"nobody listens on {where}"
        if self.is_receiver:
            return f"{where} takes OTLP over {self.door.transport}"
        return f"{where} listens but gives no OTLP answer ({self.problem})"


@dataclass(frozen=True, slots=True)
class Search:
    """Every door that was tried, in order: up to the first receiver."""

    knocks: tuple[Knock, ...]

    @property
    def target(self) -> Target | None:
        """The receiver, None if there is none."""
        return next((knock.door.target for knock in self.knocks if knock.is_receiver), None)

    @property
    def strangers(self) -> tuple[str, ...]:
        """What is said of programs that listen there and don't speak OTLP."""
        return tuple(knock.said for knock in self.knocks if knock.listening and knock.problem)


def find_collector(doors: tuple[Door, ...] = STANDARD_DOORS, *, timeout_s: float = PROBE_TIMEOUT_S) -> Search:
    """Try `doors` in order until an OTLP receiver answers; each takes about `timeout_s` at most."""
    knocks: list[Knock] = []
    for door in doors:
        knocks.append(knock(door, timeout_s=timeout_s))
        if knocks[-1].is_receiver:
            break
    return Search(tuple(knocks))


def knock(door: Door, *, timeout_s: float = PROBE_TIMEOUT_S) -> Knock:
    """Send a request without spans, if somebody listens there at all."""
    if not _listens(door.port, timeout_s):
        return Knock(door, listening=False, problem="")
    from punie.trace.telemetry.shipping.sender import why_no_receiver  # loads both exporters

    problem = why_no_receiver(door.target, timeout_s).partition("\n")[0]
    return Knock(door, listening=True, problem=problem)


def _listens(port: int, timeout_s: float) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout_s).close()
    except OSError:
        return False
    return True
