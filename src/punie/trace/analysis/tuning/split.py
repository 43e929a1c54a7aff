"""Which queries are trained on, which choose the checkpoint, and which are kept for the judgement.

Whole families go into one part: a query of a family that was trained on shows nothing about the others. Families whose
names begin with `control` are asked at the end and never trained on.

A model that is trained on answers which never use a tool soon forgets that tool. So each tool gets a family in the
training part, as long as another family is left that uses it and can show the outcome.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.errors import InputError

CONTROL_PREFIX: Final = "control"
_LATER_PARTS: Final = 2  # validation and held out


class AnswerKind(StrEnum):
    """What a right answer needs; `any` is not scored, and so never an example."""

    TOOL = "tool"
    DIRECT = "direct"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class SplitQuery:
    """A query as the split sees it: `tools` are those that right answers to it called. "" is a family of its own."""

    query_id: str
    text: str
    kind: AnswerKind
    family: str = ""
    tools: frozenset[str] = frozenset()

    @property
    def family_name(self) -> str:
        """The family, or the query itself."""
        return self.family or self.query_id

    @property
    def is_control(self) -> bool:
        """Whether it is never trained on."""
        return self.family.startswith(CONTROL_PREFIX)


@dataclass(frozen=True, slots=True)
class SplitMinimums:
    """How many queries of each kind a part should have, at least."""

    tool: int
    direct: int

    def lacks(self, queries: Iterable[SplitQuery], kind: AnswerKind) -> bool:
        """Whether `queries` are too few of `kind`."""
        target = {AnswerKind.TOOL: self.tool, AnswerKind.DIRECT: self.direct}.get(kind, 0)
        return sum(query.kind is kind for query in queries) < target


TRAINED: Final = SplitMinimums(tool=25, direct=10)
VALIDATED: Final = SplitMinimums(tool=6, direct=4)


@dataclass(frozen=True, slots=True)
class Split:
    """Ids of queries by part, in the suite's order; a query is in one part alone.

    `untrained_tools` are called by other parts and by no query that is trained on.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    held_out: tuple[str, ...]
    control: tuple[str, ...]
    untrained_tools: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[str, ...]:
        """What the judgement asks: held out and control."""
        return (*self.held_out, *self.control)


def split_by_family(
    queries: Sequence[SplitQuery],
    *,
    seed: int,
    trained: SplitMinimums = TRAINED,
    validated: SplitMinimums = VALIDATED,
) -> Split:
    """Families in an order of `seed`, until each part has what it wants; what is left is held out.

    Raises InputError where a question is asked in two parts, or where too few families are left for one.
    """
    scored = [query for query in queries if query.kind is not AnswerKind.ANY]
    families = _families(query for query in scored if not query.is_control)
    order = random.Random(f"{seed} families").sample(sorted(families), len(families))  # noqa: S311 # reproducible
    first, ordered = _one_family_per_tool(families, order)
    train = _take(families, ordered, trained, first)
    _, rest = _one_family_per_tool(families, [name for name in order if name not in train])
    validation = _take(families, rest, validated)
    names = {"train": train, "validation": validation, "held-out": set(order) - train - validation}
    if missing := [part for part, in_part in names.items() if not in_part]:
        raise InputError(
            f"the suite has {len(families)} families of queries, too few for three parts: nothing is left for "
            f"{missing[0]}",
            remedy='Give its queries families (family = "…"), or add queries; `--suite workspace` shows one.',
        )
    parts = {
        part: tuple(q.query_id for q in scored if not q.is_control and q.family_name in in_part)
        for part, in_part in names.items()
    }
    split = Split(
        parts["train"],
        parts["validation"],
        parts["held-out"],
        tuple(query.query_id for query in scored if query.is_control),
        tuple(sorted(_tools(scored) - _tools(query for name in train for query in families[name]))),
    )
    refuse_overlap(split, {query.query_id: query.text for query in queries})
    return split


def refuse_overlap(split: Split, texts: Mapping[str, str]) -> None:
    """Raises InputError where the same question, layout and case aside, stands in two parts."""
    seen: dict[str, tuple[str, str]] = {}
    for part in ("train", "validation", "held_out", "control"):
        for query_id in getattr(split, part):
            plain = same_question(texts[query_id])
            other_part, other = seen.setdefault(plain, (part, query_id))
            if other_part != part:
                raise InputError(
                    f"query {query_id} ({part}) asks what {other} ({other_part}) asks: what was trained on can't judge",
                    remedy="Put both into one family, or leave one out.",
                )


def same_question(text: str) -> str:
    """What two texts share that ask the same: words alone, in lower case."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def _families(queries: Iterable[SplitQuery]) -> dict[str, list[SplitQuery]]:
    families: dict[str, list[SplitQuery]] = {}
    for query in queries:
        families.setdefault(query.family_name, []).append(query)
    return families


def _tools(queries: Iterable[SplitQuery]) -> frozenset[str]:
    return frozenset(tool for query in queries for tool in query.tools)


def _one_family_per_tool(
    families: Mapping[str, Sequence[SplitQuery]], order: Sequence[str]
) -> tuple[set[str], list[str]]:
    """A family of each tool that several call; and `order`, but these first, and last what later parts need of it."""
    callers: dict[str, list[str]] = {}
    for name in order:
        for tool in sorted(_tools(families[name])):
            callers.setdefault(tool, []).append(name)
    first, last = set[str](), set[str]()
    for names in sorted(callers.values(), key=lambda names: (len(names), names)):
        if not first & set(names) and len(names) > 1:
            first.add(names[0])
        last |= set([name for name in names if name not in first][:_LATER_PARTS])
    return first, sorted(order, key=lambda name: 0 if name in first else 2 if name in last else 1)


def _take(
    families: Mapping[str, Sequence[SplitQuery]],
    order: Sequence[str],
    wanted: SplitMinimums,
    always: Iterable[str] = (),
) -> set[str]:
    """Names of families: `always`, then until both kinds are there, each if it adds to a kind that is still short."""
    taken = set(always)
    for name in order:
        so_far = [query for family in taken for query in families[family]]
        if any(wanted.lacks(so_far, query.kind) for query in families[name]):
            taken.add(name)
    return taken
