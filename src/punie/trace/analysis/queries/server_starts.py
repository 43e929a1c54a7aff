"""Which server start a query was asked of. A run counts its own from 0, and a source may hold several runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from punie.trace import semconv
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Span

RunKey = tuple[int, str]
"""What distinguishes runs: the name, which is the same in every source, else the place of the source."""


class ServerStart(msgspec.Struct, frozen=True):
    """`number` counts over all runs of a source: earlier runs first, and in one run as the run counts.

    `run_id`, None if no run is named, and the run's own number `in_run` are the same in every source.
    """

    number: int
    run_id: str | None
    in_run: int


def server_starts(roots: Mapping[SpanKey, Span]) -> dict[SpanKey, ServerStart]:
    """The server start of every query, by its root. Queries that name no run are taken to be of one."""
    starts = {key: _start(root) for key, root in roots.items()}
    if len({one.run_id for one in starts.values()}) < 2:
        return starts
    before = _before((run_key(one.run_id), roots[key].start_ns, one.in_run) for key, one in starts.items())
    return {
        key: ServerStart(before[run_key(one.run_id)] + one.in_run, one.run_id, one.in_run)
        for key, one in starts.items()
    }


def run_key(run_id: str | None, place: int = 0) -> RunKey:
    """The run of a query in the source at `place`; what names no run is one run in each source."""
    return (place, "") if run_id is None else (0, run_id)


def starts_before(records: Iterable[QueryRecord], places: Mapping[str, int]) -> Mapping[RunKey, int]:
    """How many server starts there are in the runs before each run. `places` of sources by query, 0 where left out."""
    return _before(
        (run_of(record, places), record.ledger.start_ns, record.start_in_run) for record in records
    )


def run_of(record: QueryRecord, places: Mapping[str, int]) -> RunKey:
    """The run that asked a query."""
    return run_key(record.run_id, places.get(record.ledger.query_key, 0))


def _before(starts: Iterable[tuple[RunKey, int, int]]) -> dict[RunKey, int]:
    """By run: of each query its run, its start and the run's own number of its server start."""
    first: dict[RunKey, int] = {}
    last: dict[RunKey, int] = {}
    for run, start_ns, in_run in starts:
        first[run] = min(start_ns, first.get(run, start_ns))
        last[run] = max(in_run, last.get(run, in_run))
    found, before = {}, 0
    for run in sorted(first, key=lambda run: (first[run], run)):
        found[run] = before
        before += last[run] + 1
    return found


def _start(root: Span) -> ServerStart:
    in_run = semconv.integer(root.attributes, semconv.QUERY_SERVER_START) or 0
    return ServerStart(in_run, _run_id(root), in_run)


def _run_id(root: Span) -> str | None:
    run_id = semconv.first(root.attributes, semconv.RUN_ID)
    return None if run_id is None else str(run_id) or None
