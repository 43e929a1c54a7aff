"""Where spans are sent: the targets that were given or found listening, how far each got, and what is reported."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from punie.trace.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from punie.trace.console.progress import Progress
    from punie.trace.store.runs.ship_state import ShipState
    from punie.trace.telemetry.shipping.content import ContentPolicy
    from punie.trace.telemetry.shipping.delivery import Delivery
    from punie.trace.telemetry.shipping.shipper import BookmarkFactory
    from punie.trace.telemetry.shipping.targets import Target

_NOBODY: Final = "no Collector listens on 127.0.0.1 (OTLP ports {}): nothing is sent"
_TURNED_OFF: Final = "OTEL_TRACES_EXPORTER or OTEL_SDK_DISABLED turns it off: nothing is sent"


@dataclass(slots=True)
class DeliverySummary:
    """What each target was sent; known when the sending is over."""

    deliveries: tuple[Delivery, ...] = ()

    @property
    def accepted(self) -> int:
        """Spans that a target accepted."""
        return sum(delivery.accepted for delivery in self.deliveries)


@dataclass(frozen=True, slots=True)
class Sending:
    """The targets, whether content goes there too, and notes for the user: other programs on the ports, for example."""

    targets: tuple[Target, ...]
    content: bool
    notes: tuple[str, ...] = field(default=())

    @contextmanager
    def following(
        self, spans_dir: Path, progress: Progress, *, state_folder: Path | None = None
    ) -> Iterator[DeliverySummary]:
        """Send what is written into `spans_dir` during this block; what each target accepted is reported after it.

        How far each got is kept in `state_folder`, by default `spans_dir`.
        """
        sent = DeliverySummary()
        progress.log_all(self.notes)
        if not self.targets:
            yield sent
            return
        from punie.trace.store.runs.ship_state import ShipState
        from punie.trace.telemetry.shipping.shipper import Shipper

        state = ShipState.open(state_folder or spans_dir)
        shipper = Shipper(spans_dir, self.targets, policy=self.policy, bookmarks=self.bookmarks(state))
        shipper.start()
        try:
            yield sent
        finally:
            sent.deliveries = shipper.stop()
            for delivery in sent.deliveries:
                progress.log(f"sent to {delivery.summary()}")

    @property
    def policy(self) -> ContentPolicy:
        """What happens to content."""
        from punie.trace.telemetry.shipping.content import ContentPolicy

        return ContentPolicy.SEND if self.content else ContentPolicy.STRIP

    def key(self, target: Target) -> str:
        """Under which name `target` stands in the state: what was sent without content can be sent again with it."""
        return f"{target.key} with content" if self.content else target.key

    def bookmarks(self, state: ShipState) -> BookmarkFactory:
        """Where each target's progress is kept in `state`."""
        from punie.trace.store.runs.ship_state import StoredBookmark

        return lambda target: StoredBookmark(state, self.key(target))


def find_receivers(otlp: str | None, *, content: bool, no_export: bool = False) -> Sending:
    """The targets of `--otlp` and of the environment, and a Collector on this machine if nobody named another.

    Raises UsageError for one that can't work.
    """
    if no_export:
        if otlp:
            raise UsageError("--otlp can't be used with --no-export", remedy="leave one of them out")
        return Sending((), content=False)
    from punie.trace.telemetry.shipping.targets import Origin, find_targets, refuses_export

    named = find_targets(otlp, os.environ)
    if any(target.origin is not Origin.LOGFIRE for target in named):
        return Sending(named, content)
    if refuses_export(os.environ):
        return Sending(named, content, notes=(_TURNED_OFF,) if not named else ())
    collector, notes = _find_collector()
    return Sending((*collector, *named), content, notes=notes)


def _find_collector() -> tuple[tuple[Target, ...], tuple[str, ...]]:
    from punie.trace.telemetry.shipping.collector import find_collector

    search = find_collector()
    if search.target is None:
        ports = " and ".join(str(result.endpoint.port) for result in search.results)
        return (), (*search.others, _NOBODY.format(ports))
    return (search.target,), (*search.others, f"spans go to {search.target.name}")
