"""What each question of the dashboard must be answered with, counted from spans without any metric in between."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml
from stack_programs import ROOT

from punie.trace import semconv
from punie.trace.model import Span, SpanKind, StatusCode

Labels = frozenset[tuple[str, str]]
NO_LABELS: Final[Labels] = frozenset()


@dataclass(frozen=True, slots=True)
class Between:
    """A figure that is known as well as its bucket: above `low`, up to `high`."""

    low: float
    high: float

    def inverted(self) -> Between:
        """Of 1 / figure."""
        return Between(1 / self.high, 1 / self.low if self.low else math.inf)


Figures = Mapping[Labels, float | Between]


@dataclass(frozen=True, slots=True)
class Asked:
    """The spans of the window that is asked about, and what stands at the dashboard's top.

    `until_now` are those before it too: what a gauge told last doesn't end where the window begins.
    """

    spans: Sequence[Span]
    until_now: Sequence[Span]
    agent: str
    server: str
    account: str = "server"

    def of(self, service: str) -> list[Span]:
        """The spans of a service."""
        return [span for span in self.spans if span.resource[semconv.SERVICE_NAME] == service]

    @property
    def of_agent(self) -> list[Span]:
        return self.of(self.agent)

    @property
    def of_server(self) -> list[Span]:
        return self.of(self.server)

    @property
    def queries(self) -> list[Span]:
        return [span for span in self.of_agent if span.name == semconv.SPAN_QUERY]

    @property
    def wall_ms(self) -> float:
        """Of queries and warm-ups."""
        names = (semconv.SPAN_QUERY, semconv.SPAN_WARMUP)
        return _ms(span for span in self.of_agent if span.name in names)

    @property
    def tools(self) -> list[Span]:
        return [
            span for span in self.of_agent if span.attributes.get(semconv.OPERATION) == semconv.OPERATION_TOOL
        ]

    @property
    def phases(self) -> list[Span]:
        counted = (self.account, "client")
        return [
            span
            for span in self.spans
            if span.attributes.get(semconv.PHASE) not in (None, "serve")
            and span.attributes[semconv.PHASE_PROVENANCE] in counted
        ]


def _ms(spans: Iterable[Span]) -> float:
    return sum(span.duration_ns for span in spans) / 1e6


def _bounds() -> Mapping[str, list[float]]:
    """The bounds of each histogram, in its own unit, as collector.yaml has them."""
    connectors = yaml.safe_load((ROOT / "collector" / "collector.yaml").read_text())["connectors"]
    durations = connectors["span_metrics"]["histogram"]["explicit"]["buckets"]
    units = {"ms": 1.0, "s": 1e3, "m": 60e3}
    found = {"durations": [_quantity(text, units) for text in durations]}
    for metric in connectors["signal_to_metrics"]["spans"]:
        if "histogram" in metric:
            found[metric["name"]] = [float(bound) for bound in metric["histogram"]["buckets"]]
    return found


def _quantity(text: str, units: Mapping[str, float]) -> float:
    number = text.rstrip("ms")
    return float(number) * units[text.removeprefix(number)]


BOUNDS: Final = _bounds()


def _quantile(q: float, values: Iterable[float], bounds: Sequence[float]) -> dict[Labels, Between]:
    """The bucket of the value that stands at `q` of the sorted values; nothing without values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    value = ordered[max(math.ceil(q * len(ordered)), 1) - 1]
    above = bisect_left(bounds, value)
    if above == len(bounds):
        return {NO_LABELS: Between(bounds[-1], bounds[-1])}  # Prometheus says the last bound then
    return {NO_LABELS: Between(([0.0, *bounds])[above], bounds[above])}


def _durations(q: float, spans: Iterable[Span]) -> dict[Labels, Between]:
    return _quantile(q, [span.duration_ns / 1e6 for span in spans], BOUNDS["durations"])


def _numbers(q: float, name: str, spans: Iterable[Span]) -> dict[Labels, Between]:
    values = [_number(span, name) for span in spans if name in span.attributes]
    return _quantile(q, values, BOUNDS[name])


def _number(span: Span, name: str) -> float:
    value = span.attributes[name]
    assert isinstance(value, int | float)
    return value


def _by(
    label: str, spans: Iterable[Span], figure: Callable[[list[Span]], Figures | float]
) -> dict[Labels, float | Between]:
    """`figure` of the spans of each value that the attribute behind `label` has."""
    groups: dict[str, list[Span]] = {}
    for span in spans:
        value = span.name if label == "span_name" else span.attributes.get(label)
        groups.setdefault("" if value is None else str(value), []).append(span)
    found: dict[Labels, float | Between] = {}
    for value, group in groups.items():
        key = frozenset({(label.replace(".", "_"), value)}) if value else NO_LABELS
        made = figure(group)
        if isinstance(made, Mapping):
            found |= {key | labels: one for labels, one in made.items()}
        else:
            found[key] = made
    return found


def _sum(name: str, spans: Iterable[Span]) -> float | None:
    """None if no request told of it."""
    told = [_number(s, name) for s in spans if name in s.attributes and s.kind is SpanKind.SERVER]
    return sum(told) if told else None


def _share(part: float | None, whole: float | None) -> Figures:
    return {NO_LABELS: part / whole} if part is not None and whole else {}


def _scored(asked: Asked, score: bool | None) -> Figures:
    if not asked.queries:
        return {}
    return {NO_LABELS: sum(span.attributes.get(semconv.QUERY_OK) is score for span in asked.queries)}


def _rest(asked: Asked) -> float:
    return asked.wall_ms - _ms(asked.phases) - _ms(asked.tools)


