"""`doctor`: what is installed, reachable and misconfigured, each with the next step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import jaeger_flag
from punie.trace.errors import ExitCode, UsageError
from punie.trace.options import choice, flag, path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie.trace.analysis.verdicts.assessment import Integrity
    from punie.trace.doctor.check import Check, CheckResult

HELP: Final = "what is installed, reachable and misconfigured, with the next step"
DESCRIPTION: Final = (
    "Looks at what a run needs (packages, the model server, the model, memory, disk, the clock) and at what shows "
    "its spans (Collector, Jaeger, Prometheus, Grafana). Changes nothing and sends no span. "
    "Ends with 1 if something that a run needs fails."
)
EXAMPLES: Final = (
    "doctor",
    "doctor --model models/qwen3-8b --format json",
    "doctor --bundle bundle.json --run runs/2026-11-23T14-05-09-demo",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What `doctor` was asked to look at."""

    model: str | None = flag("--model", "PATH", "the model to look at", shown="the demo model")
    runs: Path = flag("--runs", "DIR", "where run folders go", parse=path, default=Path("runs"))
    jaeger: str | None = jaeger_flag()
    format: str = choice("--format", ("text", "json"), "of what is printed", default="text")
    bundle: Path | None = flag(
        "--bundle",
        "FILE",
        "print and write what a bug report needs, without content or paths; - only prints",
        parse=path,
    )
    run: str | None = flag("--run", "RUN", "for --bundle: a run whose findings it lists")


def execute(options: Options) -> int:
    """Run every check and print what was found. Raises UsageError for an address or a file that can't be used."""
    from punie.trace.commands.output import STANDARD_OUTPUT, refuse_unwritable, terminal_width
    from punie.trace.console.standard_streams import write_out_inert
    from punie.trace.doctor.check import run_checks
    from punie.trace.doctor.text import as_json, as_text, failed

    if options.run is not None and options.bundle is None:
        raise UsageError("--run is for --bundle", remedy="punie-trace report RUN shows a run")
    if options.bundle is not None and options.bundle != STANDARD_OUTPUT:
        refuse_unwritable(options.bundle, force=False)
    findings = run_checks(_checks(options))
    if options.bundle is not None:
        _bundle(options, findings)
        return int(ExitCode.OK)
    as_wanted = as_json(findings) if options.format == "json" else as_text(findings, terminal_width())
    write_out_inert(as_wanted)
    return int(ExitCode.GATE_FAILED if failed(findings) else ExitCode.OK)


def _bundle(options: Options, checks: Sequence[CheckResult]) -> None:
    """Print the bundle, then write it where the user named a file."""
    from punie.trace.commands.output import STANDARD_OUTPUT
    from punie.trace.console.standard_streams import harmless, write_err, write_out
    from punie.trace.doctor.bundle import Bundle
    from punie.trace.machine.environment import package_versions
    from punie.trace.machine.facts import machine_facts
    from punie.trace.store.files.whole_file import write_whole

    findings = None if options.run is None else _findings_of(options.run)
    places = (options.model, options.run, str(options.runs.absolute()), str(Path.cwd()), str(Path.home()))
    bundle = Bundle(package_versions(), machine_facts(), checks, findings, [*filter(None, places)])
    text = harmless(bundle.as_json())
    write_out(text)
    if options.bundle is not None and options.bundle != STANDARD_OUTPUT:
        write_whole(options.bundle, text)
        write_err(f"Wrote {options.bundle}: look through it before you send it\n")


def _findings_of(run: str) -> Sequence[Integrity]:
    from punie.trace.usecases.load import load_source
    from punie.trace.usecases.run_report import VerdictTargets, build_report

    return build_report(load_source(run), VerdictTargets(None, None)).analysis.integrity


def _checks(options: Options) -> Sequence[tuple[str, Check]]:
    from punie.trace.demo.paths import target_model_path
    from punie.trace.doctor import clock, model, packages, ports, server_package
    from punie.trace.server.memory_limit import recommended_limit
    from punie.trace.usecases.waterfall_links import JaegerPage

    page = JaegerPage.of(options.jaeger)
    located = model.find_model(options.model or target_model_path())
    return (
        ("packages", packages.check_packages),
        ("extras", packages.check_extras),
        ("mlx_lm.server", server_package.check_server_package),
        ("matmul", server_package.check_speed),
        ("model", lambda: model.check_model(located)),
        ("chat template", lambda: model.check_template(located)),
        ("memory", lambda: model.check_memory(located.weights_bytes(), recommended_limit())),
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
