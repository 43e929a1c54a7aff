"""Every question that the dashboard asks Prometheus, and nothing of its look. The tests ask them one by one.

A series of the Collector is often born with its first value: `increase` and `rate` of it are then 0, and of a run of a
few seconds they would lose most. So a figure here is what a counter says now less what it said before the window:

    |--1d--|-----window-----|      before: the last value in the day that ends where the window begins;
         before           now      0 if there was none, or if the counter began anew since then

A Collector that began anew within the window has forgotten what it had counted; `numbers.restarts` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from punie.trace import semconv

# What Grafana puts in: the variables at the top of the dashboard, and its own two windows.
AGENT: Final = "$agent"
SERVER: Final = "$server"
ACCOUNT: Final = "$account"
WHOLE_RANGE: Final = "$__range"
STEP: Final = "$__interval"

_MEMORY: Final = "1d"  # as long as the Collector keeps a series that no span touches

CALLS: Final = "traces_span_metrics_calls_total"
DURATION: Final = "traces_span_metrics_duration_milliseconds"


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `name` is the one that tests know it by; `legend` is Grafana's template for its series.

    Exemplars stand on the buckets of durations alone: the Collector keeps none for numbers read off spans.
    """

    name: str
    legend: str
    promql: str
    exemplars: bool = False

    @property
    def is_instant(self) -> bool:
        """It is about the whole range on the screen, not about each step of it."""
        return WHOLE_RANGE in self.promql


def label(name: str) -> str:
    """An attribute as the Collector shows it to Prometheus."""
    return name.replace(".", "_")


PHASE: Final = label(semconv.PHASE)
PROVENANCE: Final = label(semconv.PHASE_PROVENANCE)
SCORE: Final = label(semconv.QUERY_OK)
RUN: Final = label(semconv.RUN_ID)
TOOL: Final = label(semconv.TOOL_NAME)
STATUS: Final = label(semconv.HTTP_STATUS[0])
ERROR: Final = label(semconv.ERROR_TYPE)

OF_AGENT: Final = f'service_name="{AGENT}"'
OF_SERVER: Final = f'service_name="{SERVER}"'
OF_BOTH: Final = f'service_name=~"{AGENT}|{SERVER}"'
QUERIES: Final = f'{OF_AGENT},span_name="{semconv.SPAN_QUERY}"'
WITH_WARMUPS: Final = f'{OF_AGENT},span_name=~"{semconv.SPAN_QUERY}|{semconv.SPAN_WARMUP}"'
TOOLS: Final = f'{OF_AGENT},{label(semconv.OPERATION)}="{semconv.OPERATION_TOOL}"'
# `serve` is the span around the other phases of a request.
PHASES: Final = f'{OF_BOTH},{PHASE}!~"|serve",{PROVENANCE}=~"{ACCOUNT}|client"'
GENERATION: Final = f'{OF_BOTH},{PHASE}=~"decode|prefill|model"'
FAILED: Final = f'{OF_BOTH},status_code="STATUS_CODE_ERROR"'
REFUSED: Final = f'{OF_AGENT},span_kind="SPAN_KIND_CLIENT",{STATUS}=~"[45].."'


def grown(series: str, window: str) -> str:
    """By how much each counter of `series` grew in `window`; see the top of this file."""
    now = f"last_over_time({series}[{window}])"
    before = f"last_over_time({series}[{_MEMORY}] offset {window})"
    return f"({now} - ({before} <= min_over_time({series}[{window}]) or {now} * 0))"


def begun_anew(series: str, window: str) -> str:
    """How often, at least, each counter of `series` began anew in `window`, at its very edge too."""
    within = f"resets({series}[{window}])"
    before = f"last_over_time({series}[{_MEMORY}] offset {window})"
    return f"({within} > 0 or {before} > bool min_over_time({series}[{window}]) or {within})"


def total(metric: str, where: str, window: str, *, by: str = "") -> str:
    """The growth of all series of `metric` together, or one for each value of the label `by`."""
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}({grown(f'{metric}{{{where}}}', window)})"


def quantile(q: float, metric: str, where: str, window: str, *, by: str = "") -> str:
    """A quantile of the histogram `metric`, right to its bucket; nothing where the window has no value."""
    labels = f"le, {by}" if by else "le"
    buckets = total(f"{metric}_bucket", where, window, by=labels)
    return f"(histogram_quantile({q:g}, {buckets}) >= 0)"


