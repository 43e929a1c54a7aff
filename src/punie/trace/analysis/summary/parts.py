"""What a team asks for first: a line a day or a model, over many queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from punie.trace import semconv
from punie.trace.analysis.calls.usage import requested_models
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.spread import Spread
from punie.trace.analysis.summary.totals import GroupTotal, PhaseTotal, group_totals, phase_totals, totals
from punie.trace.model import Span, SpanKind

_NS_PER_S = 1_000_000_000


class GroupBy(StrEnum):
    """What queries are put together by."""

    DAY = "day"  # on which the query began, UTC
    MODEL = "model"  # as its servers name it, else as its requests do; several are joined


@dataclass(frozen=True, slots=True)
class Part:
    """The queries of one day, one model, or all. The nanoseconds of `phases` and of `groups` each sum to `wall_ns`.

    `name` is "" where nothing names a model. `answers` queries are in the figures, `wall` is None if that is none.
    `failed` queries (an error, scored as wrong, or disturbed), `warmup` ones, `cached_repeats` (`queries/repeats`; a
    database doesn't know them and has them in its figures) and `needs_tree` traces whose shape a database can't judge
    are in none.
    """

    name: str
    answers: int
    wall_ns: int
    wall: Spread | None
    phases: tuple[PhaseTotal, ...]
    groups: tuple[GroupTotal, ...]
    network_known: bool
    failed: int
    warmup: int
    needs_tree: int = 0
    cached_repeats: int = 0


def parts_of(records: Sequence[QueryRecord], name: Callable[[QueryRecord], str]) -> tuple[Part, ...]:
    """The parts of `records` (warm-up among them), in the order of their names."""
    by_name: dict[str, list[QueryRecord]] = {}
    for record in records:
        by_name.setdefault(name(record), []).append(record)
    return tuple(part_of(key, by_name[key]) for key in sorted(by_name))


def part_of(name: str, records: Sequence[QueryRecord]) -> Part:
    """`records` as one part."""
    counted = totals([record for record in records if record.counts])
    answers = counted.answers if counted else 0
    warmup = sum(record.warmup for record in records)
    nothing = phase_totals({}, {}, {}, wall_ns=0, network_known=False)
    return Part(
        name=name,
        answers=answers,
        wall_ns=counted.wall_ns if counted else 0,
        wall=counted.wall if counted else None,
        phases=counted.phases if counted else nothing,
        groups=counted.groups if counted else group_totals(nothing),
        network_known=counted is not None and counted.network_known,
        failed=sum(not record.succeeded and not record.warmup for record in records),
        warmup=warmup,
        cached_repeats=sum(record.succeeded and record.is_cached_repeat for record in records),
    )


def namer(by: GroupBy, spans: Sequence[Span]) -> Callable[[QueryRecord], str]:
    """What a query is put under; `spans` are those of all queries."""
    if by is GroupBy.DAY:
        return lambda record: day_of(record.ledger.start_ns)
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    models = {trace_id: ", ".join(_models(keys)) for trace_id, keys in traces.items()}
    return lambda record: models.get(record.trace_id, "")


def _models(spans: Sequence[Span]) -> Sequence[str]:
    """A request may name an alias, such as mlx_lm's `default_model`: what the server says goes first."""
    servers = (span for span in spans if span.kind is SpanKind.SERVER)
    served = {semconv.text(span.attributes, (semconv.RESPONSE_MODEL,)) for span in servers}
    return sorted(name for name in served if name) or requested_models(spans)


def day_of(time_ns: int) -> str:
    """The day of an instant, UTC: `2026-11-23`."""
    return datetime.fromtimestamp(time_ns // _NS_PER_S, UTC).strftime("%Y-%m-%d")
