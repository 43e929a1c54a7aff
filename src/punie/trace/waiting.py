"""A line on a terminal that shows how far something is, once it takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")
AFTER_S: Final = 2.0
_AGAIN_AFTER_S: Final = 0.5
_END_OF_LINE: Final = "\x1b[K"


def shown(
    items: Iterable[T],
    text: Callable[[int], str],
    *,
    every: int = 1,
    begun_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """`items`, with the `text` of how many there were so far; the clock is looked at after `every` so many of them.

    What `items` is a part of may have begun before, at `begun_s` of the clock.
    Nothing is written where standard error is no terminal, and nothing is left there at the end.
    """
    next_s = (clock() if begun_s is None else begun_s) + AFTER_S
    was_shown = False
    try:
        for number, one in enumerate(items, start=1):
            yield one
            if number % every == 0 and clock() >= next_s:
                next_s = clock() + _AGAIN_AFTER_S
                was_shown = _write(f"\r{text(number)}{_END_OF_LINE}")
    finally:
        if was_shown:
            _write(f"\r{_END_OF_LINE}")


def _write(text: str) -> bool:
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    sys.stderr.write(text)
    sys.stderr.flush()
    return True
