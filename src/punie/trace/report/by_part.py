"""A report's queries by day or model, with what is wrong with their traces said before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.report import rows
from punie.trace.report.integrity_section import integrity_lines
from punie.trace.report.json_document import plain
from punie.trace.report.parts import PartsReport, parts_json

if TYPE_CHECKING:
    from punie.trace.analysis.summary.parts import By, Part
    from punie.trace.report.content import Report

SCHEMA: Final = "punie.trace.parts"
SCHEMA_VERSION: Final = 1


def parts_report(report: Report, by: By, total: Part, parts: tuple[Part, ...]) -> PartsReport:
    """The parts, ready to be written."""
    about, analysis = report.about, report.analysis
    problems = integrity_lines(analysis, indent="  ")
    return PartsReport(
        source=about.run_id or about.source,
        head=(
            *rows.headline(about, analysis),
            *(problems or (f"Nothing wrong in {rows.amount(about)}.",)),
        ),
        total=total,
        by=by,
        parts=parts,
        tail=(),
        document={
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "source": about.source,
            "integrity": plain(analysis.integrity),
            "missing": plain(analysis.missing),
            **parts_json(total, by, parts),
        },
    )
