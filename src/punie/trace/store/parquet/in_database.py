"""The ledger of every trace in Parquet files, added up by DuckDB and in columns: spans never become objects.

DuckDB reads the files, makes a few numbers of each span and brings those of a trace together; what doesn't fit into
`MEMORY` waits on the disk. Blocks of whole traces are then added up (`blocks.py`), in several threads, and forgotten.
"""

from __future__ import annotations

import glob
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from punie.trace import semconv
from punie.trace.analysis.summary.parts import GroupBy
from punie.trace.errors import CHECK_PATH, InputError
from punie.trace.extras import install_hint
from punie.trace.store.files.place import Place
from punie.trace.store.files.span_files import is_hidden
from punie.trace.store.parquet.apart import Send, WorkProgress, apart
from punie.trace.store.parquet.columns import Columns, choose_columns
from punie.trace.store.parquet.connection import ReportingConnection, connect
from punie.trace.store.parquet.reader import limit_of, recognises
from punie.trace.store.parquet.rows import column_types, file_pattern
from punie.trace.store.parquet.tempo import is_tempo
from punie.trace.store.parquet.words import MACROS, ROLE_BITS, SEPARATOR, links_sql, names_sql, narrow_sql
from punie.trace.store.row_names import is_named_otherwise

if TYPE_CHECKING:
    import duckdb

    from punie.trace.analysis.summary.database_totals import DatabaseTotals
    from punie.trace.store.parquet.blocks import BlockSums

MEMORY: Final = "1GB"
"""As much as DuckDB takes before it waits on the disk."""

_BLOCK: Final = 2**18  # spans; a block has whole traces, so it may have more


@dataclass(frozen=True, slots=True)
class _Alike:
    """Files that have the same columns: the `first` of them, what is read from which column, all of them as SQL."""

    first: str
    columns: Columns
    relation: str


def total(sources: Sequence[str], by: GroupBy | None = None) -> DatabaseTotals:
    """What is found over all traces of the files, folders and patterns in `sources`.

    Raises InputError as reading spans does, and if there are no spans.
    """
    named = ", ".join(sources)
    files = [file for source in sources for file in _files_of(source)]
    # made here: the child can't remove it if it is killed
    with tempfile.TemporaryDirectory(prefix="punie-trace-") as folder:
        (found,) = apart(limit_of(named, files), send_total, named, files, by, MEMORY, folder)
    return cast("DatabaseTotals", found)


def send_total(
    send: Send, named: str, files: Sequence[str], by: GroupBy | None, memory: str, folder: str
) -> None:
    """Send what is found over all traces of `files`; what is more than `memory` waits in `folder`."""
    try:
        import numpy  # noqa: F401 - DuckDB gives its columns as numpy's
    except ImportError as error:
        raise InputError(
            f"{named}: DuckDB and numpy, which add up Parquet, aren't both installed",
            remedy=install_hint("duckdb"),
        ) from error
    with connect(named, send, memory_limit=memory, temp_directory=folder) as duckdb:
        send(_total(duckdb, named, files, by, memory))


