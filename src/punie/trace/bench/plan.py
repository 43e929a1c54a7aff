"""From a plan to its cells in a balanced order.

A cell is one server start. In a block each server is started once; which comes after which is balanced over the
blocks (Williams' design), and so is the order of k inside a server. All of it follows from the plan and its seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from punie.trace.analysis.experiment.arms import Arm, PromptCache, ServerKind, ServerSettings
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.records import PlannedQuery

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ArmQuery:
    """One question to be asked in one arm."""

    arm: Arm
    planned: PlannedQuery


@dataclass(frozen=True, slots=True)
class Cell:
    """One server start: its number (from 0, over the whole benchmark), its block, and the arms that it serves."""

    number: int
    block: int
    group: str
    arms: tuple[Arm, ...]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.number:04d}-{self.group}"

    @property
    def cache(self) -> PromptCache:
        """The prompt cache, the same for all its arms."""
        return self.arms[0].server.prompt_cache

    @property
    def draft(self) -> str | None:
        """The draft model that its server has, the same for all its arms."""
        return self.arms[0].server.draft


def plan_cells(plan: ExperimentPlan) -> tuple[Cell, ...]:
    """Every server start, in order."""
    groups = list(_groups(plan.arms))
    order = random.Random(f"{plan.seed} cells")  # noqa: S311 # a reproducible order, not a secret
    rows = balanced_orders(groups, order)
    cells: list[Cell] = []
    for block in range(plan.blocks):
        for name, arms in rows[block % len(rows)]:
            cells.append(Cell(len(cells), block, name, arms))
    return tuple(cells)


def planned_queries(plan: ExperimentPlan, cell: Cell) -> Iterator[ArmQuery]:
    """What a cell asks: the suite in an order of its block, each query in every arm before the next one."""
    order = random.Random(f"{plan.seed} queries {cell.block}")  # noqa: S311 # as above
    rows = balanced_orders(cell.arms, random.Random(f"{plan.seed} arms"))  # noqa: S311 # as above
    position = 0
    for repeat in range(plan.repeats):
        for place, query_id in enumerate(order.sample(plan.queries, len(plan.queries))):
            for arm in rows[(cell.block + repeat + place) % len(rows)]:
                yield ArmQuery(arm, PlannedQuery(query_id, repeat, cell.number, position))
                position += 1


def balanced_orders(items: Sequence[Item], order: random.Random) -> list[tuple[Item, ...]]:
    """Orders of `items` in which each stands in each place, and after each other one, equally often.

    Source: Williams (1949): with an even number of items that many orders, with an odd one twice as many.
    """
    count = len(items)
    shuffled = order.sample(items, count)
    zigzag = [(step + 1) // 2 if step % 2 else (count - step // 2) % count for step in range(count)]
    rows = [tuple(shuffled[(place + shift) % count] for place in zigzag) for shift in range(count)]
    if count % 2 and count > 1:
        rows += [tuple(reversed(row)) for row in rows]
    return order.sample(rows, len(rows))


def _groups(arms: Sequence[Arm]) -> Iterator[tuple[str, tuple[Arm, ...]]]:
    """Arms that share a server start, in the order in which their groups first come."""
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(arm.group or arm.name, []).append(arm)
    return ((name, tuple(group)) for name, group in groups.items())


def grouped(arms: tuple[Arm, ...], apart: Arm | None) -> tuple[Arm, ...]:
    """Arms of the same server share a start where none finds another's prompts in a cache, or where there is no start.

    The baseline once more has a start of its own: two starts differ, and it has to show by how much.
    """
    names: dict[ServerSettings, list[Arm]] = {}
    for arm in arms:
        is_running = arm.server.kind is ServerKind.ATTACHED
        is_plain = arm.server.kind is ServerKind.MLX and arm.server.prompt_cache is PromptCache.OFF
        if is_running or (is_plain and arm is not apart):
            names.setdefault(arm.server, []).append(arm)
    shared = {server: together[0].name for server, together in names.items() if len(together) > 1}
    return tuple(
        replace(arm, group=shared[arm.server])
        if arm in names.get(arm.server, ()) and arm.server in shared
        else arm
        for arm in arms
    )
