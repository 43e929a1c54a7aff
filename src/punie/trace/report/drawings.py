"""The queries of a report, to be drawn and quoted by formats that can: each only on demand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.transcript.transcript import Transcript
    from punie.trace.analysis.waterfall.model import Waterfall


@dataclass(frozen=True, slots=True)
class Drawings:
    """What can be drawn of a report: `records` by their start, warm-up among them.

    `draw` yields the waterfalls of the records that it is given, in their order. It reads all spans once more, so it
    is called once, with all that are wanted. `quote` gives what was said in a drawn query: content, which a format
    shows only if the user wants it: `with_content`.
    """

    records: tuple[QueryRecord, ...]
    draw: Callable[[Collection[QueryRecord]], Iterator[Waterfall]]
    quote: Callable[[Waterfall], Transcript]
    with_content: bool = False
