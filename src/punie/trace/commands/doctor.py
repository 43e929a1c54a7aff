"""`doctor`: what is installed, reachable and misconfigured, each with the next step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import jaeger_flag
from punie.trace.errors import ExitCode
from punie.trace.options import choice, flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie.trace.doctor.check import Check

HELP: Final = "what is installed, reachable and misconfigured, with the next step"
DESCRIPTION: Final = (
    "Looks at what a run needs (packages, the model server, the model, memory, disk, the clock) and at what shows "
    "its spans (Collector, Jaeger, Prometheus, Grafana). Changes nothing and sends no span. "
    "Ends with 1 if something that a run needs fails."
)
EXAMPLES: Final = ("doctor", "doctor --model models/qwen3-8b --format json")


@dataclass(frozen=True, slots=True)
class Options:
    """What `doctor` was asked to look at."""

    model: str | None = flag("--model", "PATH", "the model to look at", shown="the demo model")
    runs: Path = flag("--runs", "DIR", "where run folders go", parse=Path, default=Path("runs"))
    jaeger: str | None = jaeger_flag()
    format: str = choice("--format", ("text", "json"), "of what is printed", default="text")


def execute(options: Options) -> int:
    """Run every check and print what was found. Raises UsageError for an address that is none."""
    from punie.trace.console.standard_streams import write_out_inert
    from punie.trace.doctor.check import run_checks
    from punie.trace.doctor.text import as_json, as_text, failed

    findings = run_checks(_checks(options))
    write_out_inert(as_json(findings) if options.format == "json" else as_text(findings))
    return int(ExitCode.GATE_FAILED if failed(findings) else ExitCode.OK)


def _checks(options: Options) -> Sequence[tuple[str, Check]]:
    from punie.trace.demo.paths import target_model_path
    from punie.trace.doctor import clock, model, packages, ports, server_package
    from punie.trace.server.memory_limit import recommended_limit
    from punie.trace.usecases.waterfall_links import JaegerPage

    page = JaegerPage.of(options.jaeger)
    found = model.find_model(options.model or target_model_path())
    return (
        ("packages", packages.check_packages),
        ("extras", packages.check_extras),
        ("mlx_lm.server", server_package.check_server_package),
        ("matmul", server_package.check_speed),
        ("model", lambda: model.check_model(found)),
        ("chat template", lambda: model.check_template(found)),
        ("memory", lambda: model.check_memory(found.weights_bytes(), recommended_limit())),
        ("disk", lambda: model.check_disk(options.runs)),
        ("clock", clock.check_clock),
        ("NTP", clock.check_synchronisation),
        ("proxies", ports.check_proxies),
        ("serve's port", ports.check_serve_port),
        ("Collector", ports.check_collector),
        ("Jaeger", lambda: ports.check_jaeger(page.url)),
        ("Prometheus", ports.check_prometheus),
        ("Grafana", ports.check_grafana),
    )
