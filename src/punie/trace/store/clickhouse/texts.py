"""The SQL that ClickHouse runs on its own rows: the ledger in arrays, and the traces of a table of spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate, product
from string import Template
from types import MappingProxyType
from typing import Final, TypeVar

from punie.trace import semconv
from punie.trace.analysis.calls.coverage import AFTER_PERCENT
from punie.trace.analysis.summary.parts import GroupBy
from punie.trace.analysis.trees.absolute_time import DAY_NS, EARLIEST_NS, LONGEST_NS
from punie.trace.model import PHASE_GROUP, PHASES, Group, Phase
from punie.trace.store.in_database.spans import MARKS, TEXT_CODES, TEXTS, names_by_meaning, quoted, spans_sql

_PLACES: Final = (1 << 42, 1 << 21, 1)
_AT_WORK: Final = MappingProxyType(
    {
        Group.NETWORK: ("D", 1 << 21),
        Group.TOOL: ("D", 1),
        Group.GENERATION: ("E", 1 << 42),
        Group.SERVER: ("E", 1 << 21),
        Group.FRAMEWORK: ("E", 1),
    }
)
K = TypeVar("K")
_ROWS = """SELECT query_key, root.3 AS low_ns, low_ns + greatest(-root.2, 0) AS high_ns,
    arrayMap((x, number, above) -> (number, if(x.7, above, 0), x.3, x.3 - x.2, x.4, x.5), once,
      arraySlice(numbers, 1, length(once)), arraySlice(numbers, length(once) + 1)) AS members
  FROM (SELECT query_key, arrayFirst(x -> x.8 = 1, once) AS root, once,
    arrayEnumerateDense(arrayConcat(once.1, once.6)) AS numbers
  FROM (SELECT query_key,
    arrayFilter((x, id, before) -> id != before, copies, ids, arrayPushFront(arrayPopBack(ids), ids[1] - 1)) AS once
  FROM (SELECT query_key, arraySort(groupArray((span_id, start_ns - end_ns, start_ns, phase_rank, provenance_rank,
      ifNull(parent_id, -1), isNotNull(parent_id), is_root))) AS copies, copies.1 AS ids
    FROM spans GROUP BY query_key) WHERE has(copies.8, 1)))"""
_ROWS_OF_PHASES = """SELECT query_key, low_ns AS start_ns, high_ns - low_ns AS wall_ns, phase_rank,
  arraySum((r, ns) -> if(r = phase_rank, ns, 0), parts.1, parts.2) AS ns,
  arraySum((r, ns) -> if(r = phase_rank, ns, 0), parts.1, parts.3) AS contested_ns,
  arraySum(how -> bitShiftLeft(1, how), arrayDistinct(arrayMap(x -> x.6, arrayFilter(x -> x.5 = phase_rank, open)))) AS provenances,
  arrayCount(x -> x.5 = phase_rank, open) AS spans
FROM owned LEFT ARRAY JOIN arrayDistinct(arrayFilter((r, ns) -> ns > 0, parts.1, parts.2)) AS phase_rank"""  # noqa: E501 - one expression

# The spans of a trace are together already: nothing is grouped again. A trace that isn't counted has none here, so that
# it comes out with no time. In query_key: 1 trace, 2 state, 3 part, 4 wall time, 5 network known, 6 spans.
_TRACES = """SELECT (TraceId, state, part, high_ns - low_ns, is_network_known, toInt64(length(ids))) AS query_key,
    low_ns, high_ns, arraySlice(members, 1, if(state = 'counted', length(members), 0)) AS members
  FROM traces"""
# Five bits a phase tell how it was known: those of its spans, where it has time.
_SUMS = """SELECT query_key.2 AS state, query_key.3 AS part, count() AS queries, sum(toInt128(query_key.4)) AS root_ns,
  groupArrayIf(query_key.4, state = 'counted') AS walls,
  sumForEach($PHASES) AS phases,
  sumForEach($CONTESTED) AS contested,
  groupBitOr(bitAnd(
    arrayReduce('groupBitOr', arrayMap(x -> bitShiftLeft(toUInt64(1), x.5 * 5 + x.6), open)),
    arrayReduce('groupBitOr', arrayMap(x -> if(x.2 > 0, bitShiftLeft(toUInt64(31), x.1 * 5), 0), parts))
  )) AS known, groupArrayIf(3)(query_key.1, state = 'tree') AS named, max(query_key.6) AS most_spans,
  min(query_key.5) AS network_known
