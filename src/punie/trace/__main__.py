"""The command line: `punie-trace` and `python -m punie.trace`.

Each verb is a module of `commands/` with `HELP`, `DESCRIPTION`, `EXAMPLES`, its `Options` and `execute(options)`;
its heavy imports wait until it is executed, so that `--help` stays quick. `main` is the only place that catches
errors.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Final, NoReturn

from punie.trace.console.standard_streams import write_err, write_out
from punie.trace.errors import (
    ExitCode,
    OutputError,
    PipeClosedError,
    PunieTraceError,
    ServerError,
    UsageError,
    did_you_mean,
)
from punie.trace.options import add_options, read_options, renamed_flags

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed import SupportsWrite

_LOG_LINES: Final = 12
_LEAVE_AFTER_S: Final = 8.0
_EXAMPLES: Final = ("run", "report runs/2026-11-23T14-05-09-demo --format md", "doctor", "run --help")
VERBS: Final = (
    "run",
    "report",
    "show",
    "bench",
    "improve",
    "train",
    "compare",
    "decide",
    "serve",
    "ship",
    "doctor",
    "mcp",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns an `ExitCode`; `--help` and `--version` raise SystemExit, as argparse has it."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if any("@" in word or "?" in word for word in arguments):
        from punie.trace.urls import remember_secrets

        for word in arguments:
            remember_secrets(word)
    try:
        return _run_verb(arguments)
    except PipeClosedError as error:
        return int(error.exit_code)
    except PunieTraceError as error:
        return _report_error(error)
    except KeyboardInterrupt as error:
        return _end(ExitCode.INTERRUPTED, ": ".join(("interrupted", *map(str, error.args))))
    except Exception as error:  # noqa: BLE001 - the edge of the program: a bug is reported as one
        return _report_unforeseen(error)


def _run_verb(arguments: Sequence[str]) -> int:
    parser = build_parser(arguments[:1] if arguments and arguments[0] in VERBS else VERBS)
    if not arguments:
        parser.print_help()
        return ExitCode.OK
    if arguments[0].startswith("-") and arguments[0] not in parser.flags:
        raise _unknown_arguments(parser, arguments[:1])
    given, unknown = parser.parse_known_args(arguments)
    command, verb_parser = given.__dict__.pop("command"), given.__dict__.pop("parser")
    if unknown and not _take_after_flags(verb_parser, given, unknown):
        raise _unknown_arguments(verb_parser, unknown)
    for warning in renamed_flags(given):
        write_err(f"punie-trace: {warning}\n")
    del given.verb
    return int(command.execute(read_options(command.Options, given)))


def _take_after_flags(
    parser: argparse.ArgumentParser, given: argparse.Namespace, unknown: Sequence[str]
) -> bool:
    """Whether `unknown` are further sources, as in `report A --by model B`: argparse takes those of one place alone."""
    positional = [action for action in parser._actions if not action.option_strings]  # noqa: SLF001 - no public way
    if not positional or positional[-1].nargs not in ("*", "+") or any(t.startswith("-") for t in unknown):
        return False
    last = positional[-1]
    try:
        values = [last.type(text) if callable(last.type) else text for text in unknown]
    except argparse.ArgumentTypeError as error:
        parser.error(f"{last.metavar}: {error}")
    setattr(given, last.dest, [*getattr(given, last.dest, ()), *values])
    return True


def build_parser(names: Iterable[str] = VERBS) -> _Parser:
    """The command line as one parser: of all verbs, or of those named, since each costs its imports."""
    parser = _Parser(
        prog="punie-trace",
        description="Where does a local agent's time go? Spans, an exact ledger, and a verdict.",
        epilog=f"{_examples(_EXAMPLES)}\n\n{_exit_codes()}",
        formatter_class=_HelpFormatter,
    )
    parser.add_argument("--version", action=_VersionAction)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in names:
        command = importlib.import_module(f"punie.trace.commands.{verb}")
        sub = verbs.add_parser(
            verb,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=_examples(command.EXAMPLES),
            formatter_class=_HelpFormatter,
        )
        add_options(sub, command.Options)
        sub.set_defaults(command=command, parser=sub)
    return parser


def _exit_codes() -> str:
    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in ExitCode)
    return textwrap.fill(f"exit codes: {codes}", 78)


def _examples(commands: Iterable[str]) -> str:
    return "examples:\n" + "\n".join(f"  punie-trace {command}" for command in commands)


class _HelpFormatter(argparse.HelpFormatter):
    """Paragraphs are wrapped, examples are not: a command that is cut can't be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("examples:") else super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Its help and its errors go the way of all others."""

    @property
    def flags(self) -> list[str]:
        """Every name of every flag."""
        return [name for action in self._actions for name in action.option_strings]

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Write the help to standard output, or to `file`."""
        if file is None:
            write_out(self.format_help())
        else:
            super().print_help(file)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; argparse would print the usage of every flag and leave."""
        raise UsageError(_readable(message), remedy=_see_help(self))


