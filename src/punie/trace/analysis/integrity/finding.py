"""One finding: what is wrong with the traces, how often, and where. The table of all kinds is `findings.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.integrity.kinds import FINDING_KIND, Effect
from punie.trace.analysis.queries.traces import span_name
from punie.trace.analysis.trees.tree import SpanKey

_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """Something that is wrong with the traces, how often, and up to three examples (spans, queries).

    Of unreadable records all are kept: each is a file and a line. `examples_left_out` counts further, other cases.
    """

    slug: str
    effect: Effect
    count: int
    message: str
    examples: tuple[str, ...]
    examples_left_out: int = 0


Checked = Iterator[IntegrityFinding]


def finding(
    slug: str,
    cases: Sequence[str],
    *,
    figures: str = "",
    effect: Effect | None = None,
    count: int | None = None,
    most: int = _EXAMPLES,
) -> IntegrityFinding:
    """A finding with `most` of its cases as examples; it has no effect if there are none.

    `figures` end its message, `effect` is a lighter one than the kind's own, `count` is given where a case stands for
    several. Raises KeyError for a slug without a row in the table.
    """
    kind = FINDING_KIND[slug]
    different = tuple(dict.fromkeys(cases))
    return IntegrityFinding(
        slug=slug,
        effect=effect or kind.effect,
        count=len(cases) if count is None else count,
        message=f"{kind.meaning}: {figures}" if figures else kind.meaning,
        examples=different[:most],
        examples_left_out=max(len(different) - most, 0),
    )


def names(keys: Iterable[SpanKey]) -> list[str]:
    """Spans as the examples name them, in order."""
    return [span_name(key) for key in sorted(keys)]
