"""`plan.toml`: an experiment as a person writes it, and the plan that it means.

    suite = "suite.toml"

    [baseline.server]
    model = "models/qwen3-30b"

    [[arm]]
    name = "brief"
    levers = ["brief"]

An arm is the baseline with the tables that it has itself, then its levers. Paths are relative to the file's folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from punie.trace.analysis.experiment.arms import (
    AgentSettings,
    Arm,
    ExpectedOutput,
    RequestSettings,
    ServerKind,
    ServerSettings,
)
from punie.trace.analysis.experiment.configuration import NO_CONFIGURATION, Configuration
from punie.trace.analysis.experiment.looks import default_looks
from punie.trace.analysis.experiment.plan import SAME_AGAIN_SUFFIX, ExperimentPlan, StoppingRule
from punie.trace.analysis.experiment.size import DEFAULT_BLOCKS, DEFAULT_REPEATS
from punie.trace.bench.documents import problems
from punie.trace.bench.levers.registry import parse_change
from punie.trace.bench.plan import Cell, grouped
from punie.trace.bench.runtime import Runtime, subject_of
from punie.trace.bench.servers import server_of
from punie.trace.demo.paths import target_model_path
from punie.trace.errors import InputError, PunieTraceError, UsageError
from punie.trace.machine.environment import Environment
from punie.trace.store import documents
from punie.trace.toml_files import read_toml
from punie.trace.units import parse_bytes, parse_duration_ns
from punie.trace.workload.suite import load_suite

Settings = TypeVar("Settings", ServerSettings, RequestSettings, AgentSettings)
BASELINE: Final = "baseline"


def _partly(kind: type) -> Any:  # noqa: ANN401 # a type made at import
    """A table with any of the fields of `kind` and no other."""
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    return msgspec.defstruct(
        f"{kind.__name__}Table",
        [(name, hints[name] | UnsetType, UNSET) for name in names],
        forbid_unknown_fields=True,
        frozen=True,
    )


ServerTable = _partly(ServerSettings)
RequestTable = _partly(RequestSettings)
AgentTable = _partly(AgentSettings)


class ArmTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One arm. `server` as text is a program's command line."""

    name: str = BASELINE
    server: str | ServerTable = ServerTable()  # type: ignore[valid-type] # made above
    request: RequestTable = RequestTable()  # type: ignore[valid-type]
    agent: AgentTable = AgentTable()  # type: ignore[valid-type]
    suite: str | None = None
    levers: tuple[str, ...] = ()
    output: ExpectedOutput | None = None


class StopTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to end early; `width` is a share: 0.1 is 10 %. Without `looks` at a half, three quarters and the end."""

    width: float | None = None
    decided: bool = False
    looks: tuple[int, ...] = ()


class PlanTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. Times are seconds, but `target` and `max_memory`, which have their unit."""

    arm: tuple[ArmTable, ...] = ()
    baseline: ArmTable = ArmTable()
    suite: str | None = None
    blocks: int = DEFAULT_BLOCKS
    repeat: int = DEFAULT_REPEATS
    seed: int = 0
    threshold: float = 1.0
    same_again: bool = True
    stop: StopTable = StopTable()
    target: str | None = None
    max_memory: str | None = None
    query_timeout: int = 300
    ready_timeout: int = 600


@dataclass(frozen=True, slots=True)
class PlanOverrides:
    """What the command line says in place of the file; None leaves it to the file.

    `config` is what the baseline begins with: there the file wins.
    """

    blocks: int | None = None
    seed: int | None = None
    width: float | None = None
    decided: bool = False
    config: Configuration = NO_CONFIGURATION


def read_experiment(
    path: Path,
    bench_id: str,
    environment: Environment,
    changes: PlanOverrides = PlanOverrides(),  # frozen
) -> ExperimentPlan:
    """The experiment that `plan.toml` at `path` means, checked as far as that goes without starting anything.

    Raises InputError that names the file and the field, UsageError for an agent that can't be had.
    """
    file = f"plan {path}"
    table = documents.typed(read_toml(path, "plan"), PlanTable, file)
    begun = changes.config.onto(Arm(BASELINE))
    plan = _plan(_Reader(file, path.parent), table, begun, bench_id, environment)
    changed = _changed(plan, changes)
    for problem in problems(changed):
        raise InputError(f"{file}: {problem}", remedy="Correct that part of the plan.")
    Runtime.of(changed)
    return changed


def _changed(plan: ExperimentPlan, changes: PlanOverrides) -> ExperimentPlan:
    blocks, rule = changes.blocks or plan.blocks, plan.stopping
    width = changes.width if changes.width is not None else rule.width
    decided = changes.decided or rule.decided
    looks = tuple(look for look in rule.looks if look < blocks)
    if width is not None or decided:
        looks = (*looks, blocks) if looks else default_looks(blocks)
    seed = plan.seed if changes.seed is None else changes.seed
    return replace(plan, blocks=blocks, seed=seed, stopping=StoppingRule(looks, width, decided))


