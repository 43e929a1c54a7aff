"""`doctor`: what is installed, reachable and misconfigured, each with the next step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.errors import ExitCode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from punie.trace.doctor.check import Check

HELP: Final = "what is installed, reachable and misconfigured, with the next step"
DESCRIPTION: Final = (
    "Looks at what a run needs (packages, the model server, the model, memory, disk, the clock) and at what shows "
    "its spans (Collector, Jaeger, Prometheus, Grafana). Changes nothing and sends no span. "
    "Ends with 1 if something that a run needs fails."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `doctor`."""
    parser.add_argument("--model", metavar="PATH", help="the model to look at (default: the demo model)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where run folders go")
    parser.add_argument(
        "--jaeger", metavar="URL", help="the page that shows waterfalls (default: http://127.0.0.1:16686)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")


def execute(options: argparse.Namespace) -> int:
    """Run every check and print what was found. Raises UsageError for an address that is none."""
    from punie.trace.commands.standard_streams import write_out
    from punie.trace.doctor.check import run_checks
    from punie.trace.doctor.text import as_json, as_text, failed

    findings = run_checks(_checks(options))
    write_out(as_json(findings) if options.format == "json" else as_text(findings))
    return int(ExitCode.GATE_FAILED if failed(findings) else ExitCode.OK)


def _checks(options: argparse.Namespace) -> Sequence[tuple[str, Check]]:
    from punie.trace.commands.links import JaegerPage
    from punie.trace.demo.paths import target_model_path
    from punie.trace.doctor import clock, model, packages, ports, server_package
    from punie.trace.server import recommended_limit

    page = JaegerPage.of(options.jaeger)
    found = model.find_model(options.model or target_model_path())
    return (
        ("packages", packages.check_packages),
        ("extras", packages.check_extras),
        ("mlx_lm.server", server_package.check_server_package),
        ("matmul", server_package.check_speed),
        ("model", lambda: model.check_model(found)),
        ("memory", lambda: model.check_memory(found.weights_bytes(), recommended_limit())),
        ("disk", lambda: model.check_disk(options.runs)),
        ("clock", clock.check_clock),
        ("NTP", clock.check_synchronisation),
        ("serve's port", ports.check_serve_port),
        ("Collector", ports.check_collector),
        ("Jaeger", lambda: ports.check_jaeger(page.url)),
        ("Prometheus", ports.check_prometheus),
        ("Grafana", ports.check_grafana),
    )
