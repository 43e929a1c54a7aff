"""The words of spans in Parquet, as DuckDB's SQL: what `store/in_database/spans.sql` reads, from any of our columns.

What a file has in another form than text becomes text, as the Collector's ClickHouse exporter writes it. A value that
can't be what it should be makes its span unsound, never a guess.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace import semconv
from punie.trace.errors import InputError
from punie.trace.store.in_database.spans import (
    MARKS,
    TEXT_CODES,
    TEXTS,
    TextCode,
    names_by_meaning,
    quoted,
    spans_sql,
)
from punie.trace.store.otlp.values import SPAN_ID_BYTES, TRACE_ID_BYTES
from punie.trace.store.parquet.columns import INTEGERS, Columns

MACROS: Final = (
    "CREATE TEMP MACRO startsWith(text, beginning) AS starts_with(text, beginning)",
    "CREATE TEMP MACRO replaceRegexpAll(text, pattern, other) AS regexp_replace(text, pattern, other, 'g')",
    "CREATE TEMP MACRO toInt64OrZero(text) AS coalesce(TRY_CAST(text AS BIGINT), 0)",
)
"""What the shared text calls as ClickHouse does."""

SEPARATOR: Final = "\x1f"
_READ: Final = frozenset(
    {
        *(told.attribute for told in TEXT_CODES.values()),
        *TEXTS.values(),
        *(name for names in MARKS.values() for name in names),
    }
)


@dataclass(frozen=True, slots=True)
class _Held:
    """Attributes in the column `column`, a map or a struct; others than `fields` don't occur there, or don't matter."""

    column: str
    fields: frozenset[str]
    is_map: bool = False

    def text(self, name: str) -> str:
        """The attribute as text, NULL where there is none."""
        if name not in self.fields:
            return "NULL"
        if self.is_map:
            return f"CAST(map_extract_value({self.column}, {_text(name)}) AS VARCHAR)"
        return f"CAST({self.column}.{_name(name)} AS VARCHAR)"

    def has_any(self, names: Sequence[str]) -> str:
        """Whether any of the attributes is there."""
        there = [name for name in names if name in self.fields]
        if self.is_map:  # that a key's value is NULL isn't looked at where any of several will do
            found = [f"coalesce(map_contains({self.column}, {_text(name)}), false)" for name in there]
        else:
            found = [f"{self.text(name)} IS NOT NULL" for name in there]
        return " OR ".join(found) or "false"


def names_sql(columns: Columns, ours: str, relation: str) -> str:
    """The names of the attributes in a column of `relation`, a row each; "" where a struct's fields are all."""
    column, kind = columns.expressions.get(ours), columns.kinds.get(ours, "")
    if column is None or kind.startswith("STRUCT("):
        return ""
    keys = f"map_keys({column})" if kind.startswith("MAP(") else f"TRY(json_keys({column}))"
    return f"SELECT DISTINCT unnest({keys}) FROM {relation}"  # noqa: S608 - quoted


def links_sql(columns: Columns, relation: str) -> str:
    """A row a link that a span of `relation` has: trace, other (NULL: an id that can't be read); "" without links."""
    column, kind = columns.expressions.get("links"), columns.kinds.get("links", "")
    if column is None:
        return ""
    listed = f"list_transform({column}, lambda id: hex(id))" if kind == "BLOB[]" else column
    found = f"regexp_extract_all(lower(CAST({listed} AS VARCHAR)), '[0-9a-f]{{{2 * TRACE_ID_BYTES}}}')"
    is_linked = (
        f"len({column}) > 0"
        if kind.endswith("[]")
        else f"coalesce({column} NOT IN ('', '[]', 'null'), false)"
    )
    trace = _id(columns, "trace_id")
    return (
        f"SELECT trace, TRY_CAST('0x' || other AS UHUGEINT) AS other FROM (SELECT coalesce({trace}, 0) AS trace, "  # noqa: S608
        f"unnest(CASE WHEN len({found}) > 0 THEN {found} ELSE [NULL] END) AS other FROM {relation} WHERE {is_linked})"
    )