def _plan(
    reader: _Reader, table: PlanTable, begun: Arm, bench_id: str, environment: Environment
) -> ExperimentPlan:
    baseline = reader.arm(begun, table.baseline, BASELINE)
    baseline = replace(baseline, output=ExpectedOutput.SAME)
    others = [reader.arm(_bare(baseline), arm, f"arm[{index}]") for index, arm in enumerate(table.arm)]
    again = replace(baseline, name=f"{baseline.name}{SAME_AGAIN_SUFFIX}") if table.same_again else None
    file = reader.path(table.suite)
    with reader.naming("suite"):
        suite = load_suite(file)
    with reader.naming("target or max_memory"):
        target_ns = parse_duration_ns(table.target, flag="target") if table.target else None
        max_memory = parse_bytes(table.max_memory, flag="max_memory") if table.max_memory else None
    return ExperimentPlan(
        bench_id=bench_id,
        arms=grouped((baseline, *((again,) if again else ()), *others), apart=again),
        baseline=baseline.name,
        same_again=again.name if again else None,
        suite=file,
        suite_name=suite.name,
        suite_hash=suite.sha256,
        queries=tuple(query.id for query in suite.queries),
        blocks=table.blocks,
        repeats=table.repeat,
        seed=table.seed,
        created=environment.created,
        threshold=table.threshold,
        stopping=StoppingRule(table.stop.looks, table.stop.width, table.stop.decided),
        target_ns=target_ns,
        max_memory_bytes=max_memory,
        query_timeout=table.query_timeout,
        ready_timeout=table.ready_timeout,
        is_demo=baseline.server.model == str(target_model_path()),
        versions=environment.versions,
        machine=environment.machine,
    )


def _bare(baseline: Arm) -> Arm:
    """What other arms begin with: the baseline, without any lever."""
    return replace(baseline, levers=())


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes arms of tables. `file` is its name in errors, `folder` what its paths are relative to."""

    file: str
    folder: Path

    def path(self, text: str | None) -> str | None:
        """A path of the file's, absolute."""
        return None if text is None else str((self.folder / Path(text).expanduser()).absolute())

    def arm(self, base: Arm, table: ArmTable, place: str) -> Arm:
        """The arm that `table` makes of `base`. Raises InputError that names `place`."""
        server = _with(ServerSettings(), {"program": table.server}) if isinstance(table.server, str) else None
        arm = replace(
            base,
            name=table.name,
            server=self._paths(server or _with(base.server, _set(table.server))),
            request=_with(base.request, _set(table.request)),
            agent=self._agent(_with(base.agent, _set(table.agent))),
            suite=self.path(table.suite) or base.suite,
        )
        is_changed = replace(arm, name=base.name) != base
        with self.naming(f"{place}.levers"):
            for lever in table.levers:
                change = parse_change(lever)
                if why_not := change.lever.applies(arm):
                    raise UsageError(f"lever {lever}: {why_not}", remedy="leave it out of the plan")
                arm = change.to(arm)
        arm = replace(arm, server=self._paths(arm.server))
        if table.output is not None or is_changed:
            arm = replace(arm, output=table.output or ExpectedOutput.JUDGED)
        self._check(arm, place)
        return arm

    def _paths(self, server: ServerSettings) -> ServerSettings:
        if server.kind is not ServerKind.MLX:
            return server
        model = str(target_model_path()) if server.model is None else self._model(server.model)
        draft = None if server.draft is None else self._model(server.draft)
        return replace(server, model=model, draft=draft, adapter=self.path(server.adapter))

    def _model(self, name: str) -> str:
        """A folder beside the file, else whatever the server makes of the name."""
        beside = self.folder / Path(name).expanduser()
        return str(beside.absolute()) if beside.is_dir() else name

    def _agent(self, agent: AgentSettings) -> AgentSettings:
        return replace(agent, workspace=self.path(agent.workspace))

    def _check(self, arm: Arm, place: str) -> None:
        with self.naming(f"{place}.server"):
            server_of(Cell(0, 0, arm.name, (arm,)))
        with self.naming(f"{place}.agent"):
            subject_of(arm.agent)

    @contextmanager
    def naming(self, place: str) -> Iterator[None]:
        """An error inside becomes one that names the file and `place`."""
        try:
            yield
        except PunieTraceError as error:
            raise InputError(f"{self.file}: {place}: {error.message}", remedy=error.remedy) from error


def _set(table: Any) -> dict[str, Any]:  # noqa: ANN401 # of a type made at import
    """The fields that the file sets."""
    values = {name: getattr(table, name) for name in table.__struct_fields__}
    return {name: value for name, value in values.items() if value is not UNSET}


def _with(settings: Settings, values: dict[str, Any]) -> Settings:
    return replace(settings, **values)
