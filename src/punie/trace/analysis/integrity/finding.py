"""One finding: what is wrong with the traces, how often, and where. The table of all kinds is `findings.toml`.

Checks look at one trace and name its cases; tallies of many traces add up to findings, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from punie.trace.analysis.integrity.kinds import FINDING_KIND, Effect
from punie.trace.analysis.queries.traces import span_name
from punie.trace.analysis.trees.tree import SpanKey

_EXAMPLES: Final = 3


class IntegrityFinding(msgspec.Struct, frozen=True):
    """Something that is wrong with the traces, how often, and up to three examples (spans, queries).

    Of unreadable records all are kept: each is a file and a line. `examples_left_out` counts further, other cases.
    """

    slug: str
    effect: Effect
    count: int
    message: str
    examples: tuple[str, ...]
    examples_left_out: int = 0

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return FINDING_KIND[self.slug].remedy


class Cases(msgspec.Struct, frozen=True, gc=False):
    """The cases of one kind in one trace; `effect` is a lighter one than the kind's own."""

    slug: str
    names: Sequence[str]
    effect: Effect | None = None


Checked = Iterator[Cases]


class Tally(msgspec.Struct):
    """Cases of many traces: how many, how many different ones, and the first by name."""

    count: int = 0
    different: int = 0
    first: tuple[str, ...] = ()

    def add(self, count: int, different: int, first: Iterable[str]) -> None:
        """Add the cases of other traces: each case names its trace, so none is the same."""
        self.count += count
        self.different += different
        self.first = tuple(sorted((*self.first, *first))[:_EXAMPLES])


Flaws = dict[tuple[str, Effect | None], Tally]
"""The tallies of some traces, by slug and effect; without those that have no case."""


def tally(checked: Iterable[Cases]) -> Flaws:
    """The cases of one trace."""
    flaws: Flaws = {}
    for cases in checked:
        if cases.names:
            different = sorted(set(cases.names))
            into = flaws.setdefault((cases.slug, cases.effect), Tally())
            into.add(len(cases.names), len(different), different[:_EXAMPLES])
    return flaws


def merge_flaws(into: Flaws, other: Flaws) -> None:
    """Add the tallies of other traces."""
    for key, one in other.items():
        into.setdefault(key, Tally()).add(one.count, one.different, one.first)


def finding_of(slug: str, flaws: Flaws, *, figures: str = "") -> IntegrityFinding:
    """One kind of the tallies `flaws`: cases with the kind's own effect come before those with a lighter one."""
    kind = FINDING_KIND[slug]
    tallies = sorted(
        ((effect, one) for (name, effect), one in flaws.items() if name == slug),
        key=lambda item: item[0] is not None,
    )
    examples = tuple(name for _, one in tallies for name in one.first)[:_EXAMPLES]
    return IntegrityFinding(
        slug=slug,
        effect=tallies[0][0] or kind.effect,
        count=sum(one.count for _, one in tallies),
        message=f"{kind.meaning}: {figures}" if figures else kind.meaning,
        examples=examples,
        examples_left_out=sum(one.different for _, one in tallies) - len(examples),
    )


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
    ordered = sorted(keys)
    return [span_name(key) for key in ordered] if ordered else []