def _generation(asked: Asked) -> Figures:
    made = [s for s in asked.spans if s.attributes.get(semconv.PHASE) in ("decode", "prefill", "model")]
    return _by(semconv.PHASE_PROVENANCE, made, lambda spans: _ms(spans) / asked.wall_ms)


def _caller(q: float, asked: Asked) -> Figures:
    convention, other = semconv.TIME_TO_FIRST_CHUNK[:2]  # as the dashboards ask
    return _numbers(q, convention, asked.of_agent) or _numbers(q, other, asked.of_agent)


def _decode(q: float, asked: Asked) -> Figures:
    found = _numbers(q, semconv.SERVER_TIME_PER_TOKEN, asked.of_server)
    return {labels: between.inverted() for labels, between in found.items()}


def _last(name: str, asked: Asked, service: str) -> Figures:
    told = [
        span
        for span in asked.until_now
        if name in span.attributes and span.resource[semconv.SERVICE_NAME] == service
    ]
    return {NO_LABELS: _number(max(told, key=lambda span: span.end_ns), name)} if told else {}


def _failed(asked: Asked) -> list[Span]:
    return [span for span in asked.spans if span.status is StatusCode.ERROR]


def _refused(asked: Asked) -> list[Span]:
    status = semconv.HTTP_STATUS[0]
    return [
        span
        for span in asked.of_agent
        if span.kind is SpanKind.CLIENT and int(str(span.attributes.get(status, 0))) >= 400
    ]


def _count(spans: list[Span]) -> float:
    return len(spans)


FIGURES: Final[Mapping[str, Callable[[Asked], Figures]]] = {
    "queries.right": lambda a: _scored(a, True),
    "queries.wrong": lambda a: _scored(a, False),
    "queries.unscored": lambda a: _scored(a, None),
    "wall.p50": lambda a: _durations(0.5, a.queries),
    "wall.p95": lambda a: _durations(0.95, a.queries),
    "runs.asked": lambda a: _by(semconv.RUN_ID, a.queries, _count),
    "runs.right": lambda a: _by(
        semconv.RUN_ID,
        a.queries,
        lambda spans: sum(s.attributes.get(semconv.QUERY_OK) is True for s in spans),
    ),
    "runs.mean": lambda a: _by(semconv.RUN_ID, a.queries, lambda spans: _ms(spans) / len(spans)),
    "runs.p95": lambda a: _by(semconv.RUN_ID, a.queries, lambda spans: _durations(0.95, spans)),
    "phases.known": lambda a: _by(semconv.PHASE, a.phases, _ms),
    "phases.tool": lambda a: {NO_LABELS: _ms(a.tools)},
    "phases.rest": lambda a: {NO_LABELS: _rest(a)},
    "generation.share": _generation,
    "first_token.server.p50": lambda a: _numbers(0.5, semconv.LATENCY_FIRST_TOKEN, a.of_server),
    "first_token.server.p95": lambda a: _numbers(0.95, semconv.LATENCY_FIRST_TOKEN, a.of_server),
    "first_token.caller.p50": lambda a: _caller(0.5, a),
    "first_token.caller.p95": lambda a: _caller(0.95, a),
    "decode.p50": lambda a: _decode(0.5, a),
    "decode.slow": lambda a: _decode(0.95, a),
    "prefill.p50": lambda a: _numbers(0.5, semconv.SERVER_PREFILL_RATE, a.of_server),
    "prefill.slow": lambda a: _numbers(0.05, semconv.SERVER_PREFILL_RATE, a.of_server),
    "cached.share": lambda a: _share(
        _sum(semconv.CACHED_TOKENS[0], a.of_server), _sum(semconv.INPUT_TOKENS[0], a.of_server)
    ),
    "drafts.accepted": lambda a: _share(
        _sum(semconv.SERVER_ACCEPTED_TOKENS, a.of_server), _sum(semconv.SERVER_DRAFTED_TOKENS, a.of_server)
    ),
    "drafts.step": lambda a: _share(
        _sum(semconv.SERVER_ACCEPTED_TOKENS, a.of_server), _sum(semconv.SERVER_DRAFT_STEPS, a.of_server)
    ),
    "tools.time": lambda a: _by(semconv.TOOL_NAME, a.tools, _ms),
    "tools.p50": lambda a: _by(semconv.TOOL_NAME, a.tools, lambda spans: _durations(0.5, spans)),
    "tools.p95": lambda a: _by(semconv.TOOL_NAME, a.tools, lambda spans: _durations(0.95, spans)),
    **{
        f"memory.{name}": lambda a, name=name: _last(name, a, a.server)  # type: ignore[misc]
        for name in (semconv.SERVER_FOOTPRINT, semconv.SERVER_PEAK_MEMORY, semconv.SERVER_ACTIVE_MEMORY)
    },
    **{
        f"memory.{name}": lambda a, name=name: _last(name, a, a.agent)  # type: ignore[misc]
        for name in (semconv.SERVER_PEAK_FOOTPRINT, semconv.MACHINE_RECOMMENDED_MEMORY)
    },
    "errors.spans": lambda a: {NO_LABELS: len(_failed(a))},
    "errors.http": lambda a: {NO_LABELS: len(_refused(a))},
    "errors.by_span": lambda a: _by(
        "span_name", _failed(a), lambda spans: _by(semconv.ERROR_TYPE, spans, _count)
    ),
    "errors.by_status": lambda a: _by(semconv.HTTP_STATUS[0], _refused(a), _count),
    "numbers.restarts": lambda a: {NO_LABELS: 0},
}
