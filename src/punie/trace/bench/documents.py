"""The files of a benchmark as types: what was planned (`bench.json`), what came of a server start (`cell.json`).

Format versions of `bench.json`: 1, the first, had its settings as text; 2 had them typed, and arms of draft models
alone; 3 has arms of whole configurations. All are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from punie.trace.analysis.experiment import plan as experiment
from punie.trace.analysis.experiment.arms import Arm, ServerKind
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    SEQUENTIAL,
    BenchPlan,
    BenchSettings,
    DecodingMode,
    Preflight,
    SpeculativeArm,
)
from punie.trace.analysis.speculative.model import FORMAT_VERSION as DRAFTS_VERSION
from punie.trace.analysis.speculative.preset import as_experiment
from punie.trace.errors import InputError
from punie.trace.store import documents
from punie.trace.toml_files import shown

_TEXT_SETTINGS: Final = 1
_LONGEST_RUN_S: Final = 1_000_000
_MOST: Final = 10_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")  # names of arms are parts of folder names


class CellStatus(StrEnum):
    """What came of a server start."""

    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One server start, done or failed (`cell.json`).

    `server_start` is its id, unique among all benchmarks. Swap is the whole machine's. None: not known. `disturbed`
    says in a sentence each what makes its times those of another machine.
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
    disturbed: tuple[str, ...] = ()


def decode_plan(text: str, file: str) -> ExperimentPlan:
    """The plan in the text of `file`. Raises InputError naming the file and the field that is wrong."""
    raw = documents.parse(text, file)
    version = documents.check_version(raw, file, (_TEXT_SETTINGS, DRAFTS_VERSION, experiment.FORMAT_VERSION))
    if version == _TEXT_SETTINGS:
        settings = documents.typed(raw.get("settings", {}), BenchSettings, f"{file}: settings", lax=True)
        raw |= {"settings": msgspec.to_builtins(settings), "format_version": DRAFTS_VERSION}
    if version == experiment.FORMAT_VERSION:
        plan = documents.typed(raw, ExperimentPlan, file)
    else:
        plan = _of_drafts(documents.typed(raw, BenchPlan, file), file)
    refuse(problems(plan), file)
    return plan


def refuse(problems: Iterator[str], file: str) -> None:
    """Raise InputError for the first problem."""
    for problem in problems:
        raise InputError(f"{file}: {problem}", remedy="Begin a new benchmark: this plan can't be run.")


def decode_preflight(text: str, file: str) -> Preflight:
    """The preflight in the text of `file`. Raises InputError naming the file and the field that is wrong."""
    raw = documents.parse(text, file)
    documents.check_version(raw, file, (_TEXT_SETTINGS, DRAFTS_VERSION))
    return documents.typed(raw, Preflight, file)


def _of_drafts(plan: BenchPlan, file: str) -> ExperimentPlan:
    wrong = ((index, _draft_problem(arm, len(plan.drafts))) for index, arm in enumerate(plan.arms))
    refuse((f"arms[{index}]: {problem}" for index, problem in wrong if problem), file)
    return as_experiment(plan)


def _draft_problem(arm: SpeculativeArm, drafts: int) -> str:
    if arm.kind is not DecodingMode.DRAFT:
        return "" if arm.draft is None and arm.k is None else "draft: only an arm with a draft has one"
    if arm.draft is None or not 0 <= arm.draft < drafts:
        return f"draft: {arm.draft} is none of the {drafts} drafts"
    return "" if arm.k is not None else f"k: {arm.k} is not between 1 and {_MOST}"


def problems(plan: ExperimentPlan) -> Iterator[str]:
    """What no planning of ours makes, and what would not end; each names its field."""
    for name in ("blocks", "repeats"):
        if not 1 <= getattr(plan, name) <= _MOST:
            yield f"{name}: {getattr(plan, name)} is not between 1 and {_MOST}"
    for name in ("query_timeout", "ready_timeout"):
        if not 1 <= getattr(plan, name) <= _LONGEST_RUN_S:
            yield f"{name}: {getattr(plan, name)} is not between 1 and {_LONGEST_RUN_S}"
    if not plan.queries:
        yield "queries: there are none"
    if not (math.isfinite(plan.threshold) and plan.threshold > 0):
        yield f"threshold: {plan.threshold} is not above 0"
    for index, arm in enumerate(plan.arms):
        yield from (f"arms[{index}]: {problem}" for problem in _arm_problems(arm))
    yield from _roles(plan)
    yield from _looks(plan)


def _roles(plan: ExperimentPlan) -> Iterator[str]:
    names = [arm.name for arm in plan.arms]
    required = (BATCHED, SAME_AGAIN, SEQUENTIAL) if plan.speculative else (plan.baseline,)
    for name in (*required, *names, *filter(None, (plan.same_again,))):
        if names.count(name) != 1:
            yield f"arms: {name} has to be there once, not {names.count(name)} times"
            return


def _looks(plan: ExperimentPlan) -> Iterator[str]:
    for name, looks in (("stopping.looks", plan.stopping.looks), ("added_at", plan.added_at)):
        if list(looks) != sorted(set(looks)) or any(look < 1 for look in looks):
            yield f"{name}: {list(looks)} are not rising numbers of blocks"
        elif looks and looks[-1] > plan.blocks:
            yield f"{name}: {looks[-1]} is more than the {plan.blocks} blocks"


def _arm_problems(arm: Arm) -> Iterator[str]:
    if not _NAME.fullmatch(arm.name) or (arm.group and not _NAME.fullmatch(arm.group)):
        yield f"name: {shown(arm.name)} is no name of an arm"
    k, temperature = arm.request.num_draft_tokens, arm.request.temperature
    if temperature is not None and not (math.isfinite(temperature) and temperature >= 0):
        yield f"request.temperature: {temperature} is not 0 or more"
    if arm.server.kind is ServerKind.MLX and k is not None and arm.server.draft is None:
        yield "request.num_draft_tokens: there is no draft model"
    if k is not None and not 1 <= k <= _MOST:
        yield f"request.num_draft_tokens: {k} is not between 1 and {_MOST}"
