"""Everything that can be wrong with traces: one table, from which messages, effects and `docs/findings.md` follow.

To add a finding, add its row here and return `finding(slug, cases)` from a check of this package, or let a source
say it by `SourceNote(slug, case)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Effect(StrEnum):
    """What a finding does to the verdicts, the gravest first."""

    NO_VERDICT = "no-verdict"
    DOWNGRADED = "downgraded"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One thing that can be wrong: its name, what it does to the verdicts, what it means, and what to do about it.

    `meaning` is the message of reports, so it says as well what was done. `formerly` is the name of older reports.
    """

    slug: str
    effect: Effect
    meaning: str
    remedy: str
    formerly: str = ""


_NO_VERDICT, _DOWNGRADED, _SHOWN = Effect

FINDING_KINDS: Final = (
    # --- queries and the shape of their traces
    FindingKind(
        "missing-query",
        _NO_VERDICT,
        "planned queries without a query span: never asked, or their process was killed",
        "See why the run ended (its last lines, `server.log`), and run it again.",
    ),
    FindingKind(
        "disturbed-query",
        _SHOWN,
        "queries asked while the server or a tool may still have been at work on an earlier one: in no average",
        "Raise --query-timeout or cap answers by --max-tokens; give a tool that hangs a time limit of its own.",
    ),
    FindingKind(
        "mixed-runs",
        _NO_VERDICT,
        "runs that were made differently, read together",
        "Read each by itself, or hold them against each other with `compare`.",
    ),
    FindingKind(
        "several-runs",
        _SHOWN,
        "runs that were made alike, read together: each brings its own server starts",
        "Nothing, if they are meant to count together.",
    ),
    FindingKind(
        "broken-root",
        _NO_VERDICT,
        "queries whose root span is missing, has no end or ends before it starts: they have no wall time",
        "Let the traced program end its spans before it exits, and export again.",
    ),
    FindingKind(
        "cycle",
        _NO_VERDICT,
        "spans that are their own ancestors: their links to parents are cut",
        "Mend the exporter that writes these parent ids.",
    ),
    FindingKind(
        "missing-parent",
        _DOWNGRADED,
        "spans whose parent is not in the source: they count in the query of their trace",
        "Export every process of the trace, unsampled, and wait for all of them before reading.",
    ),
    FindingKind(
        "ambiguous-query",
        _DOWNGRADED,
        "spans with a missing parent that could belong to several queries: they count in none",
        "Export every process of the trace, unsampled.",
        formerly="unplaced-span",
    ),
    FindingKind(
        "several-roots",
        _SHOWN,
        "traces with more than one root span",
        "Nothing, if each root is work of its own; else propagate the trace context between its parts.",
    ),
    FindingKind(
        "outside-query",
        _SHOWN,
        "spans above or beside the queries of their trace: they count in none",
        "Nothing, unless they belong to a query: then start them inside its span.",
    ),
    FindingKind(
        "other-trace",
        _SHOWN,
        "traces of this run that hold none of its queries",
        "Nothing; to leave them out, read the run's own spans alone.",
    ),
    FindingKind(
        "trace-without-model-call",
        _SHOWN,
        "root spans below which no model is asked, beside queries that ask one: no queries, in no figure",
        "Nothing, if they are health checks, pages or set-up; else trace the client that asks the model.",
    ),
    FindingKind(
        "part-of-other-trace",
        _SHOWN,
        "traces of a tool, or of a model server whose calls a client reports as well: parts of queries in other traces "
        "whose context was lost, in no figure",
        "Propagate the trace context (`traceparent`) to the tool or the server.",
    ),
    FindingKind(
        "follows-from",
        _SHOWN,
        "spans that only follow another one: they count, and the critical path leaves them out",
        "Nothing, unless the query did wait for them: then make them its children.",
    ),
    FindingKind(
        "shared-id",
        _SHOWN,
        "client spans that share their id with the server's, as Zipkin writes them: the server's was put below",
        "Nothing.",
    ),
    FindingKind(
        "duplicate-span",
        _SHOWN,
        "identical copies of spans, dropped",
        "Nothing: delivery is at least once.",
    ),
    FindingKind(
        "conflicting-duplicate",
        _DOWNGRADED,
        "copies of one span that differ: the longest counts",
        "Look for two processes that make spans with one id, or for an exporter that writes unfinished spans.",
    ),
    # --- times
    FindingKind(
        "impossible-time",
        _NO_VERDICT,
        "spans that start before 2001 or more than a day in the future, or that last more than 30 days: how long they "
        "took is not known, they count with what their children show (only shown where no query has them)",
        "Look for unset start times and for monotonic clocks in the program that made them.",
    ),
    FindingKind(
        "inverted-span",
        _DOWNGRADED,
        "spans that end before they start: they count as an instant",
        "Mend the clock or the exporter that wrote them.",
    ),
    FindingKind(
        "unended-span",
        _DOWNGRADED,
        "spans without an end: they count as an instant",
        "Let the traced program end its spans before it exits.",
    ),
    FindingKind(
        "outside-window",
        _DOWNGRADED,
        "spans that reach out of their query: cut off there (only shown below 1 % of the query's wall time)",
        "Let the query's span end after everything that it waits for.",
    ),
    FindingKind(
        "outside-parent",
        _SHOWN,
        "spans that reach out of their parent, inside the query",
        "Nothing, if the parent doesn't wait for them.",
    ),
    FindingKind(
        "clock-skew",
        _DOWNGRADED,
        "clocks of other machines, shifted so that spans lie within the requests that they answer",
        "Synchronise the clocks (chrony, NTP).",
    ),
    FindingKind(
        "clock-skew-unclear",
        _DOWNGRADED,
        "machines whose clock is off, but no single shift puts all of their spans in place: not shifted",
        "Synchronise the clocks (chrony, NTP).",
    ),
    FindingKind(
        "host-not-known",
        _SHOWN,
        "spans of another process outside their parent, and nothing tells whether it has another clock: cut off",
        "Set the resource attribute `host.name` or `host.id` in both processes.",
    ),
    FindingKind(
        "coarse-clock",
        _SHOWN,
        "the source keeps no nanoseconds",
        "Export OTLP instead where microseconds matter.",
    ),
    # --- model calls and their requests
    FindingKind(
        "unknown-phase",
        _DOWNGRADED,
        "spans with a phase that this version doesn't know: taken by their names instead",
        "Read them with the version of punie-trace that wrote them, or a newer one.",
    ),
    FindingKind(
        "http-ends-at-headers",
        _DOWNGRADED,
        "HTTP spans of model calls that end before the response body: the model call's own span counts instead",
        "Trace the client with `punie.trace.instrument`, whose HTTP spans end with the last byte.",
        formerly="ends-at-headers",
    ),
    FindingKind(
        "uncovered-model-call",
        _DOWNGRADED,
        "model calls that go on after the HTTP requests below them, which end at the headers or asked something "
        "else: all of such a call counts as the model's",
        "Trace the client with `punie.trace.instrument`, whose HTTP spans end with the last byte.",
        formerly="outlasts-requests",
    ),
    FindingKind(
        "unrecognised-model-call",
        _DOWNGRADED,
        "spans that look like a model call (token counts, a finish reason, or a model's name with an unknown "
        "operation) and aren't counted as one",
        "Set `gen_ai.operation.name` to `chat` on the spans of model calls.",
    ),
    FindingKind(
        "request-without-model-call",
        _DOWNGRADED,
        "POSTs to a model that no span of a model call shows: they count as the model's time, without tokens",
        "End the call's span also when its stream is left early; trace every client that asks the model.",
    ),
    FindingKind(
        "failed-model-call",
        _SHOWN,
        "model calls that failed without an answer: their time is retry, and they have no tokens",
        "Look at the status and the error of these spans.",
    ),
    FindingKind(
        "cached-above-prompt",
        _DOWNGRADED,
        "model requests with more cached tokens than prompt: the prompt is taken as reported without its cached part, "
        "and counts with it",
        "Report all tokens of the prompt as input tokens, cached ones among them.",
    ),
    FindingKind(
        "clocks-disagree",
        _DOWNGRADED,
        "spans of a server that began before the request was sent or still generated after its last byte",
        "Synchronise the clocks, if client and server are on two machines.",
    ),
    FindingKind(
        "counts-disagree",
        _DOWNGRADED,
        "model requests for which client and server report different token counts: prompt and output count as the "
        "client reports them, cached tokens as the server does",
        "Look at one of them: a proxy may count with another tokenizer, or a client may sum over chunks.",
    ),
    FindingKind(
        "timings-too-long",
        _DOWNGRADED,
        "phases for which the response body reports more time than the request took: cut off",
        "Look at what the server counts as prefill and decode.",
    ),
    FindingKind(
        "phase-sources-differ",
        _SHOWN,
        "queries whose prefill or decode is known from different sources in different requests: compare with care",
        "Trace all of their model servers in the same way.",
        formerly="several-accounts",
    ),
    FindingKind(
        "truncated-answer",
        _DOWNGRADED,
        "model requests that ended by their token limit: shorter than what was asked for",
        "Raise `--max-tokens`.",
    ),
    FindingKind(
        "missing-usage",
        _SHOWN,
        "model requests without token counts",
        "Ask the server for usage (`stream_options: {include_usage: true}`).",
    ),
    FindingKind(
        "draft-with-cache",
        _DOWNGRADED,
        "requests with a draft model that took tokens from the prompt cache: mlx_lm 0.32 loses a token of the "
        "context then, so answers may be wrong",
        "Run drafts with `--cache off`.",
    ),
    FindingKind(
        "cache-not-off",
        _DOWNGRADED,
        "model requests with cached tokens although the prompt cache was to be off",
        "Switch the prompt cache off in the server that was attached to.",
        formerly="cache-arm",
    ),
    # --- what the source says of itself
    FindingKind(
        "unreadable-record",
        _DOWNGRADED,
        "records that could not be read as spans",
        "Look at the file and line that is named.",
    ),
    FindingKind(
        "cut-by-limit",
        _DOWNGRADED,
        "the source has more traces than were asked for: some are missing here",
        "Raise `limit=` or narrow `lookback=`.",
    ),
    FindingKind(
        "spans-lost",
        _DOWNGRADED,
        "the model server could not write all of its spans: some are missing here",
        "See `server.log` for the reason.",
    ),
    FindingKind(
        "tools-ignored",
        _SHOWN,
        "the server gave the model no tools: its chat template knows none, so nothing could be looked up",
        "Take a model with tool calling; `punie-trace doctor --model` looks at its template.",
    ),
    FindingKind(
        "server-not-traced",
        _SHOWN,
        "this version of mlx_lm isn't known, so the server ran without spans: its phases are read off the stream",
        "Install a version of mlx_lm that `punie-trace doctor` accepts.",
    ),
    FindingKind(
        "file-without-spans",
        _SHOWN,
        "files among the run's spans that are in no format of spans: not read",
        "Nothing, if they aren't traces.",
        formerly="no-spans-file",
    ),
    FindingKind(
        "unread-attributes",
        _SHOWN,
        "attributes that stand in columns without their names: not read",
        "Ask Tempo's API for the trace as JSON if figures are missing.",
    ),
    FindingKind(
        "passed-over-file",
        _SHOWN,
        "files of the folder whose names have no ending of files with spans: not read",
        "Nothing, if they hold no spans; else give the file by its name, or rename it to end in `.json` or `.jsonl`.",
    ),
    FindingKind(
        "unread-events",
        _SHOWN,
        "events of spans in a form that isn't known: left out",
        "Nothing: no figure is made from events.",
    ),
    FindingKind(
        "dropped-attributes",
        _DOWNGRADED,
        "attributes that the traced program's limit dropped before it exported its spans: what they told is missing",
        "Raise `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` (128 by default) in the traced program.",
    ),
    FindingKind(
        "dropped-events",
        _SHOWN,
        "events and links that the traced program's limit dropped before it exported its spans",
        "Raise `OTEL_SPAN_EVENT_COUNT_LIMIT` and `OTEL_SPAN_LINK_COUNT_LIMIT` in the traced program.",
    ),
    FindingKind(
        "other-signals",
        _SHOWN,
        "documents of logs, metrics or profiles among the traces: no spans, so not read",
        "Nothing.",
    ),
    FindingKind(
        "value-left-out",
        _SHOWN,
        "attributes whose value can't be what their name means, such as a count below 0: left out",
        "Mend what writes them.",
    ),
    FindingKind(
        "numbers-as-text",
        _SHOWN,
        "numbers and lists that the source keeps as text, read as what they were",
        "Nothing.",
        formerly="text-numbers",
    ),
)

FINDING_KIND: Final[Mapping[str, FindingKind]] = MappingProxyType({kind.slug: kind for kind in FINDING_KINDS})
