"""Spans in tables: the rows that ClickHouse's client gives, and Parquet files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import duckdb

from fuzzing import damage_bytes, damage_json, material
from fuzzing.json_text import dumps
from fuzzing.reported import reported
from punie.trace.model import AttributeValue, Span
from punie.trace.store.clickhouse.tables import EXPORTER, JAEGER, TABLES
from punie.trace.store.files.limit import UnpackedLimit
from punie.trace.store.parquet.apart import Work, WorkProgress

_KINDS: Final[Mapping[str, type]] = {"bool": bool, "int": int, "double": float, "str": str}
_SOURCE: Final = "clickhouse://default@localhost/otel"


def make_rows(random: Random) -> bytes:
    """What the client answers: rows of the exporter's table or of Jaeger's, damaged."""
    table = random.choice(TABLES)
    spans = random.choice(material.small_span_sets())
    answer = {"table": table.name, "rows": [_row(span, table.name) for span in spans]}
    damage_json.damage(answer["rows"], random)
    return dumps(answer)


def take_rows(content: bytes, _: Path, pick: int | None) -> str:
    """`report clickhouse://…`, with these rows in the place of a server's."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return "not tried: no row holds that"
    rows = answer["rows"] if isinstance(answer["rows"], list) else []
    table = next(table for table in TABLES if table.name == answer["table"])
    values = [[row.get(name) for name in table.columns] for row in rows if isinstance(row, dict)]
    client = SimpleNamespace(server_settings={}, close=lambda: None, query=_Answers(table.name, values))
    with patch("punie.trace.store.clickhouse.source.connect", lambda _: client):
        return reported(_SOURCE, pick)


class _Answers:
    """What a server says to the three questions: its tables, how many traces, their rows."""

    def __init__(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        table = next(table for table in TABLES if table.name == name)
        self._tables = [(name, [table.trace_id, table.service, table.start])]
        self._rows = rows

    def __call__(self, sql: str, **_: object) -> SimpleNamespace:
        if "system.columns" in sql:
            return SimpleNamespace(result_rows=self._tables)
        return SimpleNamespace(result_rows=[(1,)] if sql.startswith("SELECT count()") else self._rows)


def _row(span: Span, table: str) -> dict[str, Any]:
    row = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id or "",
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start": span.start_ns,
        "duration": span.end_ns - span.start_ns,
        "status": span.status.name.capitalize(),
        "status_message": span.status_message,
        "service": span.resource.get("service.name", ""),
        "scope": span.scope,
        "event_times": [event.time_ns for event in span.events],
        "event_names": [event.name for event in span.events],
    }
    if table == EXPORTER.name:
        texts = {key: _text(value) for key, value in span.attributes.items()}
        return {**row, "attributes": texts, "resource": {}, "event_attributes": [{} for _ in span.events]}
    return {**dict.fromkeys(JAEGER.columns, ()), **row, **_lists(span.attributes)}


def _lists(attributes: Mapping[str, AttributeValue]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for kind, of in _KINDS.items():
        some = {key: value for key, value in attributes.items() if type(value) is of}
        found |= {f"{kind}_keys": [*some], f"{kind}_values": [*some.values()]}
    return found


def _text(value: AttributeValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=dict)


def make_parquet(random: Random) -> bytes:
    """A file in columns of ours or of the exporter, its bytes damaged, or the rows it was made of."""
    if random.random() < 0.7:
        return damage_bytes.damage(random.choice(_parquet()), random)
    rows = [_row(span, EXPORTER.name) for span in random.choice(material.small_span_sets())]
    damage_json.damage(rows, random)
    return _written(rows) or random.choice(_parquet())


def take_parquet(content: bytes, folder: Path, pick: int | None) -> str:
    """`report FILE.parquet`, with DuckDB in this process: one of its own would hide what it dies of, and is slow."""
    path = folder / "spans.parquet"
    path.write_bytes(content)
    database = _database()
    with (
        patch("punie.trace.store.parquet.apart.apart", _here),
        patch("duckdb.connect", lambda **_: database.cursor()),
    ):
        return reported(str(path), pick)


def _database() -> duckdb.DuckDBPyConnection:
    """One that is open, for starting one takes longer than most inputs; a new one where the last can't go on."""
    try:
        return _opened().execute("SELECT 1")
    except duckdb.Error:
        _opened.cache_clear()
        return _opened()


@cache
def _opened() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})  # each would take address space of the limit


def _here(limit: UnpackedLimit, work: Work, *given: object) -> Iterator[object]:
    sent: list[object] = []
    work(sent.append, *given)
    for one in sent:
        if not isinstance(one, WorkProgress):
            limit.count(len(pickle.dumps(one)))
            yield one


@cache
def _parquet() -> Sequence[bytes]:
    import written_spans

    found = []
    with TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "spans.parquet"
        for spans in material.small_span_sets()[::4]:
            for write in (written_spans.parquet_of_json, written_spans.parquet_of_exporter):
                write(spans, path)
                found.append(path.read_bytes())
    return tuple(found)


def _written(rows: Sequence[Any]) -> bytes:
    """A Parquet file of the rows as their types are found to be; nothing where they have none in common."""
    with TemporaryDirectory(prefix="fuzz-") as folder:
        lines, path = Path(folder) / "rows.json", Path(folder) / "spans.parquet"
        lines.write_bytes(b"\n".join(map(dumps, rows)))
        try:
            with _database().cursor() as connection:
                rows_sql = f"SELECT * FROM read_json('{lines}', format='newline_delimited')"  # noqa: S608 - our names
                connection.execute(f"COPY ({rows_sql}) TO '{path}' (FORMAT parquet)")
        except (
            duckdb.Error,
            UnicodeDecodeError,
            MemoryError,
        ):  # it quotes names that are no text in its errors
            return b""
        return path.read_bytes()