def _files_of(source: str) -> Iterator[str]:
    """The Parquet files that `source` names. Raises InputError for anything else, and if there are none."""
    place = Place(source)
    if place.is_folder:
        found = [path for path in sorted(place.path.rglob("*.parquet")) if not is_hidden(path)]
    elif not place.is_file and glob.has_magic(source):
        found = [Path(path) for path in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207 - may be absolute
    else:
        found = [place.path]
    if not found:
        raise InputError(f"{source}: holds no Parquet", remedy="Name files, or a folder with *.parquet.")
    for path in found:
        if not Place(str(path)).is_file:
            raise InputError(f"{path}: no such file or folder", remedy=CHECK_PATH)
        if not recognises(Place(str(path))):
            raise InputError(
                f"{path}: is no Parquet",
                remedy="--in-database adds up Parquet and clickhouse://…: leave it out for anything else.",
            )
        yield str(path)


def _total(
    duckdb: ReportingConnection, named: str, files: Sequence[str], by: GroupBy | None, memory: str
) -> DatabaseTotals:
    from punie.trace.store.parquet.blocks import Together

    for macro in MACROS:
        duckdb.connection.execute(macro)
    alike = _alike(duckdb, files)
    together = Together(_bring_together(duckdb, alike, by), by)
    more = ", trace IN (FROM linked) AS is_linked" if _find_linked(duckdb, alike) else ""
    now_ns = time.time_ns()

    def read(block: tuple[int, int]) -> BlockSums:
        return together.of_block(_columns(duckdb.connection, *block, more), now_ns)

    for number, sums in enumerate(_in_threads(read, _borders(duckdb)), start=1):
        together.take(sums)
        duckdb.send(WorkProgress(f"{number * _BLOCK:,} spans added up"))
    return together.totals(named, f"{memory} for DuckDB, then the disk below {tempfile.gettempdir()}")


def _alike(duckdb: ReportingConnection, files: Sequence[str]) -> Sequence[_Alike]:
    """The files, those together that have the same columns."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for file in files:
        alike.setdefault(tuple(column_types(duckdb, file).items()), []).append(file)
    return [_alike_of(dict(types), same) for types, same in alike.items()]


def _alike_of(types: Mapping[str, str], files: Sequence[str]) -> _Alike:
    if is_tempo(tuple(types)):
        raise InputError(
            f"{files[0]}: is a block of Tempo's, whose rows are traces", remedy="leave --in-database out"
        )
    if is_named_otherwise(types):
        raise InputError(
            f"{files[0]}: its columns have names of another tool's", remedy="leave --in-database out"
        )
    listed = ", ".join("'" + file_pattern(file).replace("'", "''") + "'" for file in files)
    return _Alike(files[0], choose_columns(types, files[0]), f"read_parquet([{listed}])")


def _bring_together(
    duckdb: ReportingConnection, alike: Sequence[_Alike], by: GroupBy | None
) -> tuple[Sequence[Sequence[str]], Sequence[str] | None]:
    """Make the table `spans`, those of a trace side by side; returns what its numbers for texts stand for.

    These are the places (the names that tell of a machine, the scope) and, by model, the models.
    """
    more = ", asked, served" if by is GroupBy.MODEL else ""
    narrow = " UNION ALL ".join(_narrow(duckdb, one, more) for one in alike)
    places = _numbered(duckdb, "places", f"SELECT place FROM ({narrow})")  # noqa: S608 - our own text
    models, model = None, ""
    if by is GroupBy.MODEL:
        models = _numbered(duckdb, "models", f"SELECT unnest([asked, served]) FROM ({narrow})")  # noqa: S608
        model = ", enum_code(CAST(if(served <> '', served, asked) AS models)) AS model"
    duckdb.execute(
        f"CREATE TABLE spans AS SELECT trace, span, parent, start_ns, end_ns, facts, "  # noqa: S608
        f"enum_code(CAST(place AS places)) AS place{model} FROM ({narrow}) ORDER BY trace",
        doing="reading spans and sorting them by trace",
    )
    none = SEPARATOR * len(semconv.MACHINE_NAMES)
    return [(place or none).split(SEPARATOR) for place in places], models


def _narrow(duckdb: ReportingConnection, files: _Alike, more: str) -> str:
    """The spans of `files` in few columns, as SQL."""
    columns, relation = files.columns, files.relation
    names = dict(_fields(duckdb.connection, columns, relation))
    try:
        for ours in ("attributes", "resource"):
            if listing := names_sql(columns, ours, relation):
                found = duckdb.execute(listing, doing="looking for attributes").fetchall()
                names[ours] = frozenset(str(row[0]) for row in found)
        return narrow_sql(columns, names, relation, more)
    except InputError as error:
        raise InputError(f"{files.first}: {error.message}", remedy=error.remedy) from None


def _find_linked(duckdb: ReportingConnection, alike: Sequence[_Alike]) -> bool:
    """Make the table `linked` of the traces that may have a part in another one; False if no span has a link.

    They are linked, in either direction, with a trace that has no query of ours: that may be a part of theirs.
    """
    from punie.trace.store.parquet.whole_traces import QUERY

    links = [sql for files in alike if (sql := links_sql(files.columns, files.relation))]
    if not links:
        return False
    duckdb.execute(f"CREATE TABLE links AS {' UNION ALL '.join(links)}", doing="looking for links")
    duckdb.execute(
        "CREATE TABLE linked AS WITH pairs AS (SELECT trace, other FROM links UNION ALL "  # noqa: S608 - our own text
        "SELECT other, trace FROM links WHERE other IS NOT NULL), others AS (SELECT trace FROM spans WHERE trace IN "
        f"(SELECT other FROM pairs) GROUP BY trace HAVING NOT bool_or(facts & {(1 << ROLE_BITS) - 1} = {QUERY})) "
        "SELECT DISTINCT trace FROM pairs WHERE other IS NULL OR other IN (FROM others)",
        doing="looking for linked traces",
    )
    return bool(duckdb.connection.execute("SELECT count(*) FROM linked").fetchall()[0][0])


def _fields(
    connection: duckdb.DuckDBPyConnection, columns: Columns, relation: str
) -> Mapping[str, frozenset[str]]:
    """The fields of the columns that are structs, by our names."""
    structs = [
        ours for ours, kind in columns.kinds.items() if kind.startswith("STRUCT(") and not kind.endswith("]")
    ]
    chosen = ", ".join(columns.expressions[ours] for ours in structs)
    if not structs:
        return {}
    found = connection.sql(f"SELECT {chosen} FROM {relation} LIMIT 0").types  # noqa: S608 - quoted
    return {
        ours: frozenset(name for name, _ in kind.children) for ours, kind in zip(structs, found, strict=True)
    }


def _numbered(duckdb: ReportingConnection, name: str, texts: str) -> Sequence[str]:
    """Make an enum of `texts`, a SELECT: with it DuckDB turns them into numbers, the places in what is returned."""
    sql = f"SELECT DISTINCT * FROM ({texts})"  # noqa: S608 - our own text
    found = duckdb.execute(sql, doing=f"looking for {name}").fetchall()
    words = sorted({"", *(str(row[0]) for row in found)})  # "" is 0
    listed = ", ".join("'" + word.replace("'", "''") + "'" for word in words)
    duckdb.connection.execute(f"CREATE TYPE {name} AS ENUM ({listed})")
    return words


def _borders(duckdb: ReportingConnection) -> Sequence[tuple[int, int]]:
    """The blocks of `spans`, from which row to before which: each begins with a trace."""
    found = duckdb.execute(
        f"SELECT min(rowid) FROM spans WHERE trace IN (SELECT trace FROM spans WHERE rowid % {_BLOCK} = 0) "  # noqa: S608
        "GROUP BY trace ORDER BY 1",
        doing="looking for whole traces",
    ).fetchall()
    ((size,),) = duckdb.connection.execute("SELECT count(*) FROM spans").fetchall()
    firsts = [int(row[0]) for row in found]
    return list(zip(firsts, [*firsts[1:], int(size)], strict=True))


def _columns(connection: duckdb.DuckDBPyConnection, begin: int, end: int, more: str) -> Mapping[str, Any]:
    with connection.cursor() as cursor:
        return cursor.execute(
            "SELECT * EXCLUDE (trace), CAST(trace >> 64 AS UBIGINT) AS high, "  # noqa: S608
            f"CAST(trace & {2**64 - 1} AS UBIGINT) AS low{more} FROM spans WHERE rowid >= ? AND rowid < ?",
            [begin, end],
        ).fetchnumpy()


def _in_threads(
    read: Callable[[tuple[int, int]], BlockSums], blocks: Sequence[tuple[int, int]]
) -> Iterator[BlockSums]:
    """What is read of each block, in their order, as many at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            yield from pool.map(read, blocks)
        finally:
            pool.shutdown(cancel_futures=True)
