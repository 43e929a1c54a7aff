"""What somebody said, as they broke it into lines; labels are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.report.writers.html.markup import Markup, lines, tag
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from punie.trace.report.document import Quote


def draw_quotes(quotes: Iterable[Quote]) -> Markup:
    """One after the other."""
    return tag("dl", *(part for quote in quotes for part in _quote(quote)), class_="said")


def _quote(quote: Quote) -> Iterator[Markup]:
    left = f"… and {count_text(quote.left_out, 'more line')}" if quote.left_out else None
    yield tag("dt", quote.label)
    yield tag(
        "dd",
        tag("pre", lines(quote.text)) if quote.text else None,
        tag("p", left, class_="aside") if left else None,
    )
