"""Which traces can be judged without their tree, and the phase of each of their spans: in columns, many at once.

The rules are those of `store/clickhouse/whole_traces.sql`, which explains them; tests hold both to the definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import Final

import numpy as np
import numpy.typing as npt

from punie.trace.analysis.calls.coverage import AFTER_PERCENT
from punie.trace.analysis.trees.absolute_time import DAY_NS, EARLIEST_NS, LONGEST_NS
from punie.trace.model import PHASE_RANK, Phase, Provenance
from punie.trace.store.parquet.ledgers import LONGEST_AXIS_NS, Bools, Ints, Members

CHAT, TOOL, AGENT, HTTP, SERVER, PHASE, QUERY = range(1, 8)
"""Roles, as `store/in_database/spans.sql` numbers them."""

_FRAMEWORK: Final = PHASE_RANK[Phase.FRAMEWORK]
_HOW: Final = {how: rank for rank, how in enumerate(Provenance)}
_LARGEST: Final = np.iinfo(np.int64).max
_SPREAD: Final = 0x9E3779B97F4A7C15  # odd


class State(IntEnum):
    """The fate of a trace; the names are those of the SQL's."""

    COUNTED = 0
    FAILED = 1
    WARMUP = 2
    TREE = 3


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """Spans of whole traces, those of a trace side by side.

    `high` and `low` are the halves of the trace's id, `parent` is 0 at the top, `phase` -1 where none is named.
    `machines` has a row a name of the machine (0: not named), the last one the host's; `scope` is a number.
    """

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    span: npt.NDArray[np.uint64]
    parent: npt.NDArray[np.uint64]
    start_ns: Ints
    end_ns: Ints
    role: Ints
    phase: Ints
    how: Ints
    is_top: Bools
    is_odd: Bools
    is_warmup: Bools
    is_failed: Bools
    to_headers: Bools
    asks: Bools
    machines: Ints
    scope: Ints


@dataclass(frozen=True, slots=True)
class JudgedTraces:
    """An entry a trace: its first row, its state, its top's start and end; `members` are of the counted ones."""

    first: Ints
    trace: Ints
    state: Ints
    top_start_ns: Ints
    top_end_ns: Ints
    is_network_known: Bools
    members: Members


def judge(rows: SpanColumns, now_ns: int) -> JudgedTraces:
    """The traces in `rows`, of which there is at least one."""
    first = np.flatnonzero(
        np.append(True, (rows.high[1:] != rows.high[:-1]) | (rows.low[1:] != rows.low[:-1]))
    )
    sizes = np.diff(first, append=len(rows.high))
    trace = np.repeat(np.arange(len(first)), sizes)
    parent, is_copy, is_contradicted = _parents(rows, trace)
    looked = _Looked(rows, trace, parent, is_copy)
    needs_tree = looked.is_odd_shape(now_ns, first)
    needs_tree[trace[is_contradicted]] = True
    top = np.zeros(len(first), dtype=np.int64)
    top[trace[rows.is_top]] = np.flatnonzero(rows.is_top)
    state = np.where(rows.is_failed[top], State.FAILED, State.COUNTED)
    state = np.where(rows.is_warmup[top], State.WARMUP, state)
    state = np.where(needs_tree, State.TREE, state)
    return JudgedTraces(
        first,
        trace,
        state,
        rows.start_ns[top],
        rows.end_ns[top],
        looked.is_network_known(len(first)),
        looked.members((state == State.COUNTED)[trace]),
    )


def _parents(rows: SpanColumns, trace: Ints) -> tuple[Ints, Bools, Bools]:
    """Each span's parent (its row; -1: none), whether it is one copy too many, and whether copies of it differ."""
    for attempt in count(1):
        mixed = _mixed(rows.span, trace, attempt)
        order = np.argsort(mixed)
        found = mixed[order]
        same = found[1:] == found[:-1]
        one, other = order[:-1][same], order[1:][same]
        if (rows.span[one] == rows.span[other]).all() and (trace[one] == trace[other]).all():
            break  # no two spans share a number by accident
    is_copy, is_contradicted = np.zeros((2, len(trace)), dtype=np.bool_)
    is_copy[other] = True
    for column in (
        rows.parent,
        rows.start_ns,
        rows.end_ns,
        rows.role,
        rows.phase,
        rows.how,
        rows.to_headers,
        rows.asks,
        rows.is_warmup,
        rows.is_failed,
    ):
        is_contradicted[other] |= column[one] != column[other]
    wanted = _mixed(rows.parent, trace, attempt)
    place = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    parent = order[place]
    is_there = (rows.span[parent] == rows.parent) & (trace[parent] == trace) & ~rows.is_top
    return np.where(is_there, parent, -1), is_copy, is_contradicted


