"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from punie.trace.errors import UsageError
from punie.trace.flags import (
    agent_flag,
    max_memory_flag,
    query_timeout_flag,
    suite_flag,
    target_flag,
    workspace_flag,
)
from punie.trace.options import choice, flag, flags_of, one_of_several, path, switch
from punie.trace.report.formats import FORMATS
from punie.trace.units import parse_bytes, parse_duration_ns

GATES: Final = ("accuracy", "generation", "target", "memory")


class _Gone(argparse.Action):
    """Refuses a flag of older versions, which `--help` doesn't show."""

    def __init__(self, option_strings: Sequence[str], dest: str, remedy: str, **_: object) -> None:
        super().__init__(option_strings, dest, nargs="?", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        self.remedy = remedy

    def __call__(self, *_: object) -> None:
        raise UsageError(f"{self.option_strings[0]} is gone", remedy=self.remedy)


def gone_flag(name: str, remedy: str) -> Any:  # noqa: ANN401 - as above
    """A field of a flag that no longer exists: giving it is an error that says what to do instead."""
    return flag(name, "", "", action=_Gone, remedy=remedy)


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What is asked of whom."""

    suite: Path | None = suite_flag(path)
    agent: str | None = agent_flag()
    workspace: Path | None = workspace_flag(path)
    query_timeout: int = query_timeout_flag()


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What a report is judged against; None leaves it to what the run was started with, then to the default."""

    target_ns: int | None = target_flag(partial(parse_duration_ns, flag="--target"))
    max_memory_bytes: int | None = max_memory_flag(partial(parse_bytes, flag="--max-memory"))


@dataclass(frozen=True, slots=True)
class GateOptions(TargetOptions):
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
        "--format",
        [entry.name for entry in FORMATS],
        "of the report",
        shown="guessed from -o's ending, else text",
    )
    output: Path | None = flag(
        "--output",
        "FILE",
        "write the report to FILE; - is standard output",
        parse=path,
        short="-o",
        shown="-",
    )
    force: bool = switch("--force", "overwrite FILE")
    explain: bool = switch(
        "--explain", "say at the end what the words of the report mean (a page always does)"
    )
    open: bool = switch(
        "--open", "write HTML, to a temporary file unless -o names one, and open it in a browser"
    )


@dataclass(frozen=True, slots=True)
class ReceiverOptions:
    """Where spans are sent."""

    otlp: str | None = flag(
        "--otlp",
        "URL",
        "send spans here, e.g. http://127.0.0.1:4318",
        shown="a Collector on this machine, if one listens",
    )
    no_export: bool = switch(
        "--no-export", "send nothing, even if a Collector listens or OTEL_* variables are set"
    )


@dataclass(frozen=True, slots=True)
class SendingOptions(ReceiverOptions):
    """Where spans are sent, and with what in them."""

    send_content: bool = switch(
        "--send-content", "send prompts, answers and arguments too (default: kept local)"
    )


def content_flag() -> Any:  # noqa: ANN401 - a field, as of `switch`
    """The field of `--content`."""
    return switch("--content", "HTML: with questions, tool calls, answers (default: left out)")


def jaeger_flag() -> Any:  # noqa: ANN401 - a field, as of `flag`
    """The field of `--jaeger`."""
    return flag("--jaeger", "URL", "the page that shows waterfalls", shown="http://127.0.0.1:16686")


def refuse_given(kind: type, given: Collection[str], reason: str, remedy: str = "") -> None:
    """Raise UsageError if the user set any of the fields `given` of `kind`; it names the first one's flag."""
    for field, name in flags_of(kind).items():
        if field in given:
            raise UsageError(f"{name} {reason}", remedy=remedy or f"leave {name} out")
