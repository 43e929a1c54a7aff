"""A PydanticAI capability that keeps what an agent's tools do inside their query."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Never

from pydantic_ai.capabilities import AbstractCapability

from punie.trace.workload.threads import ForeignExitError, current_tool

if TYPE_CHECKING:
    from pydantic_ai import RunContext
    from pydantic_ai.capabilities.abstract import ValidatedToolArgs, WrapToolExecuteHandler
    from pydantic_ai.messages import ToolCallPart
    from pydantic_ai.tools import ToolDefinition

PARALLEL_TOOLS: Final = 8
"""Tools of one query that run at the same time; further calls of a turn wait."""


@dataclass
class QueryGuard(AbstractCapability[Any]):
    """For one run. `output_tools` are the names under which the model gave structured output: no tools."""

    output_tools: set[str] = field(default_factory=set, init=False)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL_TOOLS), init=False)

    async def prepare_output_tools(
        self, ctx: RunContext[Any], tool_defs: list[ToolDefinition]
    ) -> list[ToolDefinition]:
        """Remember their names."""
        self.output_tools.update(definition.name for definition in tool_defs)
        return tool_defs

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        handler: WrapToolExecuteHandler,
    ) -> Any:  # noqa: ANN401 # a tool may return anything
        """Run the tool when there is room; an exception that would end the process ends the query."""
        async with self._slots:
            token = current_tool.set(call.tool_name)
            process = os.getpid()
            try:
                return await handler(args)
            except (Exception, asyncio.CancelledError, GeneratorExit) as error:
                error.add_note(f"in the tool {call.tool_name}")  # a TimeoutError often says nothing
                raise  # the agent's to handle, or the end of this run
            except BaseException as error:  # KeyboardInterrupt too: at Ctrl-C, asyncio cancels the run first
                raise ForeignExitError.of(error) from error
            finally:
                if os.getpid() != process:
                    _end_fork(sys.exception())
                current_tool.reset(token)


def _end_fork(error: BaseException | None) -> Never:
    """The tool forked, and this is the copy: it must not go on as a second program that asks and reports."""
    while isinstance(error, ForeignExitError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, SystemExit):
        os._exit(error.code if isinstance(error.code, int) else int(error.code is not None))
    if error is not None:
        traceback.print_exception(error)
    os._exit(int(error is not None))
