"""Where each row's work was done: in the agent's process, on its HTTP connections, or in a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from punie.trace import semconv
from punie.trace.analysis.trees.roles import Role
from punie.trace.analysis.waterfall.model import RowRole, Track, TrackKind
from punie.trace.model import Span

Process = tuple[str, int | None, str]  # service name, process id, host


@dataclass(frozen=True, slots=True)
class TrackPlacement:
    """The tracks of a query, without their lanes yet, and which of them each row is in."""

    tracks: tuple[tuple[TrackKind, Process], ...]
    of_row: tuple[int, ...]

    def with_lanes(self, lanes: Sequence[int]) -> tuple[Track, ...]:
        """The tracks with their number of lanes."""
        most = dict.fromkeys(range(len(self.tracks)), 0)
        for track, lane in zip(self.of_row, lanes, strict=True):
            most[track] = max(most[track], lane + 1)
        return tuple(
            Track(kind, name, pid, host, most[index])
            for index, (kind, (name, pid, host)) in enumerate(self.tracks)
        )


def place(spans: Sequence[Span], parents: Sequence[int], roles: Sequence[RowRole]) -> TrackPlacement:
    """The tracks by their first row; `parents` come before their children.

    A phase is where its parent is: what was read off a response belongs to the connection. Below a server's span is
    that server's work, as far as its process reaches.
    """
    numbers: dict[tuple[TrackKind, Process], int] = {}
    kinds: list[TrackKind] = []
    of_row: list[int] = []
    for index, (span, role) in enumerate(zip(spans, roles, strict=True)):
        own, parent = _process(span), parents[index]
        around = kinds[parent] if parent >= 0 else TrackKind.AGENT
        same = parent >= 0 and _process(spans[parent]) == own
        kinds.append(_kind(role, around if same else None))
        of_row.append(numbers.setdefault((kinds[-1], own), len(numbers)))
    return TrackPlacement(tuple(numbers), tuple(of_row))


def _kind(role: RowRole, around: TrackKind | None) -> TrackKind:
    """`around` is the kind of the row around it in the same process, None where there is none."""
    if role is RowRole.SERVER or around is TrackKind.SERVER:
        return TrackKind.SERVER
    if role is RowRole.HTTP or (role is RowRole.PHASE and around is TrackKind.HTTP_CLIENT):
        return TrackKind.HTTP_CLIENT
    return TrackKind.AGENT


def _process(span: Span) -> Process:
    resource = span.resource
    return (
        semconv.text(resource, semconv.SERVICE_NAME) or "",
        semconv.integer(resource, semconv.PROCESS_PID),
        semconv.text(resource, semconv.HOST_NAME) or "",
    )


ROLES: Mapping[Role, RowRole] = {
    Role.CHAT: RowRole.MODEL_CALL,
    Role.TOOL: RowRole.TOOL,
    Role.AGENT: RowRole.AGENT,
    Role.WORKFLOW: RowRole.WORKFLOW,
    Role.HTTP: RowRole.HTTP,
    Role.SERVER: RowRole.SERVER,
    Role.OTHER: RowRole.OTHER,
}
