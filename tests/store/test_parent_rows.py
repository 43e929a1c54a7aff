"""The rows of parents by their ids as numbers are those that a search finds, or none at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie.trace.store.parquet.parent_rows import parent_rows

IDS = st.sampled_from([0, 1, 2, 3, 2**32, 2**63, 2**64 - 1])


def rows(spans: Sequence[int], parents: Sequence[int]) -> list[int] | None:
    found = parent_rows(np.array(spans, dtype=np.uint64), np.array(parents, dtype=np.uint64))
    return None if found is None else found.tolist()


@given(st.lists(IDS, max_size=8), st.lists(IDS, max_size=8))
def test_finds_what_a_search_finds_or_nothing(spans: list[int], parents: list[int]) -> None:
    whole = len(set(spans)) == len(spans) and set(parents) <= set(spans)
    assert rows(spans, parents) == ([spans.index(parent) for parent in parents] if whole else None)


@pytest.mark.parametrize("step", [1, 2**8, 2**32, 2**52, 2**60 + 1])
def test_ids_that_are_alike_find_their_own_row(step: int) -> None:
    """So many that some meet in every round."""
    spans = [number * step % 2**64 for number in range(4_000)]
    assert len(set(spans)) == len(spans) or rows(spans, spans) is None
    kept = list(dict.fromkeys(spans))
    assert rows(kept, kept[::-1]) == list(range(len(kept)))[::-1]
    assert rows(kept, [*kept, 2**64 - 1]) is None