def _readable(message: str) -> str:
    """The flag first, as in all our errors, instead of argparse's `argument --repeat: 'x' is …`."""
    text = message.removeprefix("argument ")
    wrong, separator, choices = text.partition(" (choose from ")
    if not separator:
        return text
    known = [name.strip(" '") for name in choices.removesuffix(")").split(",")]
    typed = wrong.rpartition("invalid choice: ")[2].strip("'")
    return f"{wrong}{did_you_mean(typed, known)} (choose from {', '.join(known)})"


def _unknown_arguments(parser: _Parser, unknown: Sequence[str]) -> UsageError:
    typed = next((text for text in unknown if text.startswith("-")), unknown[0])
    meant = did_you_mean(typed.partition("=")[0], parser.flags)
    return UsageError(
        f"{parser.prog.rpartition(' ')[2]} knows no {typed}{meant}",
        remedy=_see_help(parser),
    )


def _see_help(parser: argparse.ArgumentParser) -> str:
    return f"{parser.prog} --help"


class _VersionAction(argparse.Action):
    """Prints the installed version; looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        write_out(f"punie-trace {version('punie-trace')}\n")
        parser.exit()


def _report_error(error: PunieTraceError) -> int:
    from punie.trace.manual import ERRORS, page

    lines = [f"error: {error.message} [{error.slug}]"]
    if isinstance(error, ServerError) and error.log_tail and not error.is_explained:
        tail = error.log_tail.splitlines()[-_LOG_LINES:]
        lines += ["the server's last lines:", *(f"  | {line}" for line in tail)]
    if error.remedy:
        lines.append(f"next: {error.remedy}")
    if explained := page(ERRORS):
        lines.append(f"more: {explained}#{error.slug}")
    return _end(error.exit_code, "\n".join(lines))


def _report_unforeseen(error: Exception) -> int:
    from punie.trace.console.bugs import describe_bug, error_of_a_variable

    if variable := error_of_a_variable(error):
        return _report_error(variable)
    return _end(
        ExitCode.BUG,
        f"{describe_bug(error)}\n"
        "next: please report it with that file, the command and the output of `punie-trace doctor`",
    )


def _end(code: ExitCode, text: str) -> int:
    """Say on standard error why we end; where that can't be written, only the exit code says so."""
    try:
        write_err(f"punie-trace: {text}\n")
    except PipeClosedError as closed:
        return int(closed.exit_code)
    except OutputError:
        pass
    return int(code)


def run() -> NoReturn:
    """Entry point of the console script.

    Python waits for threads at its end, and one of the user's agent may never come back: then we leave all the same.
    It also searches all that there is for cycles, a tenth of the time of a small report: nobody needs that memory.
    """
    code = main()
    if (
        "duckdb" not in sys.modules
    ):  # its bindings take what is left for a leak, and list it on standard error
        gc.freeze()
    leave = threading.Timer(_LEAVE_AFTER_S, os._exit, (code,))
    leave.daemon = True
    leave.start()
    sys.exit(code)


if __name__ == "__main__":
    run()
