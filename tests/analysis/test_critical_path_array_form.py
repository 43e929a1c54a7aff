"""The form on whole arrays says what the walk says, span by span."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie.trace.analysis.path.critical_path import critical_path
from punie.trace.analysis.path.critical_path_arrays import path_ns
from punie.trace.analysis.path.query_paths import on_path_ns
from punie.trace.analysis.trees.windows import clip

EPOCH_NS = 1_764_000_000_000_000_000
Columns = tuple[list[int], list[int], list[int]]


def walked(parents: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> list[int]:
    found = [0] * len(parents)
    for section in critical_path(clip(parents, starts, ends)):
        found[section.span] += section.end_ns - section.start_ns
    return found


def at_once(parents: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> list[int]:
    columns = (np.array(column, dtype=np.int64) for column in (parents, starts, ends))
    found: list[int] = path_ns(*columns).tolist()
    return found


@st.composite
def forests(draw: st.DrawFn) -> Columns:
    """Several roots; nested, parallel, adjacent, equal, skewed, zero-length and inverted spans."""
    count = draw(st.integers(0, 14))
    parents = [draw(st.integers(-1, place - 1)) for place in range(count)]
    starts = [EPOCH_NS + draw(st.integers(0, 12)) for _ in range(count)]
    return parents, starts, [start + draw(st.integers(-2, 12)) for start in starts]


@settings(deadline=None, max_examples=500)
@given(forests())
def test_agrees_with_the_walk(columns: Columns) -> None:
    assert at_once(*columns) == walked(*columns)


@settings(deadline=None)
@given(forests())
def test_a_report_says_the_same_however_many_spans_it_has(columns: Columns) -> None:
    windows = clip(*columns)
    assert on_path_ns(windows, many=0) == on_path_ns(windows, many=len(windows.parents) + 1)


@settings(deadline=None)
@given(forests(), st.randoms(use_true_random=False))
def test_any_order_will_do(columns: Columns, random: Random) -> None:
    """Of two equal siblings any is picked, so then only the sum is the same."""
    parents, starts, ends = columns
    order = random.sample(range(len(parents)), len(parents))
    place = {span: number for number, span in enumerate(order)}
    shuffled = at_once(
        [place.get(parents[span], -1) for span in order], [starts[s] for s in order], [ends[s] for s in order]
    )
    assert sum(shuffled) == sum(walked(*columns))
    windows = clip(*columns)
    if len(set(zip(parents, windows.starts_ns, windows.ends_ns, strict=True))) == len(order):
        assert [shuffled[place[span]] for span in range(len(order))] == walked(*columns)


def test_five_thousand_children_and_levels() -> None:
    count = 5_001
    beside = (
        [-1] + [0] * (count - 1),
        list(range(count)),
        [9_000] + [place + 9 for place in range(1, count)],
    )
    assert at_once(*beside) == walked(*beside)
    below = (list(range(-1, count - 1)), list(range(count)), list(range(3 * count, 2 * count, -1)))
    assert at_once(*below) == walked(*below)


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="2 spans hang under no root"):
        at_once([-1, 2, 1], [0, 0, 0], [5, 5, 5])
