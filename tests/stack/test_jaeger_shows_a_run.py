"""A real run, through the Collector, in Jaeger: span for span, with its tree, and the same report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode
from stack import ShippedRun, Stack, traces_in_jaeger

SENT_BY_A_QUERY_WITH_A_TOOL = {
    ("agent", "query", ""),
    ("agent", "invoke_agent assistant", "query"),
    ("agent", "chat default_model", "invoke_agent assistant"),
    ("agent", "execute_tool run_command", "invoke_agent assistant"),
    ("agent", "POST", "chat default_model"),
    ("agent", "parse", "chat default_model"),
    ("mlx_lm", "server request", "POST"),
    ("mlx_lm", "queue", "server request"),
    ("mlx_lm", "template", "server request"),
    ("mlx_lm", "prefill", "server request"),
    ("mlx_lm", "decode", "server request"),
    ("mlx_lm", "parse", "server request"),
}


def _report(source: str, folder: Path) -> dict[str, Any]:
    out = folder / "report.json"
    assert main(["report", source, "-o", str(out), "--force"]) == ExitCode.OK
    return dict(json.loads(out.read_text()))


def test_every_span_of_the_journal_is_in_jaeger_once_to_the_nanosecond(
    stack: Stack, shipped_run: ShippedRun
) -> None:
    ours = {span.trace_id for span in shipped_run.spans}
    shown = [span for trace, spans in traces_in_jaeger(stack).items() if trace in ours for span in spans]
    assert sorted(
        (
            span["traceId"],
            span["spanId"],
            span.get("parentSpanId") or None,
            span["name"],
            span["service"],
            span["kind"],
            int(span["startTimeUnixNano"]),
            int(span["endTimeUnixNano"]),
        )
        for span in shown
    ) == sorted(
        (
            span.trace_id,
            span.span_id,
            span.parent_id,
            span.name,
            span.resource["service.name"],
            span.kind,
            span.start_ns,
            span.end_ns,
        )
        for span in shipped_run.spans
    )


def test_the_tree_goes_from_the_query_to_the_token(stack: Stack, shipped_run: ShippedRun) -> None:
    (root,) = (
        span for span in shipped_run.spans if span.attributes.get("punie.query.id") == "view-functions"
    )
    spans = traces_in_jaeger(stack)[root.trace_id]
    names = {span["spanId"]: span["name"] for span in spans}
    shown = {(span["service"], span["name"], names.get(span.get("parentSpanId", ""), "")) for span in spans}
    assert shown >= SENT_BY_A_QUERY_WITH_A_TOOL


def test_the_report_of_jaeger_is_the_report_of_the_run(shipped_run: ShippedRun, tmp_path: Path) -> None:
    of_run = _report(str(shipped_run.folder), tmp_path)
    of_jaeger = _report(shipped_run.source, tmp_path)
    of_run.pop("about")  # of the folder's run.json: the plan, versions, the machine
    assert of_jaeger.pop("about")["source"] == shipped_run.source
    assert of_jaeger == of_run
    assert len(of_run["queries"]) == 5