def _mixed(ids: npt.NDArray[np.uint64], trace: Ints, attempt: int) -> npt.NDArray[np.uint64]:
    """A number for each id of each trace: different ones in a trace for different ids, those of a trace together."""
    spread = np.uint64(_SPREAD * (2 * attempt - 1) % 2**64)
    bits = int(trace[-1]).bit_length()
    return np.asarray(
        (trace.astype(np.uint64) << np.uint64(64 - bits) if bits else 0) | (ids * spread >> np.uint64(bits))
    )


class _Looked:
    """Spans with what is right above and right below each of them. Copies are left out of all but the rows."""

    def __init__(self, rows: SpanColumns, trace: Ints, parent: Ints, is_copy: Bools) -> None:
        self._rows, self._trace, self._parent = rows, trace, parent
        self._one = ~is_copy
        self._child = np.flatnonzero(~rows.is_top & (parent >= 0) & self._one)
        role, phase, how = rows.role, rows.phase, rows.how
        generates = (phase >= 0) & (phase <= PHASE_RANK[Phase.MODEL])
        self._generates = generates
        self._phases = self._above(role == PHASE)
        self._generation = self._above((role == PHASE) & generates)
        self._body = self._above((role == PHASE) & generates & (how == _HOW[Provenance.BODY]))
        self._server = self._above(role == SERVER)
        self._served = self._above((role == SERVER) & self._generation)
        asked = (~rows.to_headers & rows.asks) | self._generation | self._server
        self._finer = self._above(((role == HTTP) & asked) | generates)
        self._answered = self._above((role == HTTP) & self._server)

    def _above(self, which: Bools) -> Bools:
        """The spans that have one of `which` right below."""
        found = np.zeros(len(self._parent), dtype=np.bool_)
        found[self._parent[self._child[which[self._child]]]] = True
        return found

    def is_odd_shape(self, now_ns: int, first: Ints) -> Bools:
        """Traces that aren't of the plain shape."""
        rows, trace = self._rows, self._trace
        odd = np.logical_or.reduceat(rows.is_odd, first)
        odd |= np.bincount(trace[rows.is_top & self._one], minlength=len(first)) != 1
        odd |= np.minimum.reduceat(rows.start_ns, first) < EARLIEST_NS
        odd |= np.maximum.reduceat(rows.end_ns, first) > now_ns + DAY_NS
        of_chat = np.where(rows.role == CHAT, rows.scope, -1)
        odd |= _differs(of_chat, first, nothing=-1)
        odd[trace[(rows.parent != 0) & (self._parent < 0)]] = True
        odd[trace[rows.end_ns < rows.start_ns]] = True
        odd[trace[rows.is_top & (rows.end_ns - rows.start_ns > LONGEST_NS)]] = True
        odd[trace[self._child[self._misplaced(self._is_one_machine(first))]]] = True
        odd[trace[(rows.role == CHAT) & self._finer & ~self._shows_its_wait()]] = True
        lasts = np.add.reduceat(
            np.where(odd[trace], 0, rows.end_ns - rows.start_ns).astype(np.float64), first
        )
        return np.asarray(odd | (np.cumsum(lasts) >= LONGEST_AXIS_NS))  # those that a block has no room for

    def _is_one_machine(self, first: Ints) -> Bools:
        machines = self._rows.machines
        is_one = np.minimum.reduceat(machines[-1], first) > 0
        for names in machines:
            is_one &= ~_differs(names, first, nothing=0)
        return np.asarray(is_one)

    def _misplaced(self, is_one_machine: Bools) -> Bools:
        """Of the spans with a parent: those that don't belong where they are, by their times or their roles."""
        rows, child = self._rows, self._child
        parent = self._parent[child]
        role, above, how = rows.role[child], rows.role[parent], rows.how[child]
        start, end, low, high = (
            rows.start_ns[child],
            rows.end_ns[child],
            rows.start_ns[parent],
            rows.end_ns[parent],
        )
        is_work = role <= AGENT
        wrong = ((start < low) | (end > high)) & (is_work | ~is_one_machine[self._trace[child]])
        wrong |= (above != QUERY) & (end - high > (end - start) // 10)
        wrong |= ((role == TOOL) | (role == AGENT)) & (start == low) & (end == high)
        wrong |= is_work & (above != TOOL) & (above != AGENT) & (above != QUERY)
        wrong |= ((role == HTTP) & (above != CHAT)) | ((role == SERVER) & (above != HTTP)) | (above == PHASE)
        wrong |= ((how == _HOW[Provenance.STREAM]) | (how == _HOW[Provenance.BODY])) & (above == SERVER)
        return np.asarray(wrong)

    def _shows_its_wait(self) -> Bools:
        """Chats of which it is known what they waited for: `analysis/queries/outlasting.py`."""
        rows, child = self._rows, self._child
        parent = self._parent[child]
        inside = np.minimum(rows.end_ns[child], rows.end_ns[parent]) - np.maximum(
            rows.start_ns[child], rows.start_ns[parent]
        )
        fills = inside * 100 >= (rows.end_ns[parent] - rows.start_ns[parent]) * (100 - AFTER_PERCENT)
        shows = self._generates[child] | self._generation[child] | self._served[child]
        found = np.zeros(len(self._parent), dtype=np.bool_)
        found[parent[shows | ((rows.role[child] == HTTP) & fills)]] = True
        return found

    def is_network_known(self, traces: int) -> Bools:
        """Traces with a model call, all of whose calls were answered by a server that is seen."""
        is_chat = (self._rows.role == CHAT) & self._one
        known = np.zeros(traces, dtype=np.bool_)
        known[self._trace[is_chat]] = True
        known[self._trace[is_chat & ~self._answered]] = False
        return known

    def members(self, counted: Bools) -> Members:
        """The spans that the ledger reads, of the `counted` ones: what a better source reports as well is left out."""
        rows, parent = self._rows, np.maximum(self._parent, 0)
        of_http = (rows.role == PHASE) & (self._parent >= 0) & (rows.role[parent] == HTTP)
        told = (rows.how == _HOW[Provenance.STREAM]) & (self._served[parent] | self._body[parent])
        told |= (rows.how == _HOW[Provenance.BODY]) & self._served[parent]
        keep = counted & self._one & ~(of_http & told)
        place = np.cumsum(keep) - 1
        rank, how = self._phases_of(keep)
        above = self._parent[keep]
        return Members(
            self._trace[keep],
            np.where(above >= 0, place[above], -1),
            rows.start_ns[keep],
            rows.end_ns[keep],
            rank,
            how,
        )

    def _phases_of(self, keep: Bools) -> tuple[Ints, Ints]:
        """Rank and provenance of the phase of each kept span."""
        rows = self._rows
        role, phase = rows.role[keep], rows.phase[keep]
        rank, how = np.full(len(role), _FRAMEWORK), np.full(len(role), _HOW[Provenance.CLIENT])
        is_model = (role == CHAT) & ~self._finer[keep]
        is_model |= (role == HTTP) & rows.asks[keep] & ~self._server[keep]
        is_model |= (role == SERVER) & ~self._phases[keep]
        rank[role == TOOL] = PHASE_RANK[Phase.TOOL]
        rank[role == HTTP] = PHASE_RANK[Phase.HTTP]
        rank[role == SERVER] = PHASE_RANK[Phase.SERVE]
        how[role == SERVER] = _HOW[Provenance.SERVER]
        rank[is_model], how[is_model] = PHASE_RANK[Phase.MODEL], _HOW[Provenance.INFERRED]
        is_named = phase >= 0
        rank[is_named], how[is_named] = phase[is_named], rows.how[keep][is_named]
        return rank, how


def _differs(values: Ints, first: Ints, *, nothing: int) -> Bools:
    """Traces with two values, `nothing` not counted as one."""
    least = np.minimum.reduceat(np.where(values == nothing, _LARGEST, values), first)
    most = np.maximum.reduceat(values, first)
    return np.asarray((most != nothing) & (least != most))
