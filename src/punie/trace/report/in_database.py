"""What a database added up, with what was not computed said beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.analysis.summary.database_totals import Where
from punie.trace.report.parts import PartsReport, parts_json
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.summary.database_totals import DatabaseTotals

SCHEMA: Final = "punie.trace.in_database"
SCHEMA_VERSION: Final = 1
NOT_COMPUTED: Final = (
    "integrity",
    "verdicts",
    "intervals",
    "single queries",
    "tokens",
    "critical path",
    "prompt cache",
    "what-if",
)
_WHERE: Final = {
    Where.ONE_SERVER: "added up in the database; only sums travelled",
    Where.EACH_SHARD: "added up on each shard; only sums travelled",
    Where.GATHERED: "added up on one server: the spans travelled there from the others",
}


def parts_report(totals: DatabaseTotals) -> PartsReport:
    """The sums, ready to be written."""
    return PartsReport(
        source=totals.source,
        head=(_WHERE[totals.where],),
        total=totals.total,
        by=totals.by,
        parts=totals.parts,
        tail=tuple(_aside(totals)),
        document={
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "not_computed": NOT_COMPUTED,
            "source": totals.source,
            "where": totals.where.value,
            "named": totals.named,
            "may_be_cut": totals.may_be_cut,
            **parts_json(totals.total, totals.by, totals.parts),
        },
    )


def _aside(totals: DatabaseTotals) -> Iterator[str]:
    apart = totals.total.needs_tree
    if apart:
        more = ", …" if apart > len(totals.named) else ""
        yield (
            f"{count_text(apart, 'trace')} more can only be judged with the tree, and "
            f"{'is' if apart == 1 else 'are'} in no figure: {', '.join(totals.named)}{more}"
        )
    if totals.may_be_cut:
        yield "as many traces as limit= allows: there may be more"
    yield f"Not computed here: {', '.join(NOT_COMPUTED)}."
    yield "Without --in-database the newest traces are read, and all of it is."
