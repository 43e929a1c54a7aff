"""From a cell's spans to what the benchmark compares: one observation a query asked, warm-up left out."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import partial

from punie.trace import semconv
from punie.trace.analysis.experiment.drafting import Drafting, add_up
from punie.trace.analysis.experiment.observation import Observation, TurnOutput
from punie.trace.analysis.pipeline import QueryRecords
from punie.trace.analysis.queries.roots import query_key
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import AttributeValue, Span, SpanKind


def observe(spans: Iterable[Span], read: QueryRecords) -> tuple[Observation, ...]:
    """The observations among the records: those whose query span names its arm, by their start.

    `spans` are those that `read` was made from. Spans of other runs have no arm and are left out.
    """
    roots: dict[str, Span] = {}
    servers: dict[str, dict[str, Span]] = {}
    drafters: dict[str, dict[str, Span]] = {}
    for span in spans:
        if semconv.text(span.attributes, semconv.BENCH_ARM) is not None:
            roots.setdefault(query_key((span.trace_id, span.span_id)), span)
        elif span.kind is SpanKind.SERVER:
            servers.setdefault(span.trace_id, {}).setdefault(span.span_id, span)
        if semconv.integer(span.attributes, semconv.SERVER_DRAFTED_TOKENS) is not None:
            drafters.setdefault(span.trace_id, {}).setdefault(span.span_id, span)
    observations = [
        _observation(
            record,
            roots[record.ledger.query_key],
            _in_order(servers.get(record.trace_id, {}).values()),
            drafters.get(record.trace_id, {}).values(),
        )
        for record in read.records
        if not record.warmup and record.ledger.query_key in roots
    ]
    return tuple(sorted(observations, key=lambda seen: (seen.record.ledger.start_ns, seen.record.trace_id)))


def _observation(
    record: QueryRecord, root: Span, servers: Sequence[Span], drafters: Iterable[Span]
) -> Observation:
    attributes = root.attributes
    peaks = _known(semconv.integer(span.attributes, semconv.SERVER_PEAK_MEMORY) for span in servers)
    return Observation(
        arm=semconv.text(attributes, semconv.BENCH_ARM) or "",
        block=semconv.integer(attributes, semconv.BENCH_BLOCK) or 0,
        server_start=str(semconv.first(attributes, semconv.BENCH_SERVER_START) or ""),
        record=record,
        outputs=tuple(map(_output, servers)),
        drafting=add_up(list(map(_drafting, drafters))),
        peak_bytes=max(peaks, default=None),
        footprint_bytes=semconv.integer(attributes, semconv.SERVER_PEAK_FOOTPRINT),
        recommended_bytes=semconv.integer(attributes, semconv.MACHINE_RECOMMENDED_MEMORY),
    )


def _in_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans, key=lambda span: (span.start_ns, span.span_id)))


def _output(server: Span) -> TurnOutput:
    ids = server.attributes.get(semconv.SERVER_OUTPUT_TOKEN_IDS)
    return TurnOutput(
        digest=semconv.text(server.attributes, semconv.SERVER_OUTPUT_DIGEST),
        tokens=_whole_numbers(ids) if _is_list(ids) else None,
    )


def _drafting(server: Span) -> Drafting:
    """What one turn drafted: by the server's span, or by the body of its answer."""
    count = partial(semconv.integer, server.attributes)
    steps = count(semconv.SERVER_DRAFT_STEPS) or 0
    accepted = _whole_numbers(server.attributes.get(semconv.SERVER_ACCEPTED_BY_POSITION))
    in_calls = _whole_numbers(server.attributes.get(semconv.SERVER_TOOL_CALL_ACCEPTED_BY_POSITION))
    call_steps = count(semconv.SERVER_TOOL_CALL_STEPS)
    apart = call_steps is not None and len(in_calls) == len(accepted)
    return Drafting(
        steps=steps,
        drafted=count(semconv.SERVER_DRAFTED_TOKENS) or 0,
        accepted=count(semconv.SERVER_ACCEPTED_TOKENS) or 0,
        accepted_by_position=accepted,
        tool_call_drafted=count(semconv.SERVER_TOOL_CALL_DRAFTED),
        tool_call_accepted=count(semconv.SERVER_TOOL_CALL_ACCEPTED),
        prose_steps=steps - (call_steps or 0) if apart else None,
        prose_accepted_by_position=tuple(map(operator.sub, accepted, in_calls)) if apart else None,
    )


def _known(counts: Iterable[int | None]) -> list[int]:
    return [count for count in counts if count is not None]


def _is_list(value: AttributeValue) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _whole_numbers(value: AttributeValue) -> tuple[int, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(int(item) for item in value if isinstance(item, int | float))