def share(part: str, whole: str) -> str:
    """Nothing where the whole is 0: no figure is better than a wrong one."""
    return f"{part} / ({whole} > 0)"


def or_zero(count: str, known: str) -> str:
    """`count`, and 0 where there is none although `known` shows that there could have been."""
    return f"({count} or {known} * 0)"


def _seconds(name: str) -> str:
    return f"{label(name)}_seconds"


def _tokens(name: str) -> str:
    return f"{label(name)}_total"


def queries(window: str) -> list[Query]:
    """How many were asked, and how they were scored."""
    asked = total(CALLS, QUERIES, window)
    return [
        Query("queries.right", "right", or_zero(total(CALLS, f'{QUERIES},{SCORE}="true"', window), asked)),
        Query("queries.wrong", "wrong", or_zero(total(CALLS, f'{QUERIES},{SCORE}="false"', window), asked)),
        Query("queries.unscored", "no score", or_zero(total(CALLS, f'{QUERIES},{SCORE}=""', window), asked)),
    ]


def wall(window: str) -> list[Query]:
    """End to end, without warm-ups."""
    return [
        Query("wall.p50", "p50", quantile(0.5, DURATION, QUERIES, window), exemplars=True),
        Query("wall.p95", "p95", quantile(0.95, DURATION, QUERIES, window), exemplars=True),
    ]


def runs(window: str) -> list[Query]:
    """One row for each run."""
    asked = total(CALLS, QUERIES, window, by=RUN)
    right = total(CALLS, f'{QUERIES},{SCORE}="true"', window, by=RUN)
    lasted = total(f"{DURATION}_sum", QUERIES, window, by=RUN)
    return [
        Query("runs.asked", "queries", f"{asked} > 0"),
        Query("runs.right", "right", f"({right} or {asked} * 0) and {asked} > 0"),
        Query("runs.mean", "mean wall time", share(lasted, asked)),
        Query("runs.p95", "p95", quantile(0.95, DURATION, QUERIES, window, by=RUN)),
    ]


def phases(window: str) -> list[Query]:
    """What the time of all queries went to; the last is what is left of it."""
    lasted = total(f"{DURATION}_sum", WITH_WARMUPS, window)
    known = or_zero(total(f"{DURATION}_sum", PHASES, window), lasted)
    tools = or_zero(total(f"{DURATION}_sum", TOOLS, window), lasted)
    return [
        Query("phases.known", f"{{{{{PHASE}}}}}", total(f"{DURATION}_sum", PHASES, window, by=PHASE)),
        Query("phases.tool", "tool", tools),
        Query("phases.rest", "everything else", f"{lasted} - {known} - {tools}"),
    ]


def generation(window: str) -> list[Query]:
    """Generation of the wall time, one figure for each account of it."""
    made = total(f"{DURATION}_sum", GENERATION, window, by=PROVENANCE)
    lasted = total(f"{DURATION}_sum", WITH_WARMUPS, window)
    return [
        Query("generation.share", f"{{{{{PROVENANCE}}}}}", f"{made} / on () group_left () ({lasted} > 0)"),
    ]


def first_token(window: str) -> list[Query]:
    """As the server saw it, and as the caller did, who has two names for it."""
    found = []
    for name, q in (("p50", 0.5), ("p95", 0.95)):
        server = quantile(q, _seconds(semconv.LATENCY_FIRST_TOKEN), OF_SERVER, window)
        caller = (quantile(q, _seconds(it), OF_AGENT, window) for it in semconv.TIME_TO_FIRST_CHUNK[:2])
        found += [
            Query(f"first_token.server.{name}", f"server, {name}", server),
            Query(f"first_token.caller.{name}", f"caller, {name}", " or ".join(caller)),
        ]
    return found


def decode_speed(window: str) -> list[Query]:
    """Tokens a second of a request, its first token apart."""
    metric = _seconds(semconv.SERVER_TIME_PER_TOKEN)
    return [
        Query("decode.p50", "median", f"1 / {quantile(0.5, metric, OF_SERVER, window)}"),
        Query(
            "decode.slow",
            "slowest in 20",
            f"1 / {quantile(0.95, metric, OF_SERVER, window)}",
        ),
    ]


