"""Reading the value of a lever."""

from __future__ import annotations

from punie.trace.errors import UsageError

_MOST = 10**9


def whole(lever: str, value: str) -> int:
    """A whole number of at least 1. Raises UsageError that names the lever."""
    if value.isascii() and value.isdecimal() and len(value) <= len(str(_MOST)) and 1 <= int(value) <= _MOST:
        return int(value)
    raise UsageError(f"lever {lever}={value}: not a whole number of at least 1", remedy=f"e.g. {lever}=512")


def path(lever: str, value: str) -> str:
    """Something that may be a path or a name. Raises UsageError that names the lever."""
    if not value:
        raise UsageError(f"lever {lever}: needs a path", remedy=f"{lever}=PATH")
    return value
