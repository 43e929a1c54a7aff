"""What a database added up by itself: phases over many queries, and what it left aside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.summary.parts import GroupBy, Part


class Where(StrEnum):
    """Where the ledgers were added up."""

    ONE_SERVER = "one server"
    EACH_SHARD = "each shard"  # only sums travelled between the servers
    GATHERED = "gathered"  # spans of several servers travelled to the one that was asked
    FILES = "this machine"  # from files, by DuckDB


@dataclass(frozen=True, slots=True)
class DatabaseTotals:
    """The ledgers of the queries in `total`, added up, and of the same ones by day or model in `parts`.

    `named` are up to three of the traces that need the tree. `may_be_cut` if as many traces were looked at as the
    limit allows. `memory` says how much an engine of ours takes, and where what doesn't fit waits; "" for a server's.
    """

    source: str
    where: Where
    total: Part
    named: tuple[str, ...]
    may_be_cut: bool
    by: GroupBy | None = None
    parts: tuple[Part, ...] = ()
    memory: str = ""