def prefill_speed(window: str) -> list[Query]:
    """Prompt tokens a second of a request, cached ones apart."""
    metric = label(semconv.SERVER_PREFILL_RATE)
    return [
        Query("prefill.p50", "median", quantile(0.5, metric, OF_SERVER, window)),
        Query("prefill.slow", "slowest in 20", quantile(0.05, metric, OF_SERVER, window)),
    ]


def cached(window: str) -> list[Query]:
    """Prompt tokens that were in the server's cache."""
    read = total(_tokens(semconv.CACHED_TOKENS[0]), OF_SERVER, window)
    prompt = total(_tokens(semconv.INPUT_TOKENS[0]), OF_SERVER, window)
    return [Query("cached.share", "cached", share(read, prompt))]


def drafts(window: str) -> list[Query]:
    """Accepted of drafted, and how many a step."""
    accepted = total(_tokens(semconv.SERVER_ACCEPTED_TOKENS), OF_SERVER, window)
    drafted = total(_tokens(semconv.SERVER_DRAFTED_TOKENS), OF_SERVER, window)
    return [Query("drafts.accepted", "accepted", share(accepted, drafted))]


def draft_steps(window: str) -> list[Query]:
    """Tokens of the draft that one step of the model kept."""
    accepted = total(_tokens(semconv.SERVER_ACCEPTED_TOKENS), OF_SERVER, window)
    steps = total(_tokens(semconv.SERVER_DRAFT_STEPS), OF_SERVER, window)
    return [Query("drafts.step", "accepted a step", share(accepted, steps))]


def tool_time(window: str) -> list[Query]:
    """All time in tools, by name."""
    return [Query("tools.time", f"{{{{{TOOL}}}}}", total(f"{DURATION}_sum", TOOLS, window, by=TOOL))]


def tool_calls(window: str) -> list[Query]:
    """How long a call of a tool takes, by name."""
    return [
        Query("tools.p50", f"{{{{{TOOL}}}}}, p50", quantile(0.5, DURATION, TOOLS, window, by=TOOL)),
        Query("tools.p95", f"{{{{{TOOL}}}}}, p95", quantile(0.95, DURATION, TOOLS, window, by=TOOL)),
    ]


def memory() -> list[Query]:
    """The last value that a span told, of each kind."""
    kinds = (
        (semconv.SERVER_PEAK_FOOTPRINT, OF_AGENT, "peak footprint"),
        (semconv.SERVER_FOOTPRINT, OF_SERVER, "footprint"),
        (semconv.SERVER_PEAK_MEMORY, OF_SERVER, "MLX, peak"),
        (semconv.SERVER_ACTIVE_MEMORY, OF_SERVER, "MLX, in use"),
        (semconv.MACHINE_RECOMMENDED_MEMORY, OF_AGENT, "recommended by the machine"),
    )
    return [
        Query(f"memory.{name}", legend, f"max({label(name)}{{{where}}})") for name, where, legend in kinds
    ]


def failures(window: str) -> list[Query]:
    """Spans that failed, and requests that were answered with 4xx or 5xx."""
    anything = total(CALLS, OF_BOTH, window)
    requests = total(CALLS, f'{OF_AGENT},{STATUS}!=""', window)
    return [
        Query("errors.spans", "failed spans", or_zero(total(CALLS, FAILED, window), anything)),
        Query("errors.http", "HTTP 4xx, 5xx", or_zero(total(CALLS, REFUSED, window), requests)),
    ]


def failures_by_name(window: str) -> list[Query]:
    """The same, by span and by status."""
    legend = f"{{{{span_name}}}} {{{{{ERROR}}}}}"
    return [
        Query("errors.by_span", legend, f"{total(CALLS, FAILED, window, by=f'span_name, {ERROR}')} > 0"),
        Query(
            "errors.by_status",
            f"HTTP {{{{{STATUS}}}}}",
            f"{total(CALLS, REFUSED, window, by=STATUS)} > 0",
        ),
    ]


def restarts(window: str) -> list[Query]:
    """How often a counter began anew: then the figures lack what was counted before."""
    return [Query("numbers.restarts", "restarts", f"max({begun_anew(f'{CALLS}{{{OF_BOTH}}}', window)})")]
