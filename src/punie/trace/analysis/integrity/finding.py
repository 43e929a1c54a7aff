"""What is wrong with the traces, said before any number that is made from them.

| slug | effect | meaning |
| --- | --- | --- |
| `missing-query` | no-verdict | a planned query has no root span: it was never asked, or its process was killed |
| `broken-root` | no-verdict | a query's root has no end, ends before it starts, or is missing: no wall time |
| `cycle` | no-verdict | spans that are each other's ancestors: their links are cut |
| `missing-parent` | downgraded | spans whose parent is not there; they count in their query all the same |
| `unplaced-span` | downgraded | spans with a missing parent that could belong to several queries: they count in none |
| `conflicting-duplicate` | downgraded | copies of one span that differ: the longest counts |
| `shared-id` | shown | client and server with one id, as Zipkin has it: the server's span goes below the client's |
| `inverted-span`, `unended-span` | downgraded | spans without a duration: they count as an instant |
| `unknown-phase` | downgraded | spans with a phase that this version doesn't know: taken by their names instead |
| `clocks-disagree` | downgraded | spans of a server that began before the request or went on after its answer |
| `clock-skew` | downgraded | machines whose clock was shifted, by the rule of `clock_skew` |
| `clock-skew-unclear` | downgraded | machines of which no one shift explains the times: nothing is moved |
| `timings-too-long` | downgraded | phases of which the answer tells more time than the request had: cut off |
| `ends-at-headers` | downgraded | HTTP spans of model calls that stop before the body: the call's own span counts |
| `outlasts-requests` | downgraded | model calls that go on after their HTTP requests: all of the call counts |
| `truncated-answer` | downgraded | model requests that ended by their token limit: shorter than what was asked for |
| `cache-arm` | downgraded | the prompt cache was to be off, and the server took tokens from it |
| `draft-with-cache` | downgraded | a draft model and the prompt cache at once: mlx_lm 0.32 loses a token then |
| `unreadable-record` | downgraded | what the reader could not turn into a span |
| `cut-by-limit` | downgraded | the source had more traces than it was asked for: some were left out |
| `no-spans-file` | shown | files among a run's spans that hold none: not read |
| `unread-events` | shown | events of spans in a form that isn't known: left out |
| `spans-lost` | downgraded | the server said that it could not write spans |
| `counts-disagree` | downgraded | client and server tell different token counts of one request: the client's count |
| `outside-window` | downgraded from 1 % of the wall time, else shown | spans that reach out of their query: cut off |
| `several-roots` | shown | traces with more than one root: each is a query of its own or stands outside |
| `outside-query` | shown | spans above or beside the queries of their trace: they count in none |
| `other-trace` | shown | traces of a run that are none of its queries |
| `outside-parent` | shown | spans that reach out of their parent, inside the query |
| `host-not-known` | shown | spans of another process outside their parent, perhaps of another machine: cut off |
| `follows-from` | shown | spans that only follow another: they count, and no answer waited for them |
| `text-numbers` | shown | attributes that a source keeps as text: numbers read from it where numbers belong |
| `duplicate-span` | shown | identical copies, dropped: delivery is at least once |
| `server-not-traced` | shown | mlx_lm isn't what we know: the server ran without spans |
| `several-accounts` | shown | queries whose prefill or decode is known in more than one way |
| `missing-usage` | shown | model requests of which neither client nor server tells the tokens |
| `coarse-clock` | shown | a source with a clock step of more than a nanosecond |

Spans of warm-up queries are left out of all that is about single queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.queries.traces import span_name
from punie.trace.analysis.trees.tree import SpanKey

_EXAMPLES: Final = 3


class Effect(StrEnum):
    """What a finding does to the verdicts."""

    SHOWN = "shown"
    DOWNGRADED = "downgraded"
    NO_VERDICT = "no-verdict"


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """Something that is wrong with the traces, how often, and up to three examples (spans, queries).

    Of unreadable records all are kept: each is a file and a line. `examples_left_out` counts further, other cases.
    """

    slug: str
    effect: Effect
    count: int
    message: str
    examples: tuple[str, ...]
    examples_left_out: int = 0


Checked = Iterator[IntegrityFinding]


def flaw(
    slug: str, effect: Effect, cases: Sequence[str], message: str, most: int = _EXAMPLES
) -> IntegrityFinding:
    """A finding with `most` of its cases as examples; it has no effect if there are none."""
    different = tuple(dict.fromkeys(cases))
    return IntegrityFinding(
        slug=slug,
        effect=effect,
        count=len(cases),
        message=message,
        examples=different[:most],
        examples_left_out=max(len(different) - most, 0),
    )


def names(keys: Iterable[SpanKey]) -> list[str]:
    """Spans as the examples name them, in order."""
    return [span_name(key) for key in sorted(keys)]
