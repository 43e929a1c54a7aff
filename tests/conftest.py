"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from punie.trace import urls

TESTS = Path(__file__).parent
SLOW = (
    "bench/test_bench_parts.py",
    "bench/test_speculative_demo.py",
    "commands/test_serve.py",
    "commands/test_ship.py",
    "demo/test_demo_model_scores.py",
    "doctor",
    "end_to_end",
    "hostile/test_grpc_receivers.py",
    "hostile/test_malformed.py",
    "hostile/test_models.py",
    "hostile/test_secrets.py",
    "hostile/test_servers.py",
    "project/test_one_file_one_line.py",
    "project/test_packaging.py",
    "server",
    "stack",
    "store/test_in_database_cluster.py",
    "telemetry/test_agent_tree.py",
    "telemetry/test_instrumented_programs.py",
    "telemetry/test_mlx_",
    "telemetry/test_shipper",
    "telemetry/test_stream_requests.py",
)
"""Tests that start servers or processes, or build something: `.ci/run --quick` leaves them out."""


TOGETHER = ("end_to_end", "stack", "telemetry/test_mlx_")
"""Tests that share what takes seconds to start, in several files: with `-n` one process runs all of them."""


def pytest_configure() -> None:
    """Processes that tests start obey Ctrl-C, also where the tests run in the background of a script."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> None:
    """Passwords of URLs that another test gave in this process aren't taken out of what this one prints."""
    urls._remembered.clear()  # noqa: SLF001 # no command forgets: its process ends


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the slow ones; with `-n` a file stays in one process, and the slow files come first."""
    names = {item: item.path.relative_to(TESTS).as_posix() for item in items if TESTS in item.path.parents}
    for item, name in names.items():
        if name.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    for item in items:
        name = names.get(item, str(item.path))
        together = next((prefix for prefix in TOGETHER if name.startswith(prefix)), name)
        item.add_marker(pytest.mark.xdist_group(together))
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True, scope="session")
def _nobody_is_looked_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs that tests start send nothing to a Collector that happens to listen on the developer's machine.

    Nor do they know what `improve` predicted on it.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("OTEL_", "LOGFIRE_"))]:
            patch.delenv(name)
        patch.setenv("OTEL_TRACES_EXPORTER", "none")
        patch.setenv(
            "XDG_STATE_HOME", str(tmp_path_factory.mktemp("state"))
        )  # what was predicted here before
        yield
