"""What every format may ask about where its text is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PLAIN_WIDTH: Final = 80  # columns, where nobody's terminal says another width


@dataclass(frozen=True, slots=True)
class Page:
    """What a format may use of its surroundings.

    Columns of text, whether the reader's terminal shows colours, and the verdicts that the exit code depends on
    (none: all of them are of interest). `manual` says where the reader finds the page of findings: an address or,
    of what is read on this machine, a path; empty where there is none. Only a report with findings has to ask.
    """

    width: int = PLAIN_WIDTH
    color: bool = False
    gates: tuple[str, ...] = ()
    manual: Callable[[], str] = str