FROM owned GROUP BY state, part"""

# A query that is linked with a trace which has none of ours may have a part there.
_LINKED = """ OR TraceId IN (
    WITH links AS (
      SELECT TraceId AS one, lower(arrayJoin(LinkedTraces)) AS other FROM otel_spans WHERE notEmpty(LinkedTraces)
    ), pairs AS (SELECT one, other FROM links UNION ALL SELECT other, one FROM links)
    SELECT one FROM pairs WHERE other GLOBAL IN (
      SELECT TraceId FROM otel_spans WHERE TraceId GLOBAL IN (SELECT other FROM pairs)
      GROUP BY TraceId HAVING NOT max(mapContains(SpanAttributes, $QUERY_ID))
    )
  )"""

_SHARD = """WITH otel_spans AS ({rows}), traces AS ({traces})
SELECT * FROM ({ledger})"""
_REPORT = """SELECT is_all, part, state, queries, root_ns,
  [w[1], w[-1], w[intDiv(length(w) + 1, 2)], w[intDiv(length(w), 2) + 1],
    w[intDiv(95 * length(w) + 99, 100)], w[intDiv(99 * length(w) + 99, 100)]] AS walls,
  phases, contested, known, named, most_spans, network_known
FROM (
  SELECT {is_all} AS is_all, {part} AS part, state, sum(s.queries) AS queries, sum(s.root_ns) AS root_ns,
    arraySort(groupArrayArray(s.walls)) AS w, sumForEach(s.phases) AS phases,
    sumForEach(s.contested) AS contested, groupBitOr(s.known) AS known,
    arraySlice(arraySort(groupArrayArray(s.named)), 1, 3) AS named, max(s.most_spans) AS most_spans,
    min(s.network_known) AS network_known
  FROM {shards} AS s GROUP BY {groups}
)"""

_LONGEST: Final = 40
"""As much of a text as is compared: no text that tells something is as long."""

MOST_SPANS: Final = 2**21 - 1
"""As many spans as one query may have: the text counts the open ones in 21 bits."""

_PARTS: Final = MappingProxyType(
    {
        None: "''",
        GroupBy.DAY: "toString(toDate(fromUnixTimestamp64Nano(if(max(is_top), minIf(start_ns, is_top), min(start_ns)), "
        "'UTC')))",
        GroupBy.MODEL: "arrayStringConcat(arraySort(if(countIf(served != '') > 0, "
        "groupUniqArrayIf(served, served != ''), groupUniqArrayIf(asked, asked != ''))), ', ')",
    }
)


@cache
def ledger_arrays_sql() -> str:
    """The ledger over a relation `spans`, a row a query and phase: what `analysis/ledger/ledger.py` gives."""
    return _ledger(_ROWS, _ROWS_OF_PHASES)


def survey_sql(rows: str) -> str:
    """One row over `rows`, as `shard_sql` has them: the names of all attributes of spans, whether any has links."""
    names, has_links = "groupUniqArrayArray(mapKeys(SpanAttributes))", "max(notEmpty(LinkedTraces))"
    return f"SELECT {names}, {has_links} FROM ({rows})"  # noqa: S608 - our own text


def traces_sql(
    attributes: Iterable[str], by: GroupBy | None = None, *, has_links: bool = False, is_text: bool = True
) -> str:
    """A row a trace of a relation `otel_spans`: TraceId, part, state, low_ns, high_ns, is_network_known, ids, members.

    `attributes` are the names of all that its spans have; `has_links` if any of them is linked, `is_text` if no
    attribute had another type where it was written.

    `part` is the trace's part as `analysis.parts.GroupBy` says, "" where nothing is asked `by`.
    """
    spelled = names_by_meaning(attributes)
    return Template(_text("whole_traces.sql")).substitute(
        PART=_PARTS[by],
        OF_PART="asked, served, " if by is GroupBy.MODEL else "",
        ONE_MACHINE=_one_machine(),
        MACHINES=", ".join(f"machine_{number}" for number, _ in enumerate(semconv.MACHINE_NAMES)),
        NAMED=spans_sql(_words(), _has_any, spelled, is_text=is_text),
        AFTER_PERCENT=AFTER_PERCENT,
        LINKED=_LINKED.replace("$QUERY_ID", quoted(semconv.QUERY_ID)) if has_links else "",
        EARLIEST_NS=EARLIEST_NS,
        LONGEST_NS=LONGEST_NS,
        DAY_NS=DAY_NS,
    )


def shard_sql(
    rows: str, attributes: Iterable[str], by: GroupBy | None, *, has_links: bool = False, is_text: bool = True
) -> str:
    """One statement over `rows`, a SELECT of the exporter's columns, for a server that has whole traces.

    `attributes` are the names of all that the spans of all servers have; `has_links` and `is_text` are those of
    `traces_sql`. With links the server has to have all traces.

    Gives a row a state and part: state, part, queries, root_ns, walls (one a counted query), phases and contested
    (nanoseconds, an entry a phase), known, named, most_spans, network_known.
    """
    ledger = _ledger(_TRACES, Template(_SUMS).substitute(PHASES=_by_rank(2), CONTESTED=_by_rank(3)))
    return _SHARD.format(
        rows=rows, traces=traces_sql(attributes, by, has_links=has_links, is_text=is_text), ledger=ledger
    )


def report_sql(shards: str, by: GroupBy | None = None) -> str:
    """One statement over `shards`, a relation with the rows of `shard_sql` from every server.

    Gives is_all, part, state, queries, root_ns, walls (least, most, the two in the middle, 95th and 99th percentile),
    phases and contested (nanoseconds, an entry a phase), known, named, most_spans, network_known: a row a state over
    all (is_all 1), and `by` something a row a state and part.
    """
    if by is None:
        return _REPORT.format(shards=shards, is_all="1", part="''", groups="state")
    return _REPORT.format(
        shards=shards, is_all="grouping(part)", part="part", groups="GROUPING SETS ((state), (state, part))"
    )


def _by_rank(place: int) -> str:
    """What the parts of a query sum to at `place`, an entry a phase."""
    sums = (f"arraySum((r, ns) -> ns * (r = {rank}), parts.1, parts.{place})" for rank in range(len(PHASES)))
    return f"arrayMap(ns -> toInt128(ns), [{', '.join(sums)}])"


def _ledger(spans: str, result: str) -> str:
    return Template(_text("ledger_arrays.sql")).substitute(SPANS=spans, RESULT=result, **_steps())


def _steps() -> Mapping[str, str]:
    """What each packed count gains by what happens at an instant: the phase of a span, and which of its four ends."""
    counts = {name: [[0, 0] for _ in PHASES] for name in "ABCDE"}
    for rank, phase in enumerate(PHASES):
        if phase is not Phase.FRAMEWORK:
            counts["ABCD"[rank // 3]][rank][0] = _PLACES[rank % 3]
        name, place = _AT_WORK[PHASE_GROUP[phase]]
        counts[name][rank][1] = place
    return {
        name: str([step for opens, works in both for step in (opens + works, -opens - works, -works, works)])
        for name, both in counts.items()
    }


def _text(name: str) -> str:
    return files("punie.trace.store.clickhouse").joinpath(name).read_text(encoding="utf-8")


def _words() -> str:
    """The words of the spans in `otel_spans`, as `store/in_database/spans.py` lists them."""
    told = (f"{_told(word)} AS {word}" for word in TEXT_CODES)
    texts = (f"SpanAttributes[{quoted(name)}] AS {word}" for word, name in TEXTS.items())
    machine = (
        f"if({name} = '', 0, cityHash64({name})) AS machine_{number}"
        for number, name in enumerate(f"ResourceAttributes[{quoted(name)}]" for name in semconv.MACHINE_NAMES)
    )
    # What a name stands for is copied for each use of it in one SELECT: so there are two.
    of_row = (
        f"SELECT *, {_TOLD_SQL} AS told, ScopeName AS scope, SpanName AS span_name, "  # noqa: S608 - our own text
        "reinterpretAsUInt64(unhex(SpanId)) AS id, reinterpretAsUInt64(unhex(ParentSpanId)) AS parent, "
        "toUnixTimestamp64Nano(Timestamp) AS start_ns, reinterpretAsInt64(Duration) AS lasted_ns, "
        "ParentSpanId = '' AS is_top, SpanKind = 'Server' AS is_server, StatusCode = 'Error' AS is_error, "
        f"has(EventNames, {quoted(semconv.EXCEPTION_EVENT)}) AS has_exception FROM otel_spans"
    )
    return (
        f"SELECT TraceId, SpanAttributes, told, {', '.join((*told, *texts, *machine))}, scope, span_name, id, parent, "  # noqa: S608
        "start_ns, start_ns + lasted_ns AS end_ns, is_top, is_server, is_error, has_exception, "
        f"{_is_hex('SpanId', 16)} AND id != 0 AND start_ns >= 0 "
        f"AND (is_top OR ({_is_hex('ParentSpanId', 16)} AND parent != 0)) AS is_sound FROM ({of_row})"
    )


def _one_machine() -> str:
    """Whether all spans of a trace name their host, and no two of them different machines: by hashes of the names."""
    names = [f"machine_{number}" for number, _ in enumerate(semconv.MACHINE_NAMES)]
    same = (f"minIf({name}, {name} != 0) = max({name})" for name in names)
    return " AND ".join((f"min({names[-1]}) != 0", *same))


def _told(word: str) -> str:
    place, width = _TOLD_BITS[word]
    return f"bitAnd(bitShiftRight(told, {place}), {(1 << width) - 1})"


def _has_any(names: Sequence[str]) -> str:
    if tuple(names) in _MARKED:
        place, width = _MARKED[tuple(names)]
        return f"bitAnd(told, {((1 << width) - 1) << place}) != 0"
    return f"arrayExists(name -> name IN ({', '.join(map(_escaped, names))}), mapKeys(SpanAttributes))"


def _told_sql() -> str:
    """What all attributes of a span show, side by side in one number: they are gone through once.

    Of an attribute of `TEXT_CODES` a name alone stands for another text; its text, as "name=text", for what is to be
    added to that.
    """
    names: dict[str, int] = {}
    texts: dict[str, int] = {}
    for word, told in TEXT_CODES.items():
        place, _ = _TOLD_BITS[word]
        names[told.attribute] = told.other << place
        for text, number in {"": 0, **told.numbers}.items():
            for spelled in _in_any_case(text) if told.any_case else (text,):
                texts[f"{told.attribute}={spelled}"] = (number - told.other) << place
    for marks, (place, _) in _MARKED.items():
        for name in marks:
            names[name] = names.get(name, 0) + (1 << place)
    pair = f"concat(name, '=', substring(text, 1, {_LONGEST}))"
    lists = "mapKeys(SpanAttributes), mapValues(SpanAttributes)"
    return f"arraySum((name, text) -> {_transformed('name', names)} + {_transformed(pair, texts)}, {lists})"


def _in_any_case(text: str) -> Iterator[str]:
    return map("".join, product(*(sorted({letter, letter.lower()}) for letter in text)))


def _transformed(text: str, numbers: Mapping[str, int]) -> str:
    """The number of `text`, SQL; 0 for any other."""
    found, others = ", ".join(map(_escaped, numbers)), list(numbers.values())
    return f"transform({text}, [{found}], CAST({others} AS Array(Int64)), toInt64(0))"


def _escaped(name: str) -> str:
    """Any name as text in SQL."""
    return quoted(name.replace("\\", "\\\\").replace("'", "''"))


def _bits(most: Mapping[K, int], place: int) -> Mapping[K, tuple[int, int]]:
    """Where each number stands, and in how many bits, from `place` on; `most` are the largest ones."""
    widths = [number.bit_length() for number in most.values()]
    return dict(zip(most, zip(accumulate(widths, initial=place), widths, strict=False), strict=True))


_TOLD_BITS: Final = _bits(
    {word: max(*told.numbers.values(), told.other, 1) for word, told in TEXT_CODES.items()}, 0
)
_MARKED: Final = _bits(
    {names: len(names) for names in MARKS.values()}, sum(width for _, width in _TOLD_BITS.values())
)
_TOLD_SQL: Final = _told_sql()


def _is_hex(text: str, digits: int) -> str:
    return f"match({text}, '^[0-9a-f]{{{digits}}}$')"
