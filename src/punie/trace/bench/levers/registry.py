"""Every lever: a new one is a file beside this one and a line here."""

from __future__ import annotations

from typing import Final

from punie.trace.bench.levers.lever import Lever, LeverSetting
from punie.trace.errors import UsageError, did_you_mean
from punie.trace.registered import registered

LEVERS: Final = registered(
    Lever,
    "punie.trace.bench.levers.prompt_cache:LEVER",
    "punie.trace.bench.levers.prefill_step_size:LEVER",
    "punie.trace.bench.levers.brief:LEVER",
    "punie.trace.bench.levers.max_tokens:LEVER",
    "punie.trace.bench.levers.thinking_off:LEVER",
    "punie.trace.bench.levers.parallel_tools:LEVER",
    "punie.trace.bench.levers.tool_results:LEVER",
    "punie.trace.bench.levers.no_stream:LEVER",
    "punie.trace.bench.levers.draft:LEVER",
    "punie.trace.bench.levers.adapter:LEVER",
    "punie.trace.bench.levers.model:LEVER",
)


def unknown_lever(name: str) -> UsageError:
    """The error of a name that no lever has."""
    known = [lever.name for lever in LEVERS]
    return UsageError(
        f"lever {name}: not known{did_you_mean(name, known)}", remedy=f"known are: {', '.join(known)}"
    )


def parse_change(text: str) -> LeverSetting:
    """The lever, and its value behind `=`, that `text` names. Raises UsageError."""
    name, separator, value = text.partition("=")
    lever = next((lever for lever in LEVERS if lever.name == name), None)
    if lever is None:
        raise unknown_lever(name)
    if bool(value) != bool(lever.value):
        wanted = "needs a value" if lever.value else "takes no value"
        usage = f"{name}={lever.value.upper()}" if lever.value else name
        raise UsageError(f"lever {name}{separator}{value}: {wanted}", remedy=f"write {usage}")
    return LeverSetting(lever, value)
