"""Sends the journal to every target, during a run or after it; the result says the outcome of each.

The journal is the queue: nothing is lost when a receiver is down or this process dies. A bookmark says how far a
target has acknowledged; whoever has it goes on from there. Delivery is at least once: what was sent and not
acknowledged is sent again, and readers drop duplicates by trace and span id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from punie.trace.telemetry.journal.held_lines import takers
from punie.trace.telemetry.shipping.answers import Outcome, ReceiverResponse
from punie.trace.telemetry.shipping.batches import BatchReader
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.delivery import Delivery, DeliveryCount
from punie.trace.telemetry.shipping.outgoing import OutgoingSpan
from punie.trace.telemetry.shipping.sender import Sender, make_sender
from punie.trace.telemetry.shipping.tail import Place
from punie.trace.telemetry.shipping.targets import Target
from punie.trace.telemetry.shipping.worker import Bookmark, Worker

DEFAULT_DEADLINE_S: Final = 15.0
_EXPORT_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.25

SenderFactory = Callable[[Target, float], Sender]
BookmarkFactory = Callable[[Target], Bookmark]


@dataclass(slots=True)
class NoBookmark:
    """A bookmark that nobody keeps: from the beginning, each time."""

    places: Mapping[str, Place] = field(default_factory=dict)
    accepted: int = 0
    rejected: int = 0

    def reached(self, places: Mapping[str, Place], *, accepted: int, rejected: int) -> None:
        """Only in memory."""
        self.places = places
        self.accepted += accepted
        self.rejected += rejected


def ship(
    spans_dir: Path | str,
    targets: Sequence[Target],
    *,
    policy: ContentPolicy = ContentPolicy.STRIP,
    deadline_s: float | None = DEFAULT_DEADLINE_S,
    bookmarks: BookmarkFactory = lambda _: NoBookmark(),
) -> tuple[Delivery, ...]:
    """Send what is in `spans_dir`, from the bookmarks on, to every target, side by side.

    It takes `deadline_s` seconds at most; with None as long as answers come. One `Delivery` a target, in the
    order of `targets`; trouble is in them and never raised.
    """
    shipper = Shipper(spans_dir, targets, policy=policy, bookmarks=bookmarks)
    shipper.start()
    return shipper.stop(deadline_s)


class Shipper:
    """Follows a growing journal in background threads, one a target: between `start` and `stop`."""

    def __init__(
        self,
        spans_dir: Path | str,
        targets: Sequence[Target],
        *,
        policy: ContentPolicy = ContentPolicy.STRIP,
        poll_s: float = _POLL_S,
        export_timeout_s: float = _EXPORT_TIMEOUT_S,
        sender_factory: SenderFactory = make_sender,
        bookmarks: BookmarkFactory = lambda _: NoBookmark(),
    ) -> None:
        self._spans_dir = Path(spans_dir).absolute()
        self._longest_s = max((target.timeout_s or 0.0 for target in targets), default=0.0)
        self._workers = [
            Worker(
                DeliveryCount(target, earlier=bookmark.accepted, earlier_rejected=bookmark.rejected),
                BatchReader(Path(spans_dir), bookmark.places, policy),
                _make(sender_factory, target, target.timeout_s or export_timeout_s),
                bookmark,
                poll_s=poll_s,
                retry_s=target.timeout_s or export_timeout_s,
            )
            for target, bookmark in ((target, bookmarks(target)) for target in targets)
        ]

    def start(self) -> None:
        """Begin to send what is there, and what will be."""
        takers.append(self._take)
        for worker in self._workers:
            worker.start()

    def stop(self, deadline_s: float | None = DEFAULT_DEADLINE_S) -> tuple[Delivery, ...]:
        """Send the rest and return the result for every target.

        It takes `deadline_s` seconds, or longer if a target was given more for one export; with None as long as
        answers come.
        """
        takers.remove(self._take)
        patience_s = None if deadline_s is None else max(deadline_s, self._longest_s)
        deadline = float("inf") if patience_s is None else time.monotonic() + patience_s
        for worker in self._workers:
            worker.finish(deadline)
        for worker in self._workers:
            worker.join(None if patience_s is None else max(deadline - time.monotonic(), 0.0))
        return tuple(worker.close(patience_s) for worker in self._workers)

    def _take(self, directory: Path, line: bytes) -> None:
        """A line of this process that the disk didn't take is sent at once."""
        if directory.absolute() == self._spans_dir:
            for worker in self._workers:
                worker.take(line)


def _make(factory: SenderFactory, target: Target, timeout_s: float) -> Sender:
    try:
        return factory(target, timeout_s)
    except Exception as error:  # noqa: BLE001 # a certificate that can't be read: the result says so
        return _NoSender(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class _NoSender:
    """Stands where no sender could be made."""

    problem: str

    def send(self, spans: Sequence[OutgoingSpan]) -> ReceiverResponse:
        return ReceiverResponse(Outcome.UNANSWERED, problem=self.problem)

    def close(self) -> None:
        """Nothing is open."""
