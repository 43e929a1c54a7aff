"""The environment variables of OpenTelemetry and logfire, out of the way while something is built."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def telemetry_environment_hidden(keep: Collection[str] = ()) -> Iterator[None]:
    """Hide `OTEL_*` and `LOGFIRE_*`, but for those in `keep`, until the block ends.

    logfire and the SDK take exporters, samplers and limits from them, an exporter takes headers meant for
    another address; they read them when they are built and have no parameter for "don't". For start-up code:
    other threads see the gap too.
    """
    hidden = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("OTEL_", "LOGFIRE_")) and name not in keep
    }
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
