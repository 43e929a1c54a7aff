"""Where `run` sends spans while it goes on, and what it says of that at the end."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from punie.trace.commands.progress import ConsoleProgress
    from punie.trace.telemetry.targets import Target


@dataclass(frozen=True, slots=True)
class Sending:
    """The targets that the user named, and whether content goes there too."""

    targets: tuple[Target, ...]
    content: bool

    @contextmanager
    def following(self, spans_dir: Path, progress: ConsoleProgress) -> Iterator[None]:
        """Send what is written into `spans_dir` during this block; the account of each target is said after it."""
        if not self.targets:
            yield
            return
        from punie.trace.telemetry.content import ContentPolicy
        from punie.trace.telemetry.shipper import Shipper

        policy = ContentPolicy.SEND if self.content else ContentPolicy.STRIP
        shipper = Shipper(spans_dir, self.targets, policy=policy)
        shipper.start()
        try:
            yield
        finally:
            for delivery in shipper.stop():
                progress.say(f"sent to {delivery.summary()}")


def read_sending(options: argparse.Namespace) -> Sending:
    """The targets of the flags and of the environment. Raises UsageError for one that can't work."""
    from punie.trace.errors import UsageError

    if options.no_export:
        if options.otlp:
            raise UsageError("--otlp can't be used with --no-export")
        return Sending((), content=False)
    if not options.otlp and not any(name.startswith(("OTEL_", "LOGFIRE_")) for name in os.environ):
        return Sending((), content=False)
    from punie.trace.telemetry.targets import find_targets

    return Sending(find_targets(options.otlp, os.environ), content=options.send_content)
