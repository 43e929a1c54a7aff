"""What comes of `report`, whatever its source is."""

from __future__ import annotations

from fuzzing.oracle import check_document


def reported(source: str, pick: int | None) -> str:
    """Read it, and look at its report; `pick` chooses the formats (None: all)."""
    from punie.trace.report.builders.run import build_run
    from punie.trace.usecases.load import load_source
    from punie.trace.usecases.run_report import VerdictTargets, build_report

    report = build_report(load_source(source), VerdictTargets())
    for record in (*report.analysis.records, *report.analysis.warmup):
        record.ledger.check()
    check_document(build_run(report), pick)
    return "report" if report.analysis.records else "report without queries"
