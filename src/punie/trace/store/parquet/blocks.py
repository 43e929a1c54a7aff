"""Blocks of whole traces, from columns to sums, and the sums of all blocks together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from punie.trace.analysis.summary.database_totals import DatabaseTotals, Where
from punie.trace.analysis.summary.parts import GroupBy, Part, day_of
from punie.trace.analysis.trees.absolute_time import DAY_NS
from punie.trace.errors import InputError
from punie.trace.model import PHASES, Provenance
from punie.trace.store.in_database.sums import StateSums, part_of_sums
from punie.trace.store.parquet.ledgers import Bools, Ints, PartSums, QueryWindows, add_up
from punie.trace.store.parquet.whole_traces import CHAT, SERVER, JudgedTraces, SpanColumns, State, judge
from punie.trace.store.parquet.words import FACTS, ROLE_BITS

MOST_SPANS: Final = 2**21 - 1
"""As many spans as one query may have: the open ones are counted in 21 bits."""

_STATES: Final = {
    State.COUNTED: "counted",
    State.FAILED: "failed",
    State.WARMUP: "warm-up",
    State.TREE: "tree",
}
_ROLE: Final = (1 << ROLE_BITS) - 1
_NAMED: Final = 3


@dataclass(slots=True)
class _Sums:
    """One part, as far as it was read. `root_ns`, `walls` and what follows are of the counted queries."""

    queries: dict[str, int]
    walls: list[Ints]
    phases_ns: list[int]
    contested_ns: list[int]
    known: Bools
    network_known: bool

    def add(self, other: _Sums) -> None:
        for state, count in other.queries.items():
            self.queries[state] = self.queries.get(state, 0) + count
        self.walls += other.walls
        self.phases_ns = [a + b for a, b in zip(self.phases_ns, other.phases_ns, strict=True)]
        self.contested_ns = [a + b for a, b in zip(self.contested_ns, other.contested_ns, strict=True)]
        self.known = self.known | other.known
        self.network_known &= other.network_known

    def part(self, name: str) -> Part:
        """It as reports show it."""
        walls = np.sort(np.concatenate(self.walls)) if self.walls else np.zeros(0, dtype=np.int64)
        bits = [1 << at for at in np.flatnonzero(self.known.reshape(-1)).tolist()]
        return part_of_sums(
            name,
            {
                state: StateSums(
                    queries=count,
                    root_ns=sum(int(of_block.sum()) for of_block in self.walls),
                    walls=_of_sorted(walls) if state == "counted" else (),
                    phases_ns=dict(zip(PHASES, self.phases_ns, strict=True)),
                    contested_ns=dict(zip(PHASES, self.contested_ns, strict=True)),
                    known=sum(bits),
                    network_known=self.network_known,
                )
                for state, count in self.queries.items()
                if count
            },
        )


@dataclass(frozen=True, slots=True)
class BlockSums:
    """What one block adds to each part; `named` are its first traces that need the tree."""

    parts: Mapping[str, _Sums]
    named: Sequence[str]


class Together:
    """The sums over all blocks."""

    def __init__(
        self, words: tuple[Sequence[Sequence[str]], Sequence[str] | None], by: GroupBy | None
    ) -> None:
        places, self._models = words
        self._by = by
        names = [_numbers(texts) for texts in zip(*places, strict=True)]
        self._machines, self._scopes = np.array(names[:-1]), names[-1]
        self._parts: dict[str, _Sums] = {}
        self._named: list[str] = []

    def take(self, sums: BlockSums) -> None:
        """Add the sums of a block; the blocks come in the order of their traces."""
        for name, one in sums.parts.items():
            if name in self._parts:
                self._parts[name].add(one)
            else:
                self._parts[name] = one
        self._named += sums.named[: _NAMED - len(self._named)]

    def totals(self, source: str, memory: str) -> DatabaseTotals:
        """All blocks that were taken. Raises InputError if there were none."""
        if not self._parts:
            raise InputError(f"{source}: holds no spans", remedy="Name files with spans in them.")
        parts = tuple(self._parts[name].part(name) for name in sorted(self._parts))
        return DatabaseTotals(
            source=source,
            where=Where.FILES,
            total=self._together().part(""),
            named=tuple(self._named),
            may_be_cut=False,
            memory=memory,
            by=self._by,
            parts=parts if self._by is not None else (),
        )

    def _together(self) -> _Sums:
        whole = _nothing()
        for one in self._parts.values():
            whole.add(one)
        return whole

    def of_block(self, columns: Mapping[str, Any], now_ns: int) -> BlockSums:
        """The sums of one block. Raises InputError if one of its traces is too large."""
        rows = self._rows(columns)
        judged = judge(rows, now_ns)
        sizes = np.diff(judged.first, append=len(judged.trace))
        if int(sizes.max()) > MOST_SPANS:
            raise InputError(
                f"a trace has more than {MOST_SPANS} spans: too many for one ledger",
                remedy="Leave its file out: no query has that many.",
            )
        names, part = self._parts_of(rows, judged, columns.get("model"))
        trees = judged.first[np.flatnonzero(judged.state == State.TREE)[:_NAMED]]
        named = [
            f"{high:016x}{low:016x}" for high, low in zip(rows.high[trees], rows.low[trees], strict=True)
        ]
        return BlockSums(_by_part(judged, names, part), named)

    def _rows(self, columns: Mapping[str, Any]) -> SpanColumns:
        facts, place = columns["facts"], columns["place"]
        flags = {name: (facts >> 3 * ROLE_BITS + bit & 1).astype(np.bool_) for bit, name in enumerate(FACTS)}
        flags["is_odd"] |= columns.get("is_linked", False)
        return SpanColumns(
            **{name: columns[name] for name in ("high", "low", "span", "parent", "start_ns", "end_ns")},
            role=facts & _ROLE,
            phase=(facts >> ROLE_BITS & _ROLE) - 1,
            how=facts >> 2 * ROLE_BITS & _ROLE,
            **flags,
            machines=self._machines[:, place],
            scope=self._scopes[place],
        )

    def _parts_of(
        self, rows: SpanColumns, judged: JudgedTraces, model: Ints | None
    ) -> tuple[Sequence[str], Ints]:
        """The names of the parts in a block, and the place of each trace's among them."""
        if self._by is GroupBy.DAY:
            days, part = np.unique(_begin_ns(rows, judged.first) // DAY_NS, return_inverse=True)
            return [day_of(day * DAY_NS) for day in days.tolist()], part
        if model is not None:
            return self._by_model(rows, judged, model)
        return [""], np.zeros(len(judged.first), dtype=np.int64)

    def _by_model(self, rows: SpanColumns, judged: JudgedTraces, model: Ints) -> tuple[Sequence[str], Ints]:
        """What servers say goes first: a request may name an alias."""
        models = self._models or ()
        is_served = (rows.role == SERVER) & (model > 0)
        has_served = np.zeros(len(judged.first), dtype=np.bool_)
        has_served[judged.trace[is_served]] = True
        counts = is_served | ((rows.role == CHAT) & (model > 0) & ~has_served[judged.trace])
        pairs = np.unique(judged.trace[counts] * len(models) + model[counts])
        of_trace: dict[int, list[str]] = {}
        for trace, one in zip((pairs // len(models)).tolist(), (pairs % len(models)).tolist(), strict=True):
            of_trace.setdefault(trace, []).append(models[one])
        joined = {trace: ", ".join(sorted(names)) for trace, names in of_trace.items()}
        names = sorted({"", *joined.values()})
        places = {name: place for place, name in enumerate(names)}
        part = np.full(len(judged.first), places[""])
        part[list(joined)] = [places[name] for name in joined.values()]
        return names, part


def _begin_ns(rows: SpanColumns, first: Ints) -> Ints:
    """When each trace begins: with its top, else with its first span."""
    last = np.iinfo(np.int64).max
    top = np.minimum.reduceat(np.where(rows.is_top, rows.start_ns, last), first)
    return np.where(top < last, top, np.minimum.reduceat(rows.start_ns, first))


def _numbers(texts: Sequence[str]) -> Ints:
    """A number for each text, 0 for an empty one."""
    place = {text: number for number, text in enumerate(sorted({"", *texts}))}
    return np.array([place[text] for text in texts], dtype=np.int64)


def _by_part(judged: JudgedTraces, names: Sequence[str], part: Ints) -> Mapping[str, _Sums]:
    counted = judged.state == State.COUNTED
    walls = judged.top_end_ns - judged.top_start_ns
    sums = _added_up(judged, counted, part, len(names))
    unknown = np.bincount(part[counted & ~judged.is_network_known], minlength=len(names))
    found = {}
    for place, name in enumerate(names):
        here = part == place if len(names) > 1 else np.ones(len(part), dtype=np.bool_)
        found[name] = _Sums(
            queries={
                word: int(np.count_nonzero(here & (judged.state == state))) for state, word in _STATES.items()
            },
            walls=[walls[here & counted]],
            phases_ns=sums.ns[place],
            contested_ns=sums.contested_ns[place],
            known=sums.known[place],
            network_known=not unknown[place],
        )
    return {name: one for name, one in found.items() if any(one.queries.values())}


def _added_up(judged: JudgedTraces, counted: Bools, part: Ints, parts: int) -> PartSums:
    low = np.where(counted, judged.top_start_ns, 0)
    high = np.where(counted, judged.top_end_ns, 0)
    return add_up(judged.members, QueryWindows(low, high, part), parts)


def _nothing() -> _Sums:
    none = [0] * len(PHASES)
    return _Sums(
        {}, [], none, none, np.zeros((len(PHASES), len(Provenance)), dtype=np.bool_), network_known=True
    )


def _of_sorted(walls: Ints) -> Sequence[int]:
    """The least, the most, the two in the middle, the 95th and the 99th percentile."""
    count = len(walls)
    ranks = (1, count, (count + 1) // 2, count // 2 + 1, -(-95 * count // 100), -(-99 * count // 100))
    return [int(walls[rank - 1]) for rank in ranks]
