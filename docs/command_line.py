"""The reference of the command line in Markdown, made from the verbs' own options.

`python docs/command_line.py` prints it; the site's page `reference/command-line` holds it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from punie.trace.__main__ import VERBS


def reference() -> str:
    """One section for each verb: what it does, its flags as tables, examples."""
    return "\n".join(line for verb in VERBS for line in _verb(verb))


def _verb(verb: str) -> Iterator[str]:
    command = importlib.import_module(f"punie.trace.commands.{verb}")
    yield from (f"## {verb}", "", command.DESCRIPTION, "")
    yield from _tables(command.Options, "")
    yield from ("```sh", *(f"punie-trace {example}" for example in command.EXAMPLES), "```", "")


def _tables(options: Any, title: str) -> Iterator[str]:  # noqa: ANN401 - a verb's own dataclass
    """A table of the flags of one dataclass, then those of its groups."""
    own = [item for item in fields(options) if "arguments" in item.metadata]
    if own:
        yield from ([f"**{title}**", ""] if title else [])
        yield from ("| flag | what it does |", "| --- | --- |", *map(_row, own), "")
    for item in fields(options):
        if "kind" in item.metadata:
            yield from _tables(item.metadata["kind"], item.metadata["group"])


def _row(item: Any) -> str:  # noqa: ANN401 - a dataclass's field
    arguments = item.metadata["arguments"]
    names, value = item.metadata["flag"], arguments.get("metavar", "")
    if "choices" in arguments:
        value = " or ".join(arguments["choices"])
    shown = " ".join(filter(None, (", ".join(names), value)))
    text = arguments["help"].replace("|", "\\|").replace("<", "&lt;").replace("%%", "%")
    return f"| `{shown}` | {text} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
