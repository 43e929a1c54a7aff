"""What a reader gathers from one source: spans, what could not be read, and what the source says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from punie.trace.model import SourceNote, Span, SpanSet, UnreadableRecord
from punie.trace.store.otlp.values import Unreadable


@dataclass(slots=True)
class SpanGatherer:
    """Gathers what one source gives; `file` names it in records and notes."""

    file: str
    spans: list[Span] = field(default_factory=list)
    unreadable: list[UnreadableRecord] = field(default_factory=list)
    noted: Counter[tuple[str, str]] = field(default_factory=Counter)
    resolution_ns: int = 1

    def take(self, line: int, where: str, make: Callable[[], Span]) -> None:
        """Keep the span that `make` gives; if it raises `Unreadable`, that is a record at `line`, `where` in it."""
        try:
            self.spans.append(make())
        except (Unreadable, RecursionError) as error:
            self.refuse(line, f"{where}: {reason(error)}" if where else reason(error))

    def refuse(self, line: int, why: str) -> None:
        """Count and name what can't be read."""
        self.unreadable.append(UnreadableRecord(self.file, line, why))

    def note(self, slug: str, case: str, count: int = 1) -> None:
        """Count something that the source says of itself."""
        if count:
            self.noted[slug, case] += count

    def result(self) -> SpanSet:
        """What the source gave."""
        notes = tuple(
            SourceNote(slug, f"{self.file}: {case}", count) for (slug, case), count in self.noted.items()
        )
        return SpanSet(tuple(self.spans), tuple(self.unreadable), self.resolution_ns, notes)


def reason(error: Exception) -> str:
    """Why something can't be read, in words."""
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def merge(sets: Iterable[SpanSet]) -> SpanSet:
    """Several files as one source; the coarsest clock stands for all."""
    found = tuple(sets)
    return SpanSet(
        spans=tuple(span for one in found for span in one.spans),
        unreadable=tuple(record for one in found for record in one.unreadable),
        resolution_ns=max((one.resolution_ns for one in found), default=1),
        notes=tuple(note for one in found for note in one.notes),
    )
