"""Which server start a query was asked of. A run counts its own from 0, and a source may hold several runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from punie.trace import semconv
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Span


@dataclass(frozen=True, slots=True)
class ServerStart:
    """`number` counts over all runs of a source: earlier runs first, and in one run as the run counts.

    `run_id`, None if no run is named, and the run's own number `in_run` are the same in every source.
    """

    number: int
    run_id: str | None
    in_run: int


def server_starts(roots: Mapping[SpanKey, Span]) -> dict[SpanKey, ServerStart]:
    """The server start of every query, by its root. Queries that name no run are taken to be of one."""
    runs: dict[str, dict[SpanKey, int]] = defaultdict(dict)
    for key, root in roots.items():
        runs[_run_id(root)][key] = semconv.integer(root.attributes, semconv.QUERY_SERVER_START) or 0
    found: dict[SpanKey, ServerStart] = {}
    before = 0
    for run in sorted(runs, key=lambda run: (min(roots[key].start_ns for key in runs[run]), run)):
        for key, own in runs[run].items():
            found[key] = ServerStart(before + own, run or None, own)
        before += max(runs[run].values()) + 1
    return found


def _run_id(root: Span) -> str:
    told = semconv.first(root.attributes, semconv.RUN_ID)
    return "" if told is None else str(told)
