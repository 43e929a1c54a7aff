"""`mcp`: reports as tools of the Model Context Protocol, for coding agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from punie.trace.errors import ExitCode, PunieTraceError, UsageError
from punie.trace.options import flag, switch, whole_number

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from punie.trace.usecases.tool_answers import ToolAnswers

P = ParamSpec("P")
R = TypeVar("R")

HELP: Final = "serve reports to coding agents by the Model Context Protocol"
DESCRIPTION: Final = (
    "Speaks the Model Context Protocol on standard input and output, with the tools run, report, compare and show. "
    "Answers are the reports' JSON with a bound on their rows, without prompts, answers and arguments unless "
    "--content allows them. Needs the extra mcp."
)
EXAMPLES: Final = ("mcp", "mcp --content --rows 50")
_INSTRUCTIONS: Final = (
    "Measures where the time of local LLM agents goes. report: phases and verdicts of a run or of recorded traces; "
    "show: one query's waterfall; compare: is B slower than A; run: measure anew. Durations are nanoseconds. A verdict "
    "'undecided' means that there isn't enough data. rows_left_out says what an answer leaves out."
)


@dataclass(frozen=True, slots=True)
class Options:
    """What `mcp` may answer with."""

    content: bool = switch("--content", "answers may hold prompts, answers and arguments")
    rows: int = flag(
        "--rows", "N", "rows of each list in an answer", parse=whole_number(1, 10_000), default=20
    )
    runs: Path = flag("--runs", "DIR", "where new runs go", parse=Path, default=Path("runs"))


def execute(options: Options) -> int:
    """Serve until standard input ends. Raises UsageError without the extra."""
    from punie.trace.usecases.tool_answers import ToolAnswers

    make_server(ToolAnswers(options.rows, options.content, options.runs)).run("stdio")
    return ExitCode.OK


def make_server(answers: ToolAnswers) -> MCPServer[Any]:
    """The server with its tools. Raises UsageError without the extra."""
    try:
        from mcp.server import MCPServer
    except ImportError:
        from punie.trace.extras import install_hint

        raise UsageError("mcp: its package isn't installed", remedy=install_hint("mcp")) from None
    server: MCPServer[Any] = MCPServer("punie-trace", instructions=_INSTRUCTIONS, log_level="WARNING")

    @server.tool()
    @_errors_in_words
    def report(source: str) -> dict[str, Any]:
        """Where the time went, with verdicts: of a run folder, a file of spans, or a jaeger:// or clickhouse:// URL."""
        return answers.report(source)

    @server.tool()
    @_errors_in_words
    def show(source: str, query: str | None = None) -> dict[str, Any]:
        """One query's waterfall: `query` is its name or the beginning of its trace id; the slowest without one."""
        return answers.show(source, query)

    @server.tool()
    @_errors_in_words
    def compare(a: list[str], b: list[str]) -> dict[str, Any]:
        """Whether B is slower than A, by query and by phase, with intervals; several runs a side are pooled."""
        return answers.compare(a, b)

    @server.tool()
    async def run(
        suite: str | None = None, model: str | None = None, base_url: str | None = None, starts: int = 1
    ) -> dict[str, Any]:
        """Ask a suite (a TOML file) of a model (a folder) or of a running server, and report. It takes minutes."""
        given = {"--suite": suite, "--model": model, "--base-url": base_url, "--starts": str(starts)}
        flags = [f"{name}={value}" for name, value in given.items() if value is not None]
        try:
            return await answers.run(flags)
        except Exception as error:  # noqa: BLE001 # an edge of the program, as `main` is
            raise _tool_error(error) from None

    return server


def _errors_in_words(tool: Callable[P, R]) -> Callable[P, R]:
    """An error reaches the agent as a sentence, ours with its remedy."""

    @wraps(tool)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return tool(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 # as above
            raise _tool_error(error) from None

    return call


def _tool_error(error: Exception) -> Exception:
    from mcp.server.mcpserver.exceptions import ToolError

    from punie.trace.console.bugs import describe_bug
    from punie.trace.console.standard_streams import harmless
    from punie.trace.usecases.tool_answers import in_words

    return ToolError(harmless(in_words(error) if isinstance(error, PunieTraceError) else describe_bug(error)))
