"""Comparability: what the two sides were made with, as far as their spans and run plans say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import PHASE_GROUP, Attributes, Group, Span, SpanKind

MODEL: Final = "model"
DRAFT: Final = "draft model"
ADAPTER: Final = "adapter"
SUITE: Final = "suite"
SUITE_HASH: Final = "suite hash"
CACHE: Final = "prompt cache"
WARMUP: Final = "warm-up queries a start"
REPEATS: Final = "executions of a query a start"
SERVER_PATH: Final = "server path"
HOST: Final = "host"
KNOWN_FROM: Final = "generation known from"

FROM_SPANS: Final = (
    MODEL,
    DRAFT,
    ADAPTER,
    SUITE,
    SUITE_HASH,
    CACHE,
    WARMUP,
    REPEATS,
    SERVER_PATH,
    HOST,
    KNOWN_FROM,
)
NONE: Final = "none"
_REQUESTED_MODEL: Final = "model as asked"
_OURS: Final = "ours"
_MODEL_NAMES: Final = (semconv.RESPONSE_MODEL, semconv.REQUEST_MODEL)
_OF_SERVERS: Final = (
    (SERVER_PATH, semconv.SERVER_PATH),
    (DRAFT, semconv.SERVER_DRAFT_MODEL),
    (ADAPTER, semconv.SERVER_ADAPTER),
)

Facts = Mapping[str, str]
"""Name to value of what is known; what isn't is left out."""


class Likeness(StrEnum):
    """What two sides are to each other in one fact."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_KNOWN = "not known"


class FactComparison(msgspec.Struct, frozen=True):
    """One fact of both sides; several values of one side, from several sources, are joined. None: not known."""

    name: str
    a: str | None
    b: str | None
    likeness: Likeness


def compare_facts(a: Sequence[Facts], b: Sequence[Facts], names: Sequence[str]) -> tuple[FactComparison, ...]:
    """Every fact in `names`, and every other that any source has. Known on a side: known of each of its sources."""
    every = dict.fromkeys((*names, *(name for facts in (*a, *b) for name in facts)))
    return tuple(_compare(name, [f.get(name) for f in a], [f.get(name) for f in b]) for name in every)


def _compare(name: str, a: Sequence[str | None], b: Sequence[str | None]) -> FactComparison:
    of_a, of_b = _joined(a), _joined(b)
    if of_a is None or of_b is None:
        likeness = Likeness.NOT_KNOWN
    else:
        likeness = Likeness.SAME if len({*a, *b}) == 1 else Likeness.DIFFERS
    return FactComparison(name, of_a, of_b, likeness)


def _joined(values: Sequence[str | None]) -> str | None:
    known = [value for value in values if value is not None]
    return ", ".join(dict.fromkeys(known)) if known and len(known) == len(values) else None


def span_facts(spans: Sequence[Span], records: Sequence[QueryRecord]) -> Facts:
    """What the spans of one source say, its queries' `records` among them."""
    return facts_of(written_in(spans), records)


Written = dict[str, set[str]]
"""What spans say, by fact: what several traces say is the union."""


def written_in(spans: Iterable[Span]) -> Written:
    """Every value that a span names; `_REQUESTED_MODEL` are those that requests name, `_OURS` is there for our runs."""
    seen: dict[str, set[str | None]] = defaultdict(set)
    resources: dict[int, Attributes] = {}
    for span in spans:
        attributes = span.attributes
        resources[id(span.resource)] = span.resource
        seen[_REQUESTED_MODEL].add(semconv.text(attributes, _MODEL_NAMES))
        if span.kind is SpanKind.SERVER:
            seen[MODEL].add(semconv.text(attributes, _MODEL_NAMES))
            for name, key in _OF_SERVERS:
                seen[name].add(semconv.text(attributes, key))
        if semconv.QUERY_ID in attributes:
            seen[_OURS].add(_OURS)
            seen[SUITE].add(semconv.text(attributes, semconv.QUERY_SUITE))
            seen[SUITE_HASH].add(semconv.text(attributes, semconv.QUERY_SUITE_HASH))
    for resource in resources.values():  # which many spans share
        if semconv.HOST_NAME in resource:
            seen[HOST].add(str(resource[semconv.HOST_NAME]))
        service, version = resource.get(semconv.SERVICE_NAME), resource.get(semconv.SERVICE_VERSION)
        if isinstance(service, str) and isinstance(version, str):
            seen[f"version of service {service}"].add(version)
    return {name: {value for value in values if value} for name, values in seen.items()}


def merge_written(into: Written, other: Written) -> None:
    """Add what another trace's spans say."""
    for name, values in other.items():
        into.setdefault(name, set()).update(values)


def facts_of(written: Written, records: Sequence[QueryRecord]) -> Facts:
    """The facts of one source, from what its spans say and its queries' `records`."""
    measured = [record for record in records if not record.warmup]
    ours = _OURS in written
    facts = {
        MODEL: _last_parts(written.get(MODEL)) or _last_parts(written.get(_REQUESTED_MODEL)),
        SUITE: _last_parts(written.get(SUITE)),
        SUITE_HASH: _short(_last_parts(written.get(SUITE_HASH))),
        CACHE: _one_line(record.cache for record in measured),
        WARMUP: _warmups(records) if ours else "",
        REPEATS: _repeats(measured) if ours else "",
        SERVER_PATH: _last_parts(written.get(SERVER_PATH)),
        HOST: _one_line(written.get(HOST, ())),
        KNOWN_FROM: _known_from(measured),
        **{name: _one_line(values) for name, values in written.items() if name.startswith("version of ")},
    }
    if facts[SERVER_PATH]:  # a server that says how it serves would name these
        facts[DRAFT] = _last_parts(written.get(DRAFT)) or NONE
        facts[ADAPTER] = _last_parts(written.get(ADAPTER)) or NONE
    return {name: value for name, value in facts.items() if value}


def _last_parts(names: Iterable[str] | None) -> str:
    """As the server calls it; a path by its last part, since the same model may lie elsewhere."""
    return _one_line(
        name.rstrip("/").rpartition("/")[2] if name.startswith("/") else name for name in names or ()
    )


def _short(digests: str) -> str:
    return ", ".join(digest[:12] for digest in digests.split(", ")) if digests else ""


def _warmups(records: Sequence[QueryRecord]) -> str:
    counts = Counter(record.server_start for record in records if record.warmup)
    starts = {record.server_start for record in records}
    return _one_line(str(counts[start]) for start in starts)


def _repeats(measured: Sequence[QueryRecord]) -> str:
    counts = Counter((record.server_start, record.query_id) for record in measured)
    return _one_line(str(count) for count in counts.values())


def _known_from(records: Sequence[QueryRecord]) -> str:
    return _one_line(
        how.value
        for record in records
        for phase, ways in record.ledger.provenance.items()
        if PHASE_GROUP[phase] is Group.GENERATION
        for how in ways
    )


def _one_line(values: Iterable[str | None]) -> str:
    return ", ".join(sorted({value for value in values if value}))
