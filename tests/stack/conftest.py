"""One stack and one shipped run for the whole session."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from punie.trace.store.runs.run_folder import RunFolder
from stack import ShippedRun, Stack, page_assets, start_stack, wait_for_spans


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Jaeger, the Collector and Prometheus, for tests that break nothing."""
    with start_stack(tmp_path_factory.mktemp("stack"), prometheus=True, jaeger_ui=page_assets()) as running:
        yield running


@pytest.fixture(scope="session")
def shipped_run(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> ShippedRun:
    """A real run, on the real server, sent to `stack`; all its spans are in Jaeger when this returns."""
    runs = tmp_path_factory.mktemp("shipped")
    command = [sys.executable, "-m", "punie.trace", "run", "--runs", str(runs), "--seed", "7"]
    started_s = time.time()
    done = subprocess.run(
        [*command, "--otlp", stack.otlp_http, "--jaeger", stack.jaeger_query],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (path for path in runs.iterdir() if path.is_dir())
    journal = RunFolder.open(folder).load_spans()
    wait_for_spans(stack, len(journal.spans))
    return ShippedRun(
        folder=folder,
        printed=done.stdout + done.stderr,
        spans=journal.spans,
        source=f"{stack.jaeger_source}?service=agent&lookback=1h&limit=100",
        started_s=started_s,
        ended_s=time.time(),
    )
