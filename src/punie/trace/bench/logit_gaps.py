"""How close the target's logits are where an output parts from the baseline's: looked at afterwards, with the model.

The prompt is the one that the server had, token for token: its ids are on the server's span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from punie.trace import semconv
from punie.trace.analysis.experiment.observation import Divergence
from punie.trace.analysis.speculative.model import SEQUENTIAL, BenchPlan
from punie.trace.bench.child import ChildJob
from punie.trace.bench.logits import DivergencePoint, LogitGap, LogitsJob
from punie.trace.flags import PREFLIGHT_TIMEOUT
from punie.trace.model import Span, SpanKind

MODULE: Final = "punie.trace.bench.logits"
QueryKey = tuple[str, int, int, str]
"""Arm, block, repeat, query."""


@dataclass(frozen=True, slots=True)
class TurnTokens:
    """Token ids of one turn, as its server's span has them."""

    prompt: tuple[int, ...]
    output: tuple[int, ...]


async def look_at_gaps(
    plan: BenchPlan,
    spans: Iterable[Span],
    divergences: Sequence[Divergence],
    files: Path,
    timeout_s: float,
    on_step: Callable[[str], None],
) -> tuple[Divergence, ...]:
    """The divergences with their logit gaps; None stays where the prompts differ or an output has ended.

    `files` begins the paths of the measuring process's files. Raises ServerError if that fails.
    """
    turns = turns_of(spans)
    places = [place_of(item, turns) for item in divergences]
    different = tuple(dict.fromkeys(place for place in places if place is not None))
    if not different:
        return tuple(divergences)
    job = LogitsJob(plan.model, plan.settings.adapter, different)
    measured = await ChildJob(MODULE, files, timeout_s, PREFLIGHT_TIMEOUT).run(
        job, tuple[LogitGap, ...], on_step
    )
    gaps = dict(zip(different, measured, strict=True))
    return tuple(
        item if place is None else replace(item, logit_gap=gaps[place].gap)
        for item, place in zip(divergences, places, strict=True)
    )


def turns_of(spans: Iterable[Span]) -> Mapping[QueryKey, tuple[TurnTokens, ...]]:
    """The turns of every execution that names its arm, in order."""
    query_keys: dict[str, QueryKey] = {}
    servers: dict[str, list[Span]] = {}
    for span in spans:
        arm = semconv.text(span.attributes, semconv.BENCH_ARM)
        if arm is not None and not span.attributes.get(semconv.QUERY_WARMUP):
            query_keys[span.trace_id] = (
                arm,
                semconv.integer(span.attributes, semconv.BENCH_BLOCK) or 0,
                semconv.integer(span.attributes, semconv.QUERY_REPEAT) or 0,
                semconv.text(span.attributes, semconv.QUERY_ID) or "",
            )
        elif span.kind is SpanKind.SERVER:
            servers.setdefault(span.trace_id, []).append(span)
    return {
        query_key: tuple(
            _turn(span) for span in sorted(servers.get(trace, ()), key=lambda s: (s.start_ns, s.span_id))
        )
        for trace, query_key in query_keys.items()
    }


def place_of(item: Divergence, turns: Mapping[QueryKey, tuple[TurnTokens, ...]]) -> DivergencePoint | None:
    """Where `item` parts from the sequential baseline; None if it can't be compared at one place.

    That is: no token ids, an output that has ended, or a prompt that isn't the baseline's.
    """
    if item.token is None or item.expected is None or item.actual is None:
        return None
    mine = turns.get((item.arm, item.block, item.repeat, item.query_id), ())
    if item.turn >= len(mine):
        return None
    here = mine[item.turn]
    start = here.output[: item.token]
    for (arm, _, _, query_id), others in turns.items():
        if arm == SEQUENTIAL and query_id == item.query_id and item.turn < len(others):
            other = others[item.turn]
            if other.prompt == here.prompt and other.output[: item.token + 1] == (*start, item.expected):
                return DivergencePoint((*here.prompt, *start), item.expected, item.actual)
    return None


def _turn(span: Span) -> TurnTokens:
    prompt = semconv.text(span.attributes, semconv.SERVER_PROMPT_TOKEN_IDS) or ""
    output: Any = span.attributes.get(semconv.SERVER_OUTPUT_TOKEN_IDS) or ()
    return TurnTokens(tuple(map(int, filter(None, prompt.split(",")))), tuple(int(token) for token in output))
