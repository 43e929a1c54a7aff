"""The dashboard's file: made by its generator, of names that we know, each panel saying what it can't say."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from dashboard_figures import FIGURES
from dashboard_panels import ROWS
from dashboard_queries import Query, begun_anew, grown
from generate import FOLDER, PROMETHEUS, dashboards
from semconv_names import known_names
from stack_programs import ROOT

from punie.trace.analysis.verdicts.generation import THRESHOLD
from punie.trace.stack_ports import DEFAULTS, StackPort
from stack import require

PANELS: Final = [panel for row in ROWS for panel in row.panels]
QUERIES: Final = [query for panel in PANELS for query in panel.queries]
# What the Collector's span metrics and Prometheus call their own things.
THEIRS: Final = {
    *("traces_span_metrics_calls_total", "traces_span_metrics_duration_milliseconds"),
    *("service_name", "span_name", "span_kind", "status_code", "le"),
}
PROMQL: Final = {
    *("sum", "by", "max", "on", "group_left", "or", "and", "bool", "offset", "resets"),
    *("last_over_time", "min_over_time", "histogram_quantile"),
}
QUOTED: Final = re.compile(r'"[^"]*"|\[[^]]*\]|\b\d+(?:\.\d+)?\w*|\$\w+')
ENDINGS: Final = re.compile(r"_(?:total|seconds|bucket|sum|count)$")


def _file() -> dict[str, Any]:
    (text,) = dashboards().values()
    return dict(json.loads(text))


def _drawn() -> list[dict[str, Any]]:
    return [panel for panel in _file()["panels"] if panel["type"] != "row"]


def test_what_is_committed_is_what_the_generator_makes() -> None:
    committed = {path.name: path.read_text() for path in (FOLDER / "json").iterdir()}
    assert committed == dashboards(), "python dashboards/generate.py makes it anew"


def _names(query: Query) -> Iterator[str]:
    for name in re.findall(r"[a-z_]\w*", QUOTED.sub(" ", query.promql)):
        while ENDINGS.search(name) and name not in THEIRS:
            name = ENDINGS.sub("", name)
        yield name


def test_every_name_in_a_query_stands_in_semconv() -> None:
    known = {name.replace(".", "_") for name in known_names()} | THEIRS | PROMQL
    found = {name for query in QUERIES for name in _names(query)}
    assert len(found) > 30
    assert found - known == set()


def test_every_metric_that_is_not_of_spans_is_one_that_the_collector_makes() -> None:
    connectors = yaml.safe_load((ROOT / "collector" / "collector.yaml").read_text())["connectors"]
    made = {metric["name"].replace(".", "_") for metric in connectors["signal_to_metrics"]["spans"]}
    dimensions = {one["name"].replace(".", "_") for one in connectors["span_metrics"]["dimensions"]}
    used = {name for query in QUERIES for name in _names(query)} - THEIRS - PROMQL
    assert used <= made | dimensions


def test_every_query_has_a_figure_that_it_is_held_against() -> None:
    assert {query.name for query in QUERIES} == set(FIGURES)


def test_every_panel_has_all_of_its_queries_and_says_what_it_cant_say() -> None:
    for panel, drawn in zip(PANELS, _drawn(), strict=True):
        assert [target["expr"] for target in drawn["targets"]] == [query.promql for query in panel.queries]
        assert [target["instant"] for target in drawn["targets"]] == [
            query.is_instant for query in panel.queries
        ]
        assert drawn["description"] == panel.description
        assert panel.says.endswith(".")
        assert panel.cant_say.endswith(".")
        assert drawn["fieldConfig"]["defaults"]["unit"] == panel.unit
        assert drawn["fieldConfig"]["defaults"]["noValue"] == panel.nothing


def test_the_line_at_which_generation_is_judged_is_the_verdicts() -> None:
    lines = [
        drawn["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"]
        for panel, drawn in zip(PANELS, _drawn(), strict=True)
        if any(query.name == "generation.share" for query in panel.queries)
    ]
    assert lines == [THRESHOLD, THRESHOLD]


def test_ids_are_unique_and_no_panel_lies_on_another() -> None:
    panels = _file()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        cell
        for panel in panels
        for cell in itertools.product(
            range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"]),
            range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"]),
        )
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def test_grafana_finds_the_file_and_its_sources_where_compose_puts_them() -> None:
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    (mounted,) = (volume for volume in grafana["volumes"] if volume.startswith("./dashboards:"))
    (provider,) = _provisioned("dashboards")["providers"]
    assert Path(provider["options"]["path"]) == Path(mounted.split(":")[1]) / "json"
    sources = {one["uid"]: one for one in _provisioned("datasources")["datasources"]}
    assert PROMETHEUS.uid in sources
    (inside, page) = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert inside["datasourceUid"] in sources
    port = StackPort.JAEGER.value
    assert (
        page["url"] == f"http://127.0.0.1:${port}/trace/$${{__value.raw}}"
    )  # `$$`: else a variable of Grafana's
    assert f"{port}:-{DEFAULTS[StackPort.JAEGER]}" in grafana["environment"][port]
    assert inside["name"] == page["name"] == "trace_id"


def _provisioned(kind: str) -> dict[str, Any]:
    (file,) = (FOLDER / "provisioning" / kind).iterdir()
    return dict(yaml.safe_load(file.read_text()))


# series as `promtool` writes them, a value each 5 s from 0 (`_` is none); growth and restarts in the last 30 s of 60
GROWTH: Final = {
    "born with its first value": ("_x8 7x4", 7, 0),
    "there before": ("5x8 12x4", 7, 0),
    "unchanged": ("5x12", 0, 0),
    "not asked while the machine slept over the edge": ("5x3 _x5 9x3", 4, 0),
    "began anew within the window": ("5x8 2x4", 2, 1),
    "began anew at its edge": ("50x4 _x3 3x4", 3, 1),
}


@pytest.mark.parametrize("what", GROWTH)
def test_growth_is_what_came_in_the_window(what: str, tmp_path: Path) -> None:
    require("promtool")
    values, grew, restarts = GROWTH[what]
    check = {
        "evaluation_interval": "5s",
        "tests": [
            {
                "interval": "5s",
                "input_series": [{"series": 'calls_total{phase="decode"}', "values": values}],
                "promql_expr_test": [
                    {
                        "expr": question("calls_total", "30s"),
                        "eval_time": "60s",
                        "exp_samples": [{"labels": '{phase="decode"}', "value": figure}],
                    }
                    for question, figure in ((grown, grew), (begun_anew, restarts))
                ],
            }
        ],
    }
    file = tmp_path / "growth.yaml"
    file.write_text(yaml.safe_dump(check))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)],  # noqa: S607 # Debian's, beside Prometheus
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
