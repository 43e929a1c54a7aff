"""Writes `json/` anew: `uv run python dashboards/generate.py`. A test holds the committed files against it."""

from __future__ import annotations

import itertools
import json
import string
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dashboard_panel import Panel, Shape
from dashboard_panels import ROWS
from dashboard_queries import ACCOUNT, AGENT, CALLS, RUN, SERVER, Query
from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from punie.trace import semconv
from punie.trace.model import Provenance
from punie.trace.stack_ports import DEFAULTS, StackPort

FOLDER: Final = Path(__file__).parent
JAEGER_PORT: Final = "$jaeger_port"
JAEGER: Final = "http://127.0.0.1:${jaeger_port}"
PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
SHORTEST_STEP: Final = "1m"  # the Collector tells every 5 s, Prometheus asks every 5 s

Builder = stat.Panel | table.Panel | timeseries.Panel


def dashboards() -> Mapping[str, str]:
    """The text of every file in `json/`, by name."""
    made = json.dumps(_dashboard().build(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False)
    return {"where-the-time-goes.json": made + "\n"}


def _dashboard() -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard("Where the time goes")
        .uid("punie-trace")
        .description("Made by dashboards/generate.py. Reports, not this page, have intervals and verdicts.")
        .tags(["punie.trace"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(_service(AGENT, "agent", semconv.SERVICE_AGENT))
        .with_variable(_service(SERVER, "model server", semconv.SERVICE_SERVER))
        .with_variable(_account())
        .with_variable(_jaeger_port())
        .link(
            dashboard.DashboardLink("Jaeger")
            .type(DashboardLinkType.LINK)
            .url(f"{JAEGER}/search")
            .target_blank(True)
        )
    )
    number = itertools.count(1)
    for row in ROWS:
        made.with_row(dashboard.Row(row.title).id(next(number)))
        for panel in row.panels:
            made.with_panel(_panel(panel).height(row.height).id(next(number)))
    return made


def _service(variable: str, title: str, usual: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.removeprefix("$"))
        .label(title)
        .description(f"The service whose spans count as the {title}'s.")
        .datasource(PROMETHEUS)
        .query(f"label_values({CALLS}, service_name)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .current(VariableOption(selected=True, text=usual, value=usual))
    )


def _account() -> dashboard.CustomVariable:
    kinds = [Provenance.SERVER.value, Provenance.BODY.value, Provenance.STREAM.value]
    return (
        dashboard.CustomVariable(ACCOUNT.removeprefix("$"))
        .label("phases known from")
        .description(
            "Server, response body and stream tell of the same work: one is stacked. "
            "Where the server isn't traced, take stream."
        )
        .values(",".join(kinds))
        .options([VariableOption(selected=kind == kinds[0], text=kind, value=kind) for kind in kinds])
        .current(VariableOption(selected=True, text=kinds[0], value=kinds[0]))
    )


def _jaeger_port() -> dashboard.TextBoxVariable:
    """A file that Grafana is provisioned with knows no environment: who moves Jaeger writes its port here."""
    port = str(DEFAULTS[StackPort.JAEGER])
    return (
        dashboard.TextBoxVariable(JAEGER_PORT.removeprefix("$"))
        .label("Jaeger's port")
        .description(f"On this machine, as {StackPort.JAEGER.value} sets it.")
        .default_value(port)
        .current(VariableOption(selected=True, text=port, value=port))
    )


def _panel(panel: Panel) -> Builder:
    made = (
        _shaped(panel)
        .title(panel.title)
        .description(panel.description)
        .datasource(PROMETHEUS)
        .unit(panel.unit)
        .no_value(panel.nothing)
        .span(panel.width)
        .interval(SHORTEST_STEP)
    )
    for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        made.with_target(_target(query, letter, panel.shape))
    if panel.found_in_jaeger:
        made.data_links([_link(panel.found_in_jaeger)])
    return made


def _shaped(panel: Panel) -> Builder:
    match panel.shape:
        case Shape.FIGURES:
            return _figures(panel)
        case Shape.ROWS:
            return _rows(panel)
        case _:
            return _over_time(panel)


def _figures(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .graph_mode(looks.BigValueGraphMode.NONE)
        .text_mode(looks.BigValueTextMode.VALUE_AND_NAME)
        .orientation(looks.VizOrientation.HORIZONTAL)
        .thresholds(_limits(panel.line))
    )
    return made.color_mode(
        looks.BigValueColorMode.NONE if panel.line is None else looks.BigValueColorMode.VALUE
    )


def _rows(panel: Panel) -> table.Panel:
    made = table.Panel().show_header(True)
    letters = string.ascii_uppercase[: len(panel.columns)]
    renamed = {RUN: "run"} | {
        f"Value #{a}": title for a, (_, title) in zip(letters, panel.columns, strict=True)
    }
    made.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    made.with_transformation(
        DataTransformerConfig(
            id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": renamed}
        )
    )
    for unit, title in panel.columns:
        made.override_by_name(title, [DynamicConfigValue(id_val="unit", value=unit)])
    return made


def _over_time(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .legend(
            common.VizLegendOptions()
            .display_mode(looks.LegendDisplayMode.LIST)
            .placement(looks.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
        .span_nulls(False)  # no line across a time without runs
    )
    match panel.shape:
        case Shape.STACKED:
            made.draw_style(looks.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
            made.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
        case Shape.POINTS:
            made.draw_style(looks.GraphDrawStyle.LINE).show_points(looks.VisibilityMode.ALWAYS).point_size(7)
            made.axis_soft_min(0)
        case _:
            made.draw_style(looks.GraphDrawStyle.LINE).show_points(looks.VisibilityMode.NEVER).axis_soft_min(
                0
            )
    if panel.line is not None:
        made.thresholds(_limits(panel.line)).axis_soft_max(1)
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphTresholdsStyleMode.DASHED))
        made.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    return made


def _limits(line: float | None) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color="blue")]
    if line is not None:
        steps.append(Threshold(value=line, color="orange"))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _target(query: Query, letter: str, shape: Shape) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.promql).legend_format(query.legend).ref_id(letter)
    made.datasource(PROMETHEUS)
    if shape is Shape.ROWS:
        made.format(PromQueryFormat.TABLE)
    if query.is_instant:
        return made.instant()
    return made.range().exemplar(query.exemplars)


def _link(search: str) -> dashboard.DashboardLink:
    """To the traces of the range on the screen; Jaeger takes microseconds, Grafana has milliseconds."""
    return (
        dashboard.DashboardLink("Traces in Jaeger")
        .type(DashboardLinkType.LINK)
        .url(f"{JAEGER}/search?{search}&start=${{__from}}000&end=${{__to}}000&lookback=custom&limit=100")
        .target_blank(True)
    )


def main() -> None:
    """Write every file."""
    folder = FOLDER / "json"
    folder.mkdir(exist_ok=True)
    for name, text in dashboards().items():
        (folder / name).write_text(text)
        sys.stdout.write(f"Wrote {folder / name}\n")


if __name__ == "__main__":
    main()
