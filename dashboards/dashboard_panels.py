"""What is on the dashboard: each panel's questions, what they say and can't say, its unit, its words for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import dashboard_queries as ask
from dashboard_panel import Panel, Row, Shape
from dashboard_queries import AGENT, SERVER, STEP, WHOLE_RANGE

from punie.trace import semconv
from punie.trace.analysis.verdicts.generation import THRESHOLD

MS: Final = "ms"
SECONDS: Final = "s"
COUNT: Final = "none"
SHARE: Final = "percentunit"
BYTES: Final = "decbytes"
TOKENS_A_SECOND: Final = "suffix:tokens/s"

ASKED: Final = f"service={AGENT}&operation={semconv.SPAN_QUERY}"
SERVED: Final = f"service={SERVER}&operation={semconv.SPAN_SERVER_REQUEST.replace(' ', '%20')}"
FAILED: Final = f"service={AGENT}&tags=%7B%22error%22%3A%22true%22%7D"

BUCKET: Final = (
    "a value more exact than its bucket: the bounds of the buckets are in collector/collector.yaml"
)
REPORT: Final = "`punie-trace report` has the ledger, the intervals and the verdicts"
NO_QUERY: Final = "no query"
NO_SERVER: Final = "no traced request"


def _at_a_glance() -> list[Panel]:
    return [
        Panel(
            "Queries",
            "Queries that ended in the range on the screen, by score. Warm-ups are not among them.",
            "how many were planned, or what is behind them: five of five right is little evidence. "
            "Spans that were sent twice count twice.",
            Shape.FIGURES,
            COUNT,
            NO_QUERY,
            ask.queries(WHOLE_RANGE),
            5,
            ASKED,
        ),
        Panel(
            "End to end",
            "Wall time of a query, question to answer, over the range. Warm-ups are not in it.",
            f"{BUCKET}. Past 5 minutes it stays at 5 minutes.",
            Shape.FIGURES,
            MS,
            NO_QUERY,
            ask.wall(WHOLE_RANGE),
            5,
            ASKED,
        ),
        Panel(
            "Generation",
            f"Prefill and decode as a share of the wall time, over the range, one figure for each account of it: the "
            f"server's own spans, the response body or the stream. From {THRESHOLD:.0%} up it changes its colour.",
            f"whether it is above {THRESHOLD:.0%}: that takes an interval, and {REPORT}. Warm-ups are in it; what "
            "ran in parallel counts twice. Two accounts are of the same work unless the servers differ.",
            Shape.FIGURES,
            SHARE,
            "not known",
            ask.generation(WHOLE_RANGE),
            4,
            ASKED,
            line=THRESHOLD,
        ),
        Panel(
            "Prompt from the cache",
            "Prompt tokens that the server had in its cache, of all prompt tokens, over the range.",
            "what the cache could have had, or whose prompt pushed whose out. Warm-ups are in it.",
            Shape.FIGURES,
            SHARE,
            NO_SERVER,
            ask.cached(WHOLE_RANGE),
            3,
            SERVED,
        ),
        Panel(
            "Draft accepted",
            "Of the tokens that the draft model proposed, those that the model accepted, over the range.",
            "whether drafting pays: that is `punie-trace bench speculative`'s question.",
            Shape.FIGURES,
            SHARE,
            "no draft model",
            ask.drafts(WHOLE_RANGE),
            3,
            SERVED,
        ),
        Panel(
            "Failures",
            "Spans with an error, and requests of the agent that were answered with 4xx or 5xx, over the range.",
            "what never got as far as a span: a crash leaves open spans, and those are nowhere. A failed request "
            "that was tried again counts, though the query went well.",
            Shape.FIGURES,
            COUNT,
            "no span",
            ask.failures(WHOLE_RANGE),
            4,
            FAILED,
        ),
    ]


def _runs() -> list[Panel]:
    return [
        Panel(
            "Runs",
            "A row for each run whose queries ended in the range.",
            "anything of a run that began before the range, as far as it was before; phases by run, since the spans "
            f"below a query don't carry the run's name: {REPORT}.",
            Shape.ROWS,
            COUNT,
            NO_QUERY,
            ask.runs(WHOLE_RANGE),
            24,
            columns=((COUNT, "queries"), (COUNT, "right"), (MS, "mean wall time"), (MS, "p95 wall time")),
        )
    ]


def _over_time() -> list[Panel]:
    return [
        Panel(
            "End to end, step by step",
            "Wall time of the queries that ended in each step. A dot is a trace: click it.",
            f"{BUCKET}. A step with one query has one value for both lines.",
            Shape.POINTS,
            MS,
            NO_QUERY,
            ask.wall(STEP),
            12,
            ASKED,
        ),
        Panel(
            "Generation's share of the time",
            f"Prefill and decode of each step's queries, against the line at {THRESHOLD:.0%}.",
            f"the verdict ({REPORT}). A query that goes over the edge of a step has its phases in one and its wall "
            "time in the next, so single steps may pass 100 %. Warm-ups are in it.",
            Shape.POINTS,
            SHARE,
            "not known",
            ask.generation(STEP),
            12,
            ASKED,
            line=THRESHOLD,
        ),
        Panel(
            "Phases, stacked",
            "What the time of each step's queries went to, warm-ups too. Everything else is HTTP, the framework and "
            "the rest of the server: the wall time less what is stacked below it.",
            "the same as the ledger, which never counts an instant twice. Things in parallel count twice here, and "
            "everything else can fall below 0; so it can where a query goes over the edge of a step.",
            Shape.STACKED,
            MS,
            NO_QUERY,
            ask.phases(STEP),
            24,
            ASKED,
        ),
    ]


def _model() -> list[Panel]:
    return [
        Panel(
            "Time to the first token",
            "Of each step's requests: as the server saw it from taking one in, and as the caller did from sending it.",
            f"{BUCKET}, so the difference of the two lines is not the network's time.",
            Shape.POINTS,
            SECONDS,
            "no streamed request",
            ask.first_token(STEP),
            8,
            SERVED,
        ),
        Panel(
            "Decode speed",
            "Tokens a second of a request, its first one apart: the median of each step, and what one in 20 is below.",
            f"the server's throughput: requests side by side each count for themselves. {BUCKET.capitalize()}.",
            Shape.POINTS,
            TOKENS_A_SECOND,
            NO_SERVER,
            ask.decode_speed(STEP),
            8,
            SERVED,
        ),
        Panel(
            "Prefill speed",
            "Prompt tokens a second of a request, cached ones apart: the median of each step, and what one in 20 is "
            "below.",
            "how fast a long prompt would be: a request with few new tokens is mostly overhead. "
            f"{BUCKET.capitalize()}.",
            Shape.POINTS,
            TOKENS_A_SECOND,
            NO_SERVER,
            ask.prefill_speed(STEP),
            8,
            SERVED,
        ),
        Panel(
            "Prompt from the cache, step by step",
            "Cached of all prompt tokens of each step's requests.",
            "why a prompt was not in the cache; the report's cache bill names the reason.",
            Shape.POINTS,
            SHARE,
            NO_SERVER,
            ask.cached(STEP),
            8,
            SERVED,
        ),
        Panel(
            "Draft accepted, step by step",
            "Accepted of drafted tokens of each step's requests.",
            "whether drafting pays, and which place in the draft is refused.",
            Shape.POINTS,
            SHARE,
            "no draft model",
            ask.drafts(STEP),
            8,
            SERVED,
        ),
        Panel(
            "Draft tokens that a step keeps",
            "Accepted tokens for each step of the model, its own token apart.",
            "a speed-up: a step with a draft takes longer than one without.",
            Shape.POINTS,
            COUNT,
            "no draft model",
            ask.draft_steps(STEP),
            8,
            SERVED,
        ),
    ]


def _tools_and_memory() -> list[Panel]:
    return [
        Panel(
            "Time in tools",
            "All time in each step's tool calls, by name.",
            "what the query waited for: tools side by side count each for themselves.",
            Shape.STACKED,
            MS,
            "no tool call",
            ask.tool_time(STEP),
            8,
            f"service={AGENT}&operation={semconv.OPERATION_TOOL}%20${{__field.labels.{ask.TOOL}}}",
        ),
        Panel(
            "A tool call",
            "How long one call takes, by name, over the range.",
            f"{BUCKET}.",
            Shape.FIGURES,
            MS,
            "no tool call",
            ask.tool_calls(WHOLE_RANGE),
            6,
            f"service={AGENT}&operation={semconv.OPERATION_TOOL}%20${{__field.labels.{ask.TOOL}}}",
        ),
        Panel(
            "Memory",
            "The last value that a span told: the footprint of the server's process, MLX's own count, the machine's "
            "recommended limit. The peak of the footprint is sampled and on queries only.",
            "what it is now: a line goes on with its last value when nothing runs, until the Collector restarts. "
            "With several models, the largest is shown.",
            Shape.LINES,
            BYTES,
            "no span told of memory",
            ask.memory(),
            10,
        ),
    ]


def _failures() -> list[Panel]:
    return [
        Panel(
            "Failures, by name",
            "Failed spans of each step by name and type of error, and the agent's requests by status.",
            "which failure led to which: one failed request makes the spans around it fail too.",
            Shape.STACKED,
            COUNT,
            "nothing failed",
            ask.failures_by_name(STEP),
            18,
            FAILED,
        ),
        Panel(
            "Restarts of the counting",
            "How often, at least, a counter began anew in the range, as it does when the Collector restarts. "
            "Above 0 the figures of this range lack what was counted before that.",
            "how much is missing: Jaeger and the journals have all spans, and reports are made of those.",
            Shape.FIGURES,
            COUNT,
            "nothing was counted",
            ask.restarts(WHOLE_RANGE),
            6,
        ),
    ]


ROWS: Final[Sequence[Row]] = (
    Row("At a glance", _at_a_glance(), height=5),
    Row("Run by run", _runs(), height=7),
    Row("Where the time goes", _over_time()),
    Row("The model", _model()),
    Row("Tools and memory", _tools_and_memory()),
    Row("Failures", _failures()),
)
