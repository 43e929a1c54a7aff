"""Flags and argument types that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

GATES: Final = ("accuracy", "generation", "target", "memory")
FORMATS: Final = ("text", "json", "md", "csv")


def whole_number(low: int) -> Callable[[str], int]:
    """An argparse type: an integer of at least `low`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if number < low:
            raise argparse.ArgumentTypeError(f"{number} is less than {low}")
        return number

    return parse


def gates(text: str) -> tuple[str, ...]:
    """An argparse type: a comma-separated choice of `GATES`."""
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in GATES]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown gate {unknown[0]!r}: choose from {', '.join(GATES)}")
    return names


def add_server(parser: argparse.ArgumentParser, *, port: int) -> argparse._ArgumentGroup:
    """What server to start; `settings.server_config` reads it. `port` is the default, 0 a free one."""
    group = parser.add_argument_group("server")
    group.add_argument(
        "--model", metavar="PATH", help="an mlx_lm model: a folder, or ORG/NAME (default: the demo model)"
    )
    group.add_argument("--adapter", type=Path, metavar="PATH", help="a LoRA adapter for the model")
    group.add_argument(
        "--draft", metavar="PATH", help="a draft model for speculative decoding (demo: the demo model's)"
    )
    group.add_argument("--num-draft-tokens", type=whole_number(1), metavar="K", help="tokens drafted a step")
    group.add_argument(
        "--max-tokens", type=whole_number(1), metavar="N", help="limit of one answer (default: 1024)"
    )
    group.add_argument("--temperature", type=float, metavar="T", help="sampling temperature (default: 0)")
    group.add_argument("--top-p", type=float, metavar="P", help="nucleus sampling (default: the server's)")
    group.add_argument(
        "--cache",
        choices=("server", "off"),
        default="server",
        help="the server's prompt cache (default: %(default)s)",
    )
    group.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    shown = "a free one" if port == 0 else str(port)
    group.add_argument(
        "--port", type=whole_number(0), default=port, help=f"0 takes a free one (default: {shown})"
    )
    group.add_argument("--plain-server", action="store_true", help="without spans from inside the server")
    group.add_argument(
        "--ready-timeout",
        type=whole_number(1),
        default=600,
        metavar="S",
        help="seconds to load (default: %(default)s)",
    )
    return group


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
