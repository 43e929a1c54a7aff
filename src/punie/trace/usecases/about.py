"""What the sources of one report are and what was run there; where they differ, each is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.calls.usage import requested_models
from punie.trace.report.content import SourceInfo
from punie.trace.report.inert import one_line

if TYPE_CHECKING:
    from punie.trace.store.runs.run_plan import RunPlan
    from punie.trace.usecases.load import LoadedSource

_NAMED_MODELS: Final = 3
_NAMED_SOURCES: Final = 3
_NONE: Final = "none"
_NOT_KNOWN: Final = "not known"
DEMO_NOTE: Final = (
    "The demo model shows that everything works; it is no guide to the quality or speed of a real one."
)


def about_of(sources: Sequence[LoadedSource]) -> SourceInfo:
    """The sources as one; they share no trace."""
    traces: dict[str, set[str]] = defaultdict(set)
    for span in chain(*(one.spans.spans for one in sources)):
        traces[span.trace_id].add(span.span_id)
    plans = [one.plan for one in sources if one.plan]
    common = _merged_facts([{} if one.plan is None else _of_plan(one.plan) for one in sources])
    names = [one.source for one in sources]
    is_planned = len(plans) == len(sources)
    return SourceInfo(
        source=_named(names),
        spans=sum(map(len, traces.values())),
        traces=len(traces),
        run_id=common.get("run_id", ""),
        created=common.get("created", ""),
        suite=common.get("suite", ""),
        suite_hash=_hash(plan.suite_hash for plan in plans),
        model=_models(list(dict.fromkeys(chain(*map(_models_of, sources))))),
        draft="" if (draft := common.get("draft", _NONE)) == _NONE else draft,
        cache=common.get("cache", ""),
        planned=sum(len(plan.planned) for plan in plans) or None if is_planned else None,
        notes=(DEMO_NOTE,) if any(plan.settings.demo_model for plan in plans) else (),
        versions=_merged_facts([one.plan.versions if one.plan else {} for one in sources]),
        machine=_merged_facts([one.plan.machine if one.plan else {} for one in sources]),
        sources=tuple(names) if len(names) > 1 else (),
    )


def settings_of(sources: Sequence[LoadedSource]) -> dict[str, str]:
    """The flags of the runs, without what was left to a default that nobody knows."""
    return _merged_facts([{} if one.plan is None else _settings(one.plan) for one in sources])


def _settings(plan: RunPlan) -> dict[str, str]:
    set_by_user = {
        "seed": plan.seed,
        **asdict(plan.settings),
        "server": " ".join(plan.server_command) or None,
    }
    return {name.replace("_", "-"): str(value) for name, value in set_by_user.items() if value is not None}


def _of_plan(plan: RunPlan) -> dict[str, str]:
    return {
        "run_id": plan.run_id,
        "created": plan.created,
        "suite": plan.suite_name,
        "draft": plan.draft or _NONE,
        "cache": plan.cache,
    }


def _merged_facts(facts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Every fact with each of its values; "not known" is one, where a source lacks it."""
    names = dict.fromkeys(chain(*facts))
    return {name: ", ".join(dict.fromkeys(one.get(name, _NOT_KNOWN) for one in facts)) for name in names}


def _named(sources: Sequence[str]) -> str:
    if len(sources) == 1:
        return sources[0]
    more = len(sources) - _NAMED_SOURCES
    last = f" and {more} more" if more > 0 else ""
    return f"{len(sources)} sources: {', '.join(sources[:_NAMED_SOURCES])}{last}"


def _hash(hashes: Iterable[str]) -> str:
    """The one that all plans have: integrity names those that differ."""
    different = set(hashes)
    return different.pop() if len(different) == 1 else ""


def _models_of(source: LoadedSource) -> Sequence[str]:
    """The models that were asked; none where no span names one."""
    return (
        [source.plan.model]
        if source.plan
        else [one_line(name) for name in requested_models(source.spans.spans)]
    )


def _models(names: Sequence[str]) -> str:
    """The models for the headline."""
    more = f" and {len(names) - _NAMED_MODELS} more" if len(names) > _NAMED_MODELS else ""
    return (
        f"{'model' if len(names) == 1 else 'models'} {', '.join(names[:_NAMED_MODELS])}{more}"
        if names
        else ""
    )
