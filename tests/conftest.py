"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _nobody_is_looked_for() -> Iterator[None]:
    """Runs that tests start send nothing to a Collector that happens to listen on the developer's machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("OTEL_", "LOGFIRE_"))]:
            patch.delenv(name)
        patch.setenv("OTEL_TRACES_EXPORTER", "none")
        yield
