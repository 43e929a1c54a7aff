"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from punie.trace.errors import UsageError
from punie.trace.options import choice, flag, one_of_several, switch, whole_number
from punie.trace.units import parse_bytes, parse_duration_ns

GATES: Final = ("accuracy", "generation", "target", "memory")
FORMATS: Final = ("text", "json", "md", "csv")

target = partial(parse_duration_ns, flag="--target")
memory_size = partial(parse_bytes, flag="--max-memory")


class Gone(argparse.Action):
    """A flag of older versions, not shown in `--help`: refused with what to do instead."""

    def __init__(self, option_strings: Sequence[str], dest: str, remedy: str) -> None:
        super().__init__(option_strings, dest, nargs="?", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        self.remedy = remedy

    def __call__(self, *_: object) -> None:
        raise UsageError(f"{self.option_strings[0]} is gone", remedy=self.remedy)


@dataclass(frozen=True, slots=True)
class JudgementOptions:
    """What a report is judged against; None leaves it to what the run was started with, then to the default."""

    target_ns: int | None = flag(
        "--target", "TIME", "how long a query may take, e.g. 10s or 800ms", parse=target, shown="10s"
    )
    max_memory_bytes: int | None = flag(
        "--max-memory", "SIZE", "what the server's process may use, e.g. 32GB", parse=memory_size
    )


@dataclass(frozen=True, slots=True)
class GateOptions(JudgementOptions):
    """The same, and which verdicts the exit code depends on."""

    gate: tuple[str, ...] = flag(
        "--gate",
        "NAMES",
        f"fail unless these verdicts are yes (comma-separated: {', '.join(GATES)})",
        parse=one_of_several(GATES, "gate"),
        default=(),
    )


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The format of a report and where it goes."""

    format: str | None = choice(
        "--format", FORMATS, "of the report", shown="guessed from -o's ending, else text"
    )
    output: Path | None = flag("--output", "FILE", "write the report to FILE", parse=Path, short="-o")
    force: bool = switch("--force", "overwrite FILE")


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """Where spans are sent."""

    otlp: str | None = flag(
        "--otlp",
        "URL",
        "send spans here, e.g. http://127.0.0.1:4318",
        shown="a Collector on this machine, if one listens",
    )
    no_export: bool = switch("--no-export", "send nothing: whoever listens, whatever the environment says")
    send_content: bool = switch(
        "--send-content", "send prompts, answers and arguments too (default: kept local)"
    )


def jaeger_flag() -> Any:  # noqa: ANN401 - a field, as of `flag`
    """The field of `--jaeger`."""
    return flag("--jaeger", "URL", "the page that shows waterfalls", shown="http://127.0.0.1:16686")


def seed_flag() -> Any:  # noqa: ANN401 - as above
    """The field of `--seed`."""
    return flag("--seed", "N", "shuffles the order", parse=whole_number(-(2**62), 2**62), default=0)


def gates(text: str) -> tuple[str, ...]:
    """An argparse type: a comma-separated choice of `GATES`."""
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in GATES]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown gate {unknown[0]!r}: choose from {', '.join(GATES)}")
    return names


def add_judgement(parser: argparse.ArgumentParser) -> None:
    """What a report is judged against; a report of a run takes the run's own values where none are given."""
    group = parser.add_argument_group("judgement")
    group.add_argument(
        "--target", metavar="TIME", help="how long a query may take, e.g. 10s or 800ms (default: 10s)"
    )
    group.add_argument("--max-memory", metavar="SIZE", help="what the server's process may use, e.g. 32GB")
    group.add_argument(
        "--gate",
        type=gates,
        default=(),
        metavar="NAMES",
        help=f"fail unless these verdicts are yes (comma-separated: {', '.join(GATES)})",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """The format of a report and where it goes."""
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=FORMATS, help="default: guessed from -o's ending, else text")
    group.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the report to FILE")
    group.add_argument("--force", action="store_true", help="overwrite FILE")
