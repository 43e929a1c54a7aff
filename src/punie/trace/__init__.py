"""Where does a local agent's time go? Spans, an exact ledger, and a verdict."""

from punie.trace.api import (
    ComparisonReport,
    Report,
    RunReport,
    analyse,
    compare,
    instrument,
    read_spans,
    render,
    uninstrument,
)

__all__ = [
    "ComparisonReport",
    "Report",
    "RunReport",
    "analyse",
    "compare",
    "instrument",
    "read_spans",
    "render",
    "uninstrument",
]
