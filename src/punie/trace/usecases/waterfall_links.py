"""Links to the waterfalls of a run, if Jaeger's page is there to show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from punie.trace import semconv
from punie.trace.model import Span
from punie.trace.store.jaeger.page import page_url, trace_url, usual_page, why_no_page
from punie.trace.units import count_text, duration_text
from punie.trace.urls import bare, split_url

FLAG: Final = "--jaeger"


@dataclass(frozen=True, slots=True)
class LinkedWaterfall:
    """The trace of a query's slowest repeat, and how many repeats there are."""

    query_id: str
    trace_id: str
    wall_ns: int
    repeats: int


@dataclass(frozen=True, slots=True)
class JaegerPage:
    """Where waterfalls are looked at; `named` if the user gave it."""

    url: str
    named: bool

    @classmethod
    def of(cls, url: str | None) -> JaegerPage:
        """From `--jaeger`; a browser asks for user and password. Raises UsageError for an address that is none."""
        return cls(bare(split_url(page_url(url, flag=FLAG))) if url else usual_page(), url is not None)


def waterfalls(spans: Iterable[Span]) -> tuple[LinkedWaterfall, ...]:
    """One for each query, in the order in which they were first asked. Warm-ups have none."""
    spans_of: dict[str, list[Span]] = {}
    for span in sorted(_queries(spans), key=lambda span: span.start_ns):
        spans_of.setdefault(str(span.attributes[semconv.QUERY_ID]), []).append(span)
    return tuple(_slowest(query_id, repeats) for query_id, repeats in spans_of.items())


def _queries(spans: Iterable[Span]) -> Iterator[Span]:
    return (span for span in spans if span.name == semconv.SPAN_QUERY and semconv.QUERY_ID in span.attributes)


def _slowest(query_id: str, repeats: list[Span]) -> LinkedWaterfall:
    slowest = max(repeats, key=lambda span: span.duration_ns)
    traces = {span.trace_id for span in repeats}
    return LinkedWaterfall(query_id, slowest.trace_id, slowest.duration_ns, len(traces))


def link_lines(spans: Iterable[Span], page: JaegerPage, *, sent: bool) -> tuple[str, ...]:
    """What to print: a link for each query, or why there is none. Nothing if nobody wants any.

    `sent` says whether a receiver took spans of this run: a page without them would only say "not found".
    """
    if not sent:
        return (
            (f"no waterfalls: nothing was sent ({FLAG} shows what a Collector passes on)",)
            if page.named
            else ()
        )
    problem = why_no_page(page.url)
    if problem:
        return (f"no waterfalls: {page.url}: {problem} ({FLAG} URL names another page)",)
    shown = waterfalls(spans)
    return tuple(line for item in shown for line in (_title(item), f"  {trace_url(page.url, item.trace_id)}"))


def _title(item: LinkedWaterfall) -> str:
    which = f", the slowest of {count_text(item.repeats, 'repeat')}" if item.repeats > 1 else ""
    return f"waterfall of {item.query_id}, {duration_text(item.wall_ns)}{which}:"
