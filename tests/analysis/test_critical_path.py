"""The critical path: what others published, what they get wrong, and its definition instant by instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from punie.trace.analysis.path.critical_path import PathSection, critical_path
from punie.trace.analysis.path.self_time import self_times
from punie.trace.analysis.trees.windows import Windows, clip

EPOCH_NS = 1_764_000_000_000_000_000
Drawn = Mapping[str, tuple[str | None, int, int]]  # name: parent, start, end; the first is the root


def windows_of(spans: Drawn) -> Windows:
    places = {name: place for place, name in enumerate(spans)}
    parents = [-1 if parent is None else places[parent] for parent, _, _ in spans.values()]
    return clip(parents, [start for _, start, _ in spans.values()], [end for _, _, end in spans.values()])


def path_of(spans: Drawn) -> list[tuple[str, int, int]]:
    names = list(spans)
    return [(names[s.span], s.start_ns, s.end_ns) for s in critical_path(windows_of(spans))]


def selves(spans: Drawn) -> dict[str, int]:
    return dict(zip(spans, self_times(windows_of(spans)), strict=True))


# The shapes of the tests of Jaeger's trace page.
PUBLISHED: dict[str, tuple[Drawn, list[tuple[str, int, int]]]] = {
    "one after the other": (
        {"root": (None, 1, 101), "early": ("root", 20, 40), "late": ("root", 50, 60)},
        [("root", 1, 20), ("early", 20, 40), ("root", 40, 50), ("late", 50, 60), ("root", 60, 101)],
    ),
    "overlapping: the one that ends last": (
        {"root": (None, 1, 101), "beside": ("root", 10, 50), "last": ("root", 20, 60)},
        [("root", 1, 20), ("last", 20, 60), ("root", 60, 101)],
    ),
    "a child after its parent": (
        {"root": (None, 100, 140), "after": ("root", 200, 500)},
        [("root", 100, 140)],
    ),
    "a child after its parent, with a child": (
        {"root": (None, 1, 31), "after": ("root", 40, 80), "below": ("after", 50, 60)},
        [("root", 1, 31)],
    ),
    "a span that only follows hangs under nobody": (
        {"root": (None, 1, 31), "follows": (None, 10, 20)},
        [("root", 1, 31), ("follows", 10, 20)],
    ),
    "a grandchild before its parent": (
        {"root": (None, 1, 30), "over": ("root", 15, 35), "under": ("over", 10, 25)},
        [("root", 1, 15), ("under", 15, 25), ("over", 25, 30)],
    ),
    "a grandchild beyond the root": (
        {"root": (None, 1, 30), "over": ("root", 15, 35), "far": ("over", 20, 40)},
        [("root", 1, 15), ("over", 15, 20), ("far", 20, 30)],
    ),
    "a child around its parent": (
        {"root": (None, 10, 30), "around": ("root", 5, 35)},
        [("around", 10, 30)],
    ),
    "a child before its parent": (
        {"root": (None, 10, 30), "before": ("root", 1, 5)},
        [("root", 10, 30)],
    ),
}
# What a strict comparison of ends, or taking 0 for "no time", gets wrong.
HARD: dict[str, tuple[Drawn, list[tuple[str, int, int]]]] = {
    "adjacent siblings are both on the path": (
        {"server": (None, 5, 60), "prefill": ("server", 10, 20), "decode": ("server", 20, 60)},
        [("server", 5, 10), ("prefill", 10, 20), ("decode", 20, 60)],
    ),
    "a trace that starts at zero": (
        {
            "root": (None, 0, 50),
            "first": ("root", 0, 20),
            "beside": ("root", 0, 35),
            "last": ("root", 35, 50),
        },
        [("beside", 0, 35), ("last", 35, 50)],
    ),
    "an only child that starts at zero": (
        {"root": (None, 0, 50), "child": ("root", 0, 20), "below": ("child", 0, 5)},
        [("below", 0, 5), ("child", 5, 20), ("root", 20, 50)],
    ),
    "nothing of no length is on the path": (
        {"root": (None, 0, 9), "a": ("root", 0, 4), "instant": ("root", 4, 4), "b": ("root", 4, 9)},
        [("a", 0, 4), ("b", 4, 9)],
    ),
    "many instants at one time": (
        {"root": (None, 3, 9), **{f"i{n}": ("root", 9, 9) for n in range(5)}, "below": ("i3", 3, 9)},
        [("root", 3, 9)],
    ),
    "of those that end together, the one that started last": (
        {"root": (None, 0, 10), "long": ("root", 0, 10), "short": ("root", 5, 10)},
        [("root", 0, 5), ("short", 5, 10)],
    ),
    "an inverted span is an instant": (
        {"root": (None, 0, 10), "inverted": ("root", 8, 2), "unended": ("root", 3, 0)},
        [("root", 0, 10)],
    ),
    "a root of no length has no path": ({"root": (None, 7, 7), "child": ("root", 5, 9)}, []),
    "no spans, no path": ({}, []),
}


@pytest.mark.parametrize("name", [*PUBLISHED, *HARD])
def test_by_hand(name: str) -> None:
    spans, expected = (PUBLISHED | HARD)[name]
    assert path_of(spans) == expected


def test_three_tools_in_parallel_and_what_the_answer_waited_for() -> None:
    # query |----------------------------------------| 0..40
    # chat   |-----|                                   1..7
    # grep         |-------|                           7..15
    # find         |---------------|                   7..23
    # cat              |---|                           11..15
    # chat                         |--------------|    24..39
    spans: Drawn = {
        "query": (None, 0, 40),
        "chat": ("query", 1, 7),
        "grep": ("query", 7, 15),
        "find": ("query", 7, 23),
        "cat": ("query", 11, 15),
        "answer": ("query", 24, 39),
    }
    assert path_of(spans) == [
        ("query", 0, 1),
        ("chat", 1, 7),
        ("find", 7, 23),
        ("query", 23, 24),
        ("answer", 24, 39),
        ("query", 39, 40),
    ]
    assert selves(spans) == {"query": 3, "chat": 6, "grep": 8, "find": 16, "cat": 4, "answer": 15}


def test_self_time_is_what_no_child_covers() -> None:
    assert selves(
        {
            "root": (None, 0, 100),
            "a": ("root", 10, 40),
            "b": ("root", 30, 60),  # overlaps a
            "inside": ("root", 35, 38),  # inside both
            "out": ("root", 90, 130),  # reaches out of its parent
            "below": ("out", 95, 130),
        }
    ) == {"root": 40, "a": 30, "b": 30, "inside": 3, "out": 5, "below": 5}


def test_a_parent_has_to_come_first() -> None:
    with pytest.raises(ValueError, match="span 0 comes before its parent 1"):
        clip([1, -1], [0, 0], [5, 5])
    with pytest.raises(ValueError, match="shorter"):
        clip([-1], [0], [])


@pytest.mark.parametrize("overlap", [0, 700])
def test_five_thousand_children(overlap: int) -> None:
    starts, ends = [0, *range(5_000)], [9_000, *(place + 1 + overlap for place in range(5_000))]
    windows = clip([-1] + [0] * 5_000, starts, ends)
    sections = critical_path(windows)
    assert sum(section.end_ns - section.start_ns for section in sections) == 9_000
    step = overlap + 1
    assert sum(1 for section in sections if section.span) == -(-5_000 // step)
    assert self_times(windows)[0] == 9_000 - 5_000 - overlap


def test_five_thousand_levels() -> None:
    count = 5_001
    windows = clip(range(-1, count - 1), range(count), range(3 * count, 2 * count, -1))
    sections = critical_path(windows)
    assert [section.span for section in sections[:count]] == list(range(count))
    assert sum(section.end_ns - section.start_ns for section in sections) == 3 * count
    assert sum(self_times(windows)) == 3 * count


@st.composite
def forests(draw: st.DrawFn) -> Windows:
    """Several roots; nested, parallel, adjacent, skewed, zero-length and inverted spans."""
    count = draw(st.integers(1, 14))
    parents = [-1] + [draw(st.integers(-1 if place % 5 == 4 else 0, place - 1)) for place in range(1, count)]
    base = draw(st.sampled_from([0, EPOCH_NS]))
    starts = [base + draw(st.integers(0, 12)) for _ in range(count)]
    ends = [start + draw(st.integers(-2, 12)) for start in starts]
    return clip(parents, starts, ends)


def root_of(windows: Windows, span: int) -> int:
    while windows.parents[span] >= 0:
        span = windows.parents[span]
    return span


@settings(deadline=None, max_examples=300)
@given(forests())
def test_sections_tile_every_root(windows: Windows) -> None:
    sections = critical_path(windows)
    for root in (span for span, parent in enumerate(windows.parents) if parent < 0):
        own = [section for section in sections if root_of(windows, section.span) == root]
        cursor = windows.starts_ns[root]
        for section in own:
            assert section.start_ns == cursor < section.end_ns
            assert windows.starts_ns[section.span] <= section.start_ns
            assert section.end_ns <= windows.ends_ns[section.span]
            cursor = section.end_ns
        assert cursor == windows.ends_ns[root]


def waits_for(windows: Windows, span: int, instant: int) -> int:
    """By the definition: the child in the chain of last-ending children that is open at `instant`, or the span."""
    chain_end, inside = windows.ends_ns[span], None
    while inside is None:
        before = [
            (windows.ends_ns[child], windows.starts_ns[child], child)
            for child, parent in enumerate(windows.parents)
            if parent == span and windows.starts_ns[child] < windows.ends_ns[child] <= chain_end
        ]
        if not before:
            return span
        end, chain_end, child = max(before)
        inside = child if chain_end <= instant < end else None
    return waits_for(windows, inside, instant)


@settings(deadline=None, max_examples=300)
@given(forests())
def test_agrees_with_the_definition_instant_by_instant(windows: Windows) -> None:
    found = {
        (root_of(windows, section.span), instant): section.span
        for section in critical_path(windows)
        for instant in range(section.start_ns, section.end_ns)
    }
    expected = {
        (root, instant): waits_for(windows, root, instant)
        for root, parent in enumerate(windows.parents)
        if parent < 0
        for instant in range(windows.starts_ns[root], windows.ends_ns[root])
    }
    assert found == expected


@settings(deadline=None, max_examples=300)
@given(forests())
def test_self_times_instant_by_instant(windows: Windows) -> None:
    for span, self_ns in enumerate(self_times(windows)):
        own = set(range(windows.starts_ns[span], windows.ends_ns[span]))
        for child, parent in enumerate(windows.parents):
            if parent == span:
                own -= set(range(windows.starts_ns[child], windows.ends_ns[child]))
        assert self_ns == len(own)


@settings(deadline=None)
@given(forests())
def test_who_is_on_the_path_is_there_for_at_least_its_self_time(windows: Windows) -> None:
    on_path = _lengths(critical_path(windows))
    for span, self_ns in enumerate(self_times(windows)):
        assert on_path.get(span, self_ns) >= self_ns


@settings(deadline=None)
@given(forests(), st.randoms(use_true_random=False))
def test_the_order_of_siblings_changes_nothing(windows: Windows, random: Random) -> None:
    """Unless two are equal: then one of them must be picked."""
    spans = range(len(windows.parents))
    assume(len({(windows.parents[span], *_window(windows, span)) for span in spans}) == len(spans))
    order = random.sample(spans, len(spans))
    order.sort(key=lambda span: _depth(windows, span))
    place = {span: number for number, span in enumerate(order)}
    shuffled = clip(
        [place.get(windows.parents[span], -1) for span in order],
        [windows.starts_ns[span] for span in order],
        [windows.ends_ns[span] for span in order],
    )
    found = sorted((order[s.span], s.start_ns, s.end_ns) for s in critical_path(shuffled))
    assert found == sorted((s.span, s.start_ns, s.end_ns) for s in critical_path(windows))


def _window(windows: Windows, span: int) -> tuple[int, int]:
    return windows.starts_ns[span], windows.ends_ns[span]


def _depth(windows: Windows, span: int) -> int:
    depth = 0
    while windows.parents[span] >= 0:
        span, depth = windows.parents[span], depth + 1
    return depth


def _lengths(sections: Sequence[PathSection]) -> dict[int, int]:
    found: dict[int, int] = {}
    for section in sections:
        found[section.span] = found.get(section.span, 0) + section.end_ns - section.start_ns
    return found
