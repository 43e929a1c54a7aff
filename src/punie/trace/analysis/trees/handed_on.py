"""Roots that ended before anything below them began: they handed on what was to do, and don't say how long it took.

Such a trace has marks where others have spans (Temporal's workflow, a job that is put into a queue):

    start workflow  |-|
      run workflow        |
        start activity      |
          run activity      |---------|
        start activity                  |
          run activity                  |------|
    what counts     |--------------------------|     the root, and each mark until the last of what is below it ended

What only follows from its parent is not below it, and a query span of ours is as long as it says.
"""

from __future__ import annotations

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.trees.tree import Forest, SpanKey, with_times


def stretch_what_handed_on(forest: Forest) -> tuple[Forest, frozenset[SpanKey]]:
    """The forest in which such roots last until what they began ended, and these roots."""
    roots = frozenset(key for key in forest.tops if _handed_on(forest, key))
    if not roots:
        return forest, roots
    spans, below = dict(forest.spans), forest.below(roots)
    for key in reversed(forest.order):
        if key in below and (key in roots or not spans[key].duration_ns):
            ends = (spans[child].end_ns for child in forest.children.get(key, ()))
            spans[key] = replace(spans[key], end_ns=max(spans[key].end_ns, *ends, 0))
    return with_times(forest, spans), roots


def _handed_on(forest: Forest, key: SpanKey) -> bool:
    root, children = forest.spans[key], forest.children.get(key, ())
    if not children or root.parent_id is not None or semconv.QUERY_ID in root.attributes:
        return False
    return root.start_ns <= root.end_ns <= min(forest.spans[child].start_ns for child in children)
