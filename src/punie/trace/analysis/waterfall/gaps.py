"""The gaps of a query: time that the ledger gives to the framework while nothing says what was done.

query   |----------------------|
agent     |----------------|
chat         |---|   |--|
        |----|   |---|  |------|     gaps: only spans with others below them are open
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from punie.trace.analysis.ledger.ledger import Stretch
from punie.trace.analysis.waterfall.model import Row, Window
from punie.trace.model import Phase


def find_gaps(rows: Sequence[Row], ledger: Iterable[Stretch]) -> Iterator[Window]:
    """In the order of time."""
    with_rows_below = {row.parent for row in rows} | {0}
    leaves = sorted(
        (row.start_ns, row.end_ns) for index, row in enumerate(rows) if index not in with_rows_below
    )
    at = 0
    for stretch in ledger:
        reached_ns = stretch.start_ns
        while at < len(leaves) and leaves[at][0] < stretch.end_ns:
            if reached_ns < leaves[at][0] and stretch.phase is Phase.FRAMEWORK:
                yield Window(reached_ns, leaves[at][0])
            reached_ns = max(reached_ns, leaves[at][1])
            at += 1
        if reached_ns < stretch.end_ns and stretch.phase is Phase.FRAMEWORK:
            yield Window(reached_ns, stretch.end_ns)
