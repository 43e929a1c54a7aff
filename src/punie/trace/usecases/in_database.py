"""Ledgers that are added up where the spans lie: which engine does it for which sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from punie.trace.errors import UsageError
from punie.trace.store.clickhouse.query import SCHEME
from punie.trace.urls import without_password

if TYPE_CHECKING:
    from punie.trace.analysis.summary.database_totals import DatabaseTotals
    from punie.trace.analysis.summary.parts import GroupBy


def added_up(sources: Sequence[str], by: GroupBy | None) -> DatabaseTotals:
    """The sums over one `clickhouse://` URL or over Parquet files, folders of them and patterns.

    Raises UsageError for any other place, InputError as reading spans does.
    """
    urls = [source for source in sources if "://" in source]
    if not urls:
        from punie.trace.store.parquet import in_database as parquet

        return parquet.total(sources, by)
    if len(sources) > 1:
        raise UsageError(f"--in-database: sums one URL, not {len(sources)} sources", remedy="name one")
    if not urls[0].startswith(f"{SCHEME}://"):
        raise UsageError(
            f"--in-database: {without_password(urls[0])} is neither Parquet nor a {SCHEME}:// URL",
            remedy="leave --in-database out: the spans are then read from here",
        )
    from punie.trace.store.clickhouse.in_database import total

    return total(urls[0], by)
