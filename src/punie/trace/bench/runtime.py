"""What a plan needs to be run: its suite, its agent, its servers.

Made from the plan alone, so that a resumed benchmark is the one that was begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.speculative.model import Arm, ArmKind, BenchPlan
from punie.trace.demo.paths import workspace_path
from punie.trace.errors import InputError, UsageError
from punie.trace.server.config import ServerConfig
from punie.trace.workload.suite import Suite, default_suite, load_suite

if TYPE_CHECKING:
    from punie.trace.bench.plan import Cell
    from punie.trace.workload.agent import Subject


@dataclass(frozen=True, slots=True)
class Runtime:
    """A plan with its suite; times are seconds."""

    plan: BenchPlan
    suite: Suite
    query_timeout_s: float
    ready_timeout_s: float

    @classmethod
    def of(cls, plan: BenchPlan) -> Runtime:
        """Raises InputError if the suite isn't the one that was planned."""
        file = plan.settings.suite
        suite = load_suite(Path(file)) if file else default_suite()
        if suite.sha256 != plan.suite_hash:
            raise InputError(
                f"suite {file or suite.name}: has changed since the benchmark was planned",
                remedy="restore it, or begin a new benchmark",
            )
        return cls(plan, suite, plan.settings.query_timeout, plan.settings.ready_timeout)

    def subject(self) -> Subject:
        """The agent to ask: the user's, else the default one. Raises WorkloadError or UsageError."""
        from punie.trace.workload.agent import default_subject, load_subject

        reference = self.plan.settings.agent
        if reference:
            return load_subject(reference)
        workspace = Path(self.plan.settings.workspace or workspace_path())
        if not workspace.is_dir():
            raise UsageError(f"--workspace {workspace}: no such folder")
        return default_subject(workspace)

    def server(self, cell: Cell) -> ServerConfig:
        """The server of `cell`. Raises ConfigError."""
        return ServerConfig(
            model=self.plan.model,
            adapter_path=self.plan.settings.adapter,
            temperature=self.plan.temperature,
            max_tokens=self.plan.max_tokens,
            draft_model=None if cell.draft is None else self.plan.drafts[cell.draft],
            num_draft_tokens=max((arm.k for arm in cell.arms if arm.k is not None), default=None),
            prompt_cache_size=0 if cell.cache is PromptCache.OFF else None,
        )


def request_fields(arm: Arm) -> dict[str, object]:
    """What a request of `arm` says beside the question.

    mlx_lm serves a request with a seed alone, as it does with a draft; at temperature 0 the seed changes nothing.
    """
    if arm.kind is ArmKind.SEQUENTIAL:
        return {"seed": 0}
    return {} if arm.k is None else {"extra_body": {"num_draft_tokens": arm.k}}
