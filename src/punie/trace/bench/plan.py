"""From options to a plan, and from a plan to its cells in a balanced order.

A cell is one server start. In a block each server is started once; which comes after which is balanced over the
blocks (Williams' design), and so is the order of k inside a server. All of it follows from the plan and its seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.records import PlannedQuery
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    SEQUENTIAL,
    Arm,
    ArmKind,
    BenchPlan,
    BenchSettings,
)
from punie.trace.bench.options import DEMO, BenchOptions
from punie.trace.demo.paths import draft_model_path, target_model_path
from punie.trace.server.config import ServerConfig
from punie.trace.workload.suite import Suite

Item = TypeVar("Item")

_PATHS: Final = ("suite", "workspace", "adapter")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where and with what a benchmark is run. `created` is ISO 8601."""

    created: str
    versions: Mapping[str, str]
    machine: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ask:
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
        return self.arms[0].prompt_cache

    @property
    def draft(self) -> int | None:
        """The draft that its server has, the same for all its arms."""
        return self.arms[0].draft


def make_plan(options: BenchOptions, suite: Suite, bench_id: str, provenance: Provenance) -> BenchPlan:
    """The plan that `options` mean. Raises ConfigError for a model or a draft that isn't there."""
    is_demo = options.model is None
    model = str(options.model or target_model_path())
    drafts = tuple(str(draft_model_path()) if draft == DEMO else draft for draft in options.drafts)
    checked = [ServerConfig(model=model, adapter_path=options.adapter, draft_model=draft) for draft in drafts]
    return BenchPlan(
        bench_id=bench_id,
        model=str(checked[0].model),
        drafts=tuple(str(config.draft_model) for config in checked),
        arms=make_arms(len(drafts), options.k, options.draft_cache),
        suite_name=suite.name,
        suite_hash=suite.sha256,
        queries=tuple(query.id for query in suite.queries),
        blocks=options.blocks,
        repeats=options.repeats,
        seed=options.seed,
        created=provenance.created,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        target_ns=options.target_ns,
        max_memory_bytes=options.max_memory_bytes,
        is_demo=is_demo,
        settings=_settings(options),
        versions=provenance.versions,
        machine=provenance.machine,
    )


def _settings(options: BenchOptions) -> BenchSettings:
    values = {item.name: getattr(options, item.name) for item in fields(BenchSettings)}
    absolute = {name: str(Path(values[name]).absolute()) for name in _PATHS if values[name] is not None}
    return BenchSettings(**(values | absolute))


def make_arms(drafts: int, ks: Sequence[int], draft_cache: str) -> tuple[Arm, ...]:
    """Every arm: the baseline that users run, itself again, the drafts' path, each draft at each k."""
    arms = [
        Arm(BATCHED, ArmKind.BATCHED, prompt_cache=PromptCache.SERVER),
        Arm(SAME_AGAIN, ArmKind.BATCHED, prompt_cache=PromptCache.SERVER),
        Arm(SEQUENTIAL, ArmKind.SEQUENTIAL),
    ]
    for cache in PromptCache:
        if draft_cache not in (cache.value, "both"):
            continue
        end = "-cache" if cache is PromptCache.SERVER else ""
        arms += [
            Arm(f"draft{draft}-k{k}{end}", ArmKind.DRAFT, draft, k, cache)
            for draft in range(drafts)
            for k in ks
        ]
    return tuple(arms)


def plan_cells(plan: BenchPlan) -> tuple[Cell, ...]:
    """Every server start, in order."""
    groups = list(_groups(plan.arms))
    order = random.Random(f"{plan.seed} cells")  # noqa: S311 # a reproducible order, not a secret
    rows = balanced_orders(groups, order)
    cells: list[Cell] = []
    for block in range(plan.blocks):
        for name, arms in rows[block % len(rows)]:
            cells.append(Cell(len(cells), block, name, arms))
    return tuple(cells)


def plan_asks(plan: BenchPlan, cell: Cell) -> Iterator[Ask]:
    """What a cell asks: the suite in an order of its block, each query in every arm before the next one."""
    order = random.Random(f"{plan.seed} queries {cell.block}")  # noqa: S311 # as above
    rows = balanced_orders(cell.arms, random.Random(f"{plan.seed} arms"))  # noqa: S311 # as above
    position = 0
    for repeat in range(plan.repeats):
        for place, query_id in enumerate(order.sample(plan.queries, len(plan.queries))):
            for arm in rows[(cell.block + repeat + place) % len(rows)]:
                yield Ask(arm, PlannedQuery(query_id, repeat, cell.number, position))
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
    """Arms that share a server: those of one draft, unless its prompt cache would carry one arm's prompts over."""
    for name, group in groupby(arms, key=_group_name):
        yield name, tuple(group)


def _group_name(arm: Arm) -> str:
    return f"draft{arm.draft}" if arm.draft is not None and arm.prompt_cache is PromptCache.OFF else arm.name
