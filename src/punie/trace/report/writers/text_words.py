"""Words for a terminal: harmless, and with no line break inside a quantity."""

from __future__ import annotations

import re
from typing import Final

from punie.trace.report.inert import inert, readable

# Between a number and its unit, and after a sign that belongs to it, no line is broken.
QUANTITY: Final = re.compile(
    r"(?<=\d) (?=(?:ns|µs|ms|s|min|h|B|kB|MB|GB|TB|%)(?!\w))|(?<=[≥±<>→]) (?=[\d+-])"
)
_GLUE: Final = "\ue000"  # such a space while lines are broken; `inert` lets nobody else's through


def words(text: str) -> str:
    """`text` to be broken into lines."""
    return QUANTITY.sub(_GLUE, readable(text))


def whole(text: str) -> str:
    """`text` that is broken nowhere."""
    return inert(text).replace(" ", _GLUE)


def unglued(text: str) -> str:
    """The lines as they are shown."""
    return text.replace(_GLUE, " ")
