"""The row of each span's parent, from ids as numbers of 64 bits: a hash join on whole numpy arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

# Odd factors, drawn at random so that no pattern in a tracer's ids meets them; any would give the same rows.
_FACTORS: Final = np.random.default_rng(1).integers(0, 2**63, 64, dtype=np.uint64) * np.uint64(2) + np.uint64(
    1
)


def parent_rows(spans: Ids, parents: Ids) -> Rows | None:
    """The row in `spans` of each id in `parents`; None if one isn't there, or if an id stands in `spans` twice.

    At most 2^31 spans. Every id goes into a slot of a table, where a later one may take its place. Every parent's
    id looks into its slot. Spans that lost their slot, and parents that met another id there, go on to the next
    round, with other slots. It is ids that are compared, never slots, so a row that is given is the right one.
    """
    found = np.empty(len(parents), dtype=np.int64)
    placed, looking = np.arange(len(spans), dtype=np.int32), np.arange(len(parents))
    keys, wanted = spans, parents
    for factor in _FACTORS:
        if not len(placed):
            break
        shift = np.uint64(63 - len(placed).bit_length())  # 2 to 4 times as many slots as ids
        table = np.zeros(1 << (64 - int(shift)), dtype=np.int32)  # half of what int64 costs the cache
        slots = _slots(keys, factor, shift)
        table[slots] = placed
        seen = table[_slots(wanted, factor, shift)]
        found[looking] = seen
        others = np.flatnonzero(spans[seen] != wanted)
        looking, wanted = looking[others], wanted[others]
        holders = table[slots]
        lost = np.flatnonzero(holders != placed)
        placed, keys, holders = placed[lost], keys[lost], holders[lost]
        if np.any(spans[holders] == keys):
            return None
    return None if len(looking) or len(placed) else found


def _slots(ids: Ids, factor: np.uint64, shift: np.uint64) -> Rows:
    return ((ids * factor) >> shift).view(np.int64)
