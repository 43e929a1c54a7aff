"""What a registry lists by name, one line each: a new part of the program is a file and such a line."""

from __future__ import annotations

from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


def registered(kind: type[T], *names: str) -> tuple[T, ...]:
    """The values that `punie.trace.MODULE:NAME` names, in their order. Raises TypeError for one that is no `kind`."""
    return tuple(_resolved(kind, *name.split(":")) for name in names)


def _resolved(kind: type[T], module: str, name: str) -> T:
    value = getattr(import_module(module), name)
    if not isinstance(value, kind):
        raise TypeError(f"{module}:{name} is no {kind.__name__}")
    return value