def narrow_sql(columns: Columns, names: Mapping[str, frozenset[str]], relation: str, more: str) -> str:
    """A row a span of `relation`: trace, span, parent, times, place, facts (see `FACTS`), and `more` columns.

    `names` are those of all attributes, by our name of their column. `place` is text: the machine's names and the
    scope. Raises InputError for attributes of a type that isn't known.
    """
    spelled = names_by_meaning(names.get("attributes", ()))
    attributes, read = _held(columns, names, "attributes", _READ.union(*spelled.values()))
    resource, read_resource = _held(columns, names, "resource", frozenset(semconv.MACHINE_NAMES))
    trace, span, parent = (_id(columns, ours) for ours in ("trace_id", "span_id", "parent_id"))
    # Nothing of the file goes further under its own name: it may be called like one of ours.
    of_row = (
        f"SELECT {read} AS attributes_read, {read_resource} AS resource_read, {trace} AS trace_read, "  # noqa: S608
        f"{span} AS span_read, {parent} AS parent_read, {_is_top(columns)} AS names_no_parent, "
        f"{_start(columns)} AS start_read, {_end(columns)} AS end_read, "
        f"{_is(columns, 'kind', 'SERVER', 2)} AS is_server, {_is(columns, 'status', 'ERROR', 2)} AS is_error, "
        f"{_has_exception(columns)} AS has_exception, {_was_read(columns)} AS was_read, "
        f"coalesce(CAST({columns.expressions.get('scope', 'NULL')} AS VARCHAR), '') AS scope, "
        f"coalesce(CAST({columns.expressions['name']} AS VARCHAR), '') AS span_name FROM {relation}"
    )
    told = (f"{_told(attributes.text(one.attribute), one)} AS {word}" for word, one in TEXT_CODES.items())
    texts = (f"coalesce({attributes.text(name)}, '') AS {word}" for word, name in TEXTS.items())
    words = ", ".join((*told, *texts))
    machine = ", ".join(f"coalesce({resource.text(name)}, '')" for name in semconv.MACHINE_NAMES)
    of_words = (
        f"SELECT *, {words}, names_no_parent OR coalesce(parent_read = 0, false) AS is_top, "  # noqa: S608
        "was_read AND coalesce(trace_read <> 0 AND span_read <> 0 AND start_read >= 0 AND end_read >= 0, false) "
        "AND (names_no_parent OR parent_read IS NOT NULL) AS is_sound, "
        f"concat_ws({quoted(SEPARATOR)}, {machine}, scope) AS place FROM ({of_row})"
    )
    numbers = ", ".join(
        f"coalesce({read}, 0) AS {name}"
        for read, name in (
            ("trace_read", "trace"),
            ("span_read", "span"),
            ("parent_read", "parent"),
            ("start_read", "start_ns"),
            ("end_read", "end_ns"),
        )
    )
    return (
        f"SELECT {numbers}, {_facts()} AS facts, place{more} "  # noqa: S608
        f"FROM ({spans_sql(of_words, attributes.has_any, spelled, is_text=attributes.is_map)})"
    )


FACTS: Final = ("is_top", "is_odd", "is_warmup", "is_failed", "to_headers", "asks")
"""What stands in the bits of `facts` above role (4 bits), phase + 1 (4) and provenance (4), the lowest first."""

ROLE_BITS: Final = 4


def _facts() -> str:
    whole = f"role + ((phase + 1) << {ROLE_BITS}) + (how << {2 * ROLE_BITS})"
    bits = (f"(CAST({name} AS INTEGER) << {3 * ROLE_BITS + bit})" for bit, name in enumerate(FACTS))
    return f"CAST({' + '.join((whole, *bits))} AS INTEGER)"


