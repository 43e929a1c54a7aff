"""The tools of an agent before anything is asked: their names, and whether they are declared to change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from punie.trace.workload.agent import READ_ONLY

if TYPE_CHECKING:
    from pydantic_ai.toolsets import AbstractToolset

    from punie.trace.workload.subject import Subject

_HINT: Final = "readOnlyHint"  # the Model Context Protocol's, which toolsets hand on in a tool's annotations


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool, or a set of tools that can't be listed before it is connected to (`is_set`)."""

    name: str
    read_only: bool
    is_set: bool = False


def listed_tools(subject: Subject) -> tuple[ListedTool, ...]:
    """All tools that the agent is registered with, in order."""
    from pydantic_ai.toolsets import FunctionToolset

    tools: list[ListedTool] = []

    def look(toolset: AbstractToolset[Any]) -> None:
        if isinstance(toolset, FunctionToolset):
            tools.extend(
                ListedTool(name, _is_read_only(tool.metadata)) for name, tool in toolset.tools.items()
            )
        else:
            tools.append(ListedTool(toolset.label, read_only=False, is_set=True))

    for toolset in subject.agent.toolsets:
        toolset.apply(look)
    return tuple(tools)


def _is_read_only(metadata: Mapping[str, Any] | None) -> bool:
    if not metadata:
        return False
    annotations = metadata.get("annotations")
    hint = annotations.get(_HINT) if isinstance(annotations, Mapping) else None
    return metadata.get(READ_ONLY) is True or metadata.get(_HINT) is True or hint is True
