"""Whose clock a span was timed by: which processes of a trace run on one machine, as far as their spans show.

Two processes are on one machine if the first of `k8s.node.uid`, `k8s.node.name`, `host.id` and `host.name` that both
name is the same, if they are one pod, container or service instance, or if one asked the other over a loopback
address. They are on different machines if that first attribute differs (pods and containers that differ say nothing:
they may share a machine). Otherwise it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from punie.trace import semconv
from punie.trace.model import Attributes, Span

_MACHINES: Final = len(semconv.MACHINE_NAMES)
_SIGNS: Final = (*semconv.MACHINE_NAMES, *semconv.PROCESS_NAMES, semconv.SERVICE_NAME)
Process = tuple[str | None, ...]
"""What the spans of a process say of where it runs, and its service's name."""


class Relation(Enum):
    """How two processes stand to each other."""

    ONE_MACHINE = auto()
    OTHER_MACHINE = auto()
    NOT_KNOWN = auto()


def process_of(span: Span) -> Process:
    """The process that made `span`; two without any sign of their own are distinguished by the service's name."""
    signs = [span.resource.get(name) for name in _SIGNS]
    return tuple([sign if isinstance(sign, str) else None for sign in signs])


def relation(one: Process, other: Process) -> Relation:
    """What the signs of both show."""
    if one == other:
        return Relation.ONE_MACHINE
    pairs = list(zip(one, other, strict=True))
    if any(mine is not None and mine == theirs for mine, theirs in pairs[_MACHINES:-1]):
        return Relation.ONE_MACHINE
    for mine, theirs in pairs[:_MACHINES]:
        if mine is not None and theirs is not None:
            return Relation.ONE_MACHINE if mine == theirs else Relation.OTHER_MACHINE
    return Relation.NOT_KNOWN


def calls_loopback(request: Attributes) -> bool:
    """Whether a client's span says that it asked its own machine."""
    return semconv.text(request, semconv.SERVER_ADDRESS) in semconv.LOOPBACK


class Machines:
    """The processes of one trace, gathered into machines."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self._machine: dict[Process, Process] = {}
        for process in processes:
            if process not in self._machine:
                known = list(dict.fromkeys(self._machine.values()))
                self._machine[process] = process
                for other in known:
                    if relation(process, other) is Relation.ONE_MACHINE:
                        self.join(process, other)

    def join(self, one: Process, other: Process) -> None:
        """Both are on one machine."""
        into, gone = self._machine[one], self._machine[other]
        if into != gone:
            self._machine.update({process: into for process, at in self._machine.items() if at == gone})

    def of(self, process: Process) -> Process:
        """The process that stands for the machine of `process`."""
        return self._machine[process]

    def differ(self, one: Process, other: Process) -> bool:
        """Whether the machines of two processes are known to be different, by any process of theirs."""
        return any(
            relation(mine, theirs) is Relation.OTHER_MACHINE
            for mine in self._members(one)
            for theirs in self._members(other)
        )

    def _members(self, process: Process) -> list[Process]:
        machine = self._machine[process]
        return [process for process, at in self._machine.items() if at == machine]

    @property
    def is_one(self) -> bool:
        """Whether all processes are on one machine."""
        return len(set(self._machine.values())) < 2

    def name(self, machine: Process) -> str:
        """What a machine is called: by its signs, the surest first, else its service."""
        signs = (sign for sign in (*machine[:_MACHINES], machine[-1]) if sign is not None)
        return next(signs, "no name")
