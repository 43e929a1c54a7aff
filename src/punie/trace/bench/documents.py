"""The files of a benchmark as types: what was planned (`bench.json`), what came of a server start (`cell.json`).

Format versions of `bench.json`: 1, the first, had its settings as text; 2 has them typed. Both are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from punie.trace.analysis.speculative.model import (
    BATCHED,
    FORMAT_VERSION,
    SAME_AGAIN,
    SEQUENTIAL,
    Arm,
    ArmKind,
    BenchPlan,
    BenchSettings,
    Preflight,
)
from punie.trace.errors import InputError
from punie.trace.store import documents

VERSIONS: Final = (1, FORMAT_VERSION)
_MOST: Final = 10_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")  # names of arms are parts of folder names


class CellStatus(StrEnum):
    """What came of a server start."""

    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One server start, done or failed (`cell.json`).

    `server_start` is its id, unique among all benchmarks. Swap is the whole machine's. None: not known.
    """

    status: CellStatus
    name: str
    block: int
    arms: tuple[str, ...] = ()
    server_start: str = ""
    began_ns: int | None = None
    took_ns: int | None = None
    ready_after_ns: int | None = None
    peak_footprint_bytes: int | None = None
    cached_tokens: int | None = None
    requests: int | None = None
    swap_used_bytes: int | None = None
    swapped_in_bytes: int | None = None
    swapped_out_bytes: int | None = None
    error: str = ""


def decode_plan(text: str, file: str) -> BenchPlan:
    """The plan in the text of `file`. Raises InputError naming the file and the field that is wrong."""
    raw = documents.parse(text, file)
    if documents.check_version(raw, file, VERSIONS) != FORMAT_VERSION:
        settings = documents.typed(raw.get("settings", {}), BenchSettings, f"{file}: settings", lax=True)
        raw |= {"settings": msgspec.to_builtins(settings), "format_version": FORMAT_VERSION}
    plan = documents.typed(raw, BenchPlan, file)
    for problem in _problems(plan):
        raise InputError(f"{file}: {problem}", remedy="Begin a new benchmark: this plan can't be run.")
    return plan


def decode_preflight(text: str, file: str) -> Preflight:
    """The preflight in the text of `file`. Raises InputError naming the file and the field that is wrong."""
    raw = documents.parse(text, file)
    documents.check_version(raw, file, VERSIONS)
    return documents.typed(raw, Preflight, file)


def _problems(plan: BenchPlan) -> Iterator[str]:
    """What no planning of ours makes, and what would not end."""
    for name in ("blocks", "repeats"):
        if not 1 <= getattr(plan, name) <= _MOST:
            yield f"{name}: {getattr(plan, name)} is not between 1 and {_MOST}"
    if not plan.queries:
        yield "queries: there are none"
    if not (math.isfinite(plan.temperature) and plan.temperature >= 0):
        yield f"temperature: {plan.temperature} is not 0 or more"
    names = [arm.name for arm in plan.arms]
    for name in (BATCHED, SAME_AGAIN, SEQUENTIAL):
        if names.count(name) != 1:
            yield f"arms: {name} has to be there once, not {names.count(name)} times"
    for index, arm in enumerate(plan.arms):
        if problem := _arm_problem(arm, len(plan.drafts)):
            yield f"arms[{index}]: {problem}"


def _arm_problem(arm: Arm, drafts: int) -> str:
    if not _NAME.fullmatch(arm.name):
        return f"name: {arm.name!r} is no name of an arm"
    if arm.kind is not ArmKind.DRAFT:
        return "" if arm.draft is None and arm.k is None else "draft: only an arm with a draft has one"
    if arm.draft is None or not 0 <= arm.draft < drafts:
        return f"draft: {arm.draft} is none of the {drafts} drafts"
    return "" if arm.k is not None and 1 <= arm.k <= _MOST else f"k: {arm.k} is not between 1 and {_MOST}"
