"""What every format may ask about where its text is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PLAIN_WIDTH: Final = 80  # columns, where nobody's terminal says another width


@dataclass(frozen=True, slots=True)
class Page:
    """What a format for people may use: columns of text, and whether the reader's terminal shows colours."""

    width: int = PLAIN_WIDTH
    color: bool = False
