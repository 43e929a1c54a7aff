"""What a plan needs to be run: its suites and its agents.

Made from the plan alone, so that a resumed benchmark is the one that was begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie.trace.analysis.experiment.arms import AgentSettings, Arm, RequestSettings
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.demo.paths import workspace_path
from punie.trace.errors import InputError, UsageError
from punie.trace.workload.suite import Suite, load_suite

if TYPE_CHECKING:
    from punie.trace.workload.replay import Recording
    from punie.trace.workload.subject import SubjectSource


@dataclass(frozen=True, slots=True)
class Runtime:
    """A plan with its suite, and those of the arms that have their own, by their files."""

    plan: ExperimentPlan
    suite: Suite
    own_suites: Mapping[str, Suite]

    @classmethod
    def of(cls, plan: ExperimentPlan) -> Runtime:
        """Raises InputError if the suite isn't the one that was planned, or an arm's has other queries."""
        suite = load_suite(plan.suite)
        if suite.sha256 != plan.suite_hash:
            raise InputError(
                f"suite {plan.suite or suite.name}: has changed since the benchmark was planned",
                remedy="restore it, or begin a new benchmark",
            )
        own = {arm.suite: load_suite(arm.suite) for arm in plan.arms if arm.suite}
        for file, other in own.items():
            if {query.id for query in other.queries} != set(plan.queries):
                raise InputError(
                    f"suite {file}: its queries have other ids than those of {suite.name}",
                    remedy="arms are compared query by query: give each the same ids",
                )
        return cls(plan, suite, own)

    def suite_of(self, arm: Arm) -> Suite:
        """What `arm` is asked."""
        return self.own_suites[arm.suite] if arm.suite else self.suite


def subject_of(settings: AgentSettings) -> SubjectSource:
    """The agent to ask: the user's, else the default one. Raises WorkloadError or UsageError."""
    from punie.trace.workload.agent import default_subject
    from punie.trace.workload.subject import load_subject

    if settings.agent:
        return load_subject(settings.agent)
    workspace = Path(settings.workspace or workspace_path())
    if not workspace.is_dir():
        raise UsageError(f"--workspace {workspace}: no such folder", remedy="check its path")
    return default_subject(workspace)


def request_fields(settings: RequestSettings) -> dict[str, Any]:
    """What a request says beside its messages; what OpenAI's API has no name for goes into `extra_body`."""
    named = ("max_tokens", "temperature", "top_p", "seed", "parallel_tool_calls")
    fields = {name: value for name in named if (value := getattr(settings, name)) is not None}
    extra: dict[str, object] = {}
    if settings.num_draft_tokens is not None:
        extra["num_draft_tokens"] = settings.num_draft_tokens
    if settings.template_args:
        extra["chat_template_kwargs"] = dict(settings.template_args)
    return fields | ({"extra_body": extra} if extra else {})


@lru_cache(maxsize=4)
def recording_at(folder: str | None) -> Recording | None:
    """What tools returned in the run at `folder`; None without one. Raises InputError."""
    if folder is None:
        return None
    from punie.trace.store.runs.run_folder import RunFolder
    from punie.trace.workload.replay import recording_of

    return recording_of(RunFolder.open(Path(folder)).load_spans().spans, folder)
