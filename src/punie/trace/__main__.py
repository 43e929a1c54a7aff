"""The command line: `punie-trace` and `python -m punie.trace`.

`main` is the only place that catches our errors. Each verb is a module of `commands/`; its heavy imports
wait until it is executed, so that `--help` stays quick.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, Final

from punie.trace.commands.standard_streams import write_err, write_out
from punie.trace.errors import ExitCode, OutputError, PipeClosedError, PunieTraceError, ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import SupportsWrite

VERBS: Final = ("run", "report", "bench", "compare", "decide", "serve", "ship", "doctor")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line as one parser."""
    parser = _Parser(
        prog="punie-trace",
        description="Where does a local agent's time go? Spans, an exact ledger, and a verdict.",
        epilog="exit codes: "
        + ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in ExitCode),
    )
    parser.add_argument("--version", action=_VersionAction)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        command = importlib.import_module(f"punie.trace.commands.{verb}")
        sub = verbs.add_parser(verb, help=command.HELP, description=command.DESCRIPTION)
        command.add_arguments(sub)
        sub.set_defaults(execute=command.execute)
    return parser


class _Parser(argparse.ArgumentParser):
    """Its help goes the way of all other output."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Write the help to standard output, or to `file`."""
        if file is None:
            write_out(self.format_help())
        else:
            super().print_help(file)


class _VersionAction(argparse.Action):
    """Prints the installed version; looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        write_out(f"punie-trace {version('punie-trace')}\n")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns an `ExitCode`; argparse itself exits with 2 on a usage error."""
    try:
        return _main(arguments)
    except PipeClosedError as error:
        return int(error.exit_code)


def _main(arguments: Sequence[str] | None) -> int:
    try:
        options = build_parser().parse_args(arguments)
        return int(options.execute(options))
    except PipeClosedError:
        raise
    except PunieTraceError as error:
        _say_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt as error:
        _say(": ".join(("punie-trace: interrupted", *map(str, error.args))) + "\n")
        return int(ExitCode.INTERRUPTED)


def _say_error(error: PunieTraceError) -> None:
    _say(f"punie-trace: error: {error.message}\n")
    if isinstance(error, ServerError) and error.log_tail:
        _say("the server's last lines:\n" + "".join(f"  | {line}\n" for line in error.log_tail.splitlines()))
    if error.remedy:
        _say(f"next: {error.remedy}\n")


def _say(text: str) -> None:
    """Why we end, on standard error; where that can't be written the exit code alone tells."""
    try:
        write_err(text)
    except PipeClosedError:
        raise
    except OutputError:
        return


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