def _held(
    columns: Columns, names: Mapping[str, frozenset[str]], ours: str, read: frozenset[str]
) -> tuple[_Held, str]:
    """How to look for `read` attributes into a column, and what to select for that."""
    column, kind, there = columns.expressions.get(ours), columns.kinds.get(ours, ""), f"{ours}_read"
    if column is None:
        return _Held(there, frozenset()), "NULL"
    found = names.get(ours, frozenset()) & read
    if kind.startswith("MAP(VARCHAR, ") or (kind.startswith("STRUCT(") and ours in names):
        return _Held(there, found, is_map=kind.startswith("MAP")), column
    if kind in ("VARCHAR", "JSON"):
        shape = json.dumps(dict.fromkeys(sorted(found) or [semconv.PHASE], "VARCHAR"))
        return _Held(there, found), f"TRY(from_json({column}, {_text(shape)}))"
    raise InputError(
        f"column {ours} is {kind}: neither a map of texts nor a struct nor JSON",
        remedy="leave --in-database out, or write the column as one of these",
    )


def _told(text: str, told: TextCode) -> str:
    """What `text`, SQL, tells."""
    whens = " ".join(f"WHEN {quoted(word)} THEN {number}" for word, number in {"": 0, **told.numbers}.items())
    return f"CASE coalesce({f'upper({text})' if told.any_case else text}, '') {whens} ELSE {told.other} END"


def _was_read(columns: Columns) -> str:
    """Whether the attributes that stand there as JSON are an object."""
    texts = [ours for ours in ("attributes", "resource") if columns.kinds.get(ours) in ("VARCHAR", "JSON")]
    return (
        " AND ".join(
            f"({ours}_read IS NOT NULL OR coalesce({columns.expressions[ours]}, '') = '')" for ours in texts
        )
        or "true"
    )


def _id(columns: Columns, ours: str) -> str:
    """An id as a number, NULL where it is none. Who leaves out leading zeros means the same id."""
    text, kind, digits = _hex(columns, ours), "UBIGINT", 2 * SPAN_ID_BYTES
    if ours == "trace_id":
        kind, digits = "UHUGEINT", 2 * TRACE_ID_BYTES
    number = f"TRY_CAST('0x' || {text} AS {kind})"
    return f"CASE WHEN length({text}) BETWEEN 1 AND {digits} AND NOT contains({text}, '_') THEN {number} END"


def _hex(columns: Columns, ours: str) -> str:
    column = columns.expressions[ours]
    return f"hex({column})" if columns.kinds[ours] == "BLOB" else f"CAST({column} AS VARCHAR)"


def _is_top(columns: Columns) -> str:
    return f"coalesce({_hex(columns, 'parent_id')} = '', true)"


def _start(columns: Columns) -> str:
    return _whole(columns.expressions["start"])


def _end(columns: Columns) -> str:
    if "end" in columns.expressions:
        return f"coalesce({_whole(columns.expressions['end'])}, 0)"
    return f"TRY({_whole(columns.expressions['start'])} + {columns.expressions['duration']})"


def _whole(expression: str) -> str:
    return f"TRY_CAST(TRY({expression}) AS BIGINT)"


def _is(columns: Columns, ours: str, name: str, number: int) -> str:
    """Whether an enum is this one, by number or by name, whatever stands before it."""
    column = columns.expressions.get(ours)
    if column is None:
        return "false"
    if columns.kinds[ours] in INTEGERS:
        return f"coalesce({column} = {number}, false)"
    last = f"regexp_extract(upper(trim(CAST({column} AS VARCHAR))), '[^._]*$')"
    return f"coalesce({last} IN ({quoted(name)}, '{number}'), false)"


def _has_exception(columns: Columns) -> str:
    """Whether an event is one; where events are JSON, whether the word stands in it."""
    word = quoted(semconv.EXCEPTION_EVENT)
    if "event_names" in columns.expressions:
        return f"coalesce(list_contains({columns.expressions['event_names']}, {word}), false)"
    if "events" in columns.expressions:
        return f"coalesce(contains(CAST({columns.expressions['events']} AS VARCHAR), {word}), false)"
    return "false"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(name: str) -> str:
    """Any name as text in SQL."""
    return quoted(name.replace("'", "''"))
