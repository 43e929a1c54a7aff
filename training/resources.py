"""The word lists and tables beside this module, and the lines that a training prints."""

from __future__ import annotations

import sys
import tomllib
from functools import cache
from importlib.resources import files


def resource_text(name: str) -> str:
    """The text of a file of this package."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def resource_lines(name: str) -> list[str]:
    """The lines of a text file of this package, without comments and empty ones."""
    return [line for line in resource_text(name).splitlines() if line and not line.startswith("#")]


@cache
def code_parts() -> dict[str, list[str]]:
    """The lists of `code.toml` by name."""
    return tomllib.loads(resource_text("code.toml"))


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
