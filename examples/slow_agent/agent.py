"""An agent that is slow for reasons of its own, each on one line, so that `punie-trace improve` has something to find.

It answers questions about the demo project. README.md says what each reason costs and which line to write instead.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic_ai import Agent

from punie.trace.demo.paths import workspace_path
from punie.trace.workload.agent import INSTRUCTIONS
from punie.trace.workload.tools.tools import WorkspaceTools, limited

RESULT_LIMIT = 1_000_000  # characters of a tool's result: as good as no limit
FILES_SHOWN = 4  # whole, after the lines that were found

_PATH = re.compile(r"^\./[^:\n]+", re.MULTILINE)
_PROJECT = WorkspaceTools(workspace_path())


def run_command(command: str) -> str:
    """Run one read-only program in the project folder, without a shell.

    Args:
        command: grep, find, ls, cat, head, tail or wc, with arguments.
    """
    lines = _PROJECT.run_command(command)
    paths = list(dict.fromkeys(_PATH.findall(lines)))[:FILES_SHOWN]
    files = (_PROJECT.read_file(path.removeprefix("./")) for path in paths)
    return limited("\n\n".join((lines, *files)), RESULT_LIMIT)


def instructions() -> str:
    """What the model is given first, made anew for each request."""
    return f"It is {datetime.now():%Y-%m-%d %H:%M:%S}. {INSTRUCTIONS}"  # noqa: DTZ005 # the time of day, on purpose


def make_agent() -> Agent[Any, Any]:
    """The agent, for `--agent agent:make_agent`."""
    return Agent(
        name="slow",
        instructions=instructions,
        tools=[run_command, _PROJECT.read_file],
        defer_model_check=True,
    )
