"""Sends the journal to every target, during a run or after it, and gives an account of each.

The journal is the queue: nothing is lost when a receiver is down or this process dies. A bookmark says how far a
target has acknowledged; whoever has it goes on from there. Delivery is at least once: what was sent and not
acknowledged is sent again, and readers drop duplicates by trace and span id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan

from punie.trace.errors import PunieTraceError
from punie.trace.telemetry.shipping.answers import Outcome
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.decode import LineDecoder
from punie.trace.telemetry.shipping.delivery import Account, Delivery
from punie.trace.telemetry.shipping.sender import Receipt, Sender, make_sender
from punie.trace.telemetry.shipping.tail import JournalTail
from punie.trace.telemetry.shipping.targets import Target

DEFAULT_DEADLINE_S: Final = 15.0
_EXPORT_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 5.0
_BATCH_LINES: Final = 256
_BATCH_BYTES: Final = 1 << 20  # of the journal; receivers take 4 MiB over gRPC by default

NOTHING_TO_SEND: Final = Receipt(Outcome.ANSWERED, 0, 0)

SenderFactory = Callable[[Target, float], Sender]


class Bookmark(Protocol):
    """How far one target has acknowledged the journal; outlives the process."""

    @property
    def positions(self) -> Mapping[str, int]:
        """Bytes of each journal file, by its name, up to the end of a line."""
        ...

    @property
    def accepted(self) -> int:
        """Spans that it accepted up to there."""
        ...

    @property
    def rejected(self) -> int:
        """Spans that it refused up to there."""
        ...

    def reached(self, positions: Mapping[str, int], *, accepted: int, rejected: int) -> None:
        """Everything up to `positions` is acknowledged, so many more spans. Raises PunieTraceError."""
        ...


BookmarkFactory = Callable[[Target], Bookmark]


@dataclass(slots=True)
class Unkept:
    """A bookmark that nobody keeps: from the beginning, each time."""

    positions: Mapping[str, int] = field(default_factory=dict)
    accepted: int = 0
    rejected: int = 0

    def reached(self, positions: Mapping[str, int], *, accepted: int, rejected: int) -> None:
        """Only in memory."""
        self.positions = positions
        self.accepted += accepted
        self.rejected += rejected


def ship(
    spans_dir: Path | str,
    targets: Sequence[Target],
    *,
    policy: ContentPolicy = ContentPolicy.STRIP,
    deadline_s: float | None = DEFAULT_DEADLINE_S,
    bookmarks: BookmarkFactory = lambda _: Unkept(),
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
        bookmarks: BookmarkFactory = lambda _: Unkept(),
    ) -> None:
        self._longest_s = max((target.timeout_s or 0.0 for target in targets), default=0.0)
        self._workers = [
            _Worker(
                Account(target, earlier=bookmark.accepted, earlier_rejected=bookmark.rejected),
                _Reader(Path(spans_dir), bookmark.positions, LineDecoder(policy)),
                _make(sender_factory, target, target.timeout_s or export_timeout_s),
                bookmark,
                poll_s,
            )
            for target, bookmark in ((target, bookmarks(target)) for target in targets)
        ]

    def start(self) -> None:
        """Begin to send what is there, and what will be."""
        for worker in self._workers:
            worker.start()

    def stop(self, deadline_s: float | None = DEFAULT_DEADLINE_S) -> tuple[Delivery, ...]:
        """Send the rest and give the account of every target.

        It takes `deadline_s` seconds, or longer if a target was given more for one export; with None as long as
        answers come.
        """
        patience_s = None if deadline_s is None else max(deadline_s, self._longest_s)
        deadline = None if patience_s is None else time.monotonic() + patience_s
        for worker in self._workers:
            worker.finish()
        for worker in self._workers:
            worker.join(None if deadline is None else max(deadline - time.monotonic(), 0.0))
        return tuple(worker.close(patience_s) for worker in self._workers)


def _make(factory: SenderFactory, target: Target, timeout_s: float) -> Sender:
    try:
        return factory(target, timeout_s)
    except Exception as error:  # noqa: BLE001 # a certificate or compression that can't be: the account says so
        return _NoSender(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class _NoSender:
    """Stands where no sender could be made."""

    problem: str

    def send(self, spans: Sequence[ReadableSpan]) -> Receipt:
        return Receipt(Outcome.UNANSWERED, 0, 0, self.problem)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Spans to send, the lines before their end that hold none, and where in the journal they end."""

    spans: list[ReadableSpan]
    unreadable: int
    positions: Mapping[str, int]


class _Reader:
    """Batches of a journal, from a position on."""

    def __init__(self, spans_dir: Path, start: Mapping[str, int], decoder: LineDecoder) -> None:
        self._spans_dir = spans_dir
        self._start = dict(start)
        self._tail = JournalTail(spans_dir, start)
        self._decoder = decoder
        self.torn_lines = self._tail.torn_lines

    def batches(self) -> Iterator[_Batch]:
        """What is there now, in batches of whole lines."""
        lines: list[bytes] = []
        size = 0
        for line in self._tail.lines():
            lines.append(line)
            size += len(line)
            if len(lines) == _BATCH_LINES or size >= _BATCH_BYTES:
                yield self._batch(lines)
                lines, size = [], 0
        if lines:
            yield self._batch(lines)

    def whole_lines(self) -> int:
        """How many lines there are from the beginning on: those given and those not read yet."""
        return sum(1 for _ in JournalTail(self._spans_dir, self._start).lines())

    def _batch(self, lines: list[bytes]) -> _Batch:
        spans: list[ReadableSpan] = []
        unreadable = 0
        for line in lines:
            try:
                spans += self._decoder.decode(line)
            except ValueError:
                unreadable += 1
        return _Batch(spans, unreadable, self._tail.positions())


class _Worker:
    """Sends to one target, in a thread that doesn't keep the process alive."""

    def __init__(
        self, account: Account, reader: _Reader, sender: Sender, bookmark: Bookmark, poll_s: float
    ) -> None:
        self._account = account
        self._reader = reader
        self._sender = sender
        self._bookmark = bookmark
        self._unbroken = True  # everything before this point is acknowledged
        self._poll_s = poll_s
        self._finish = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ship", daemon=True)
        self.start = self._thread.start
        self.join = self._thread.join
        self.finish = self._finish.set

    def close(self, patience_s: float | None) -> Delivery:
        """The account. A thread that still works is left alone: what it did not do stays unanswered."""
        if patience_s is not None and self._thread.is_alive():
            self._abandoned.set()
            self._account.problem(f"not finished within {patience_s:g} s")
            self._account.problem(self._sender.problem)
            self._account.expect(self._reader.whole_lines())
        self._sender.close()
        return self._account.close()

    def _run(self) -> None:
        try:
            with (
                suppress_instrumentation()
            ):  # else an instrumented `requests` would write spans of our sending
                self._follow()
        except Exception as error:  # noqa: BLE001 # a thread has nobody to raise to: it is in the account
            self._account.problem(f"the shipper failed: {type(error).__name__}: {error}")

    def _follow(self) -> None:
        while not self._abandoned.is_set():
            finishing = self._finish.is_set()  # asked before the read: what is written by then is read
            self._send_all()
            if finishing:
                break
            self._finish.wait(self._poll_s)
        self._account.skipped(self._reader.torn_lines())

    def _send_all(self) -> None:
        batches = self._reader.batches()
        for batch in batches:
            self._count(batch)
            if not self._send(batch):
                for unsent in batches:  # counted, so that the account is whole
                    self._count(unsent)

    def _count(self, batch: _Batch) -> None:
        self._account.read(len(batch.spans))
        self._account.skipped(batch.unreadable)

    def _send(self, batch: _Batch) -> bool:
        """Deliver a batch, again and again while the run goes on; once more when it is over. False: gave up."""
        pause_s = self._poll_s
        while not self._abandoned.is_set():
            finishing = self._finish.is_set()
            receipt = self._sender.send(batch.spans) if batch.spans else NOTHING_TO_SEND
            if receipt.outcome is Outcome.ANSWERED:
                self._account.answered(receipt)
                self._keep(batch, receipt)
                return True
            if finishing:
                self._account.problem(receipt.problem)
                return False
            self._finish.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        return False

    def _keep(self, batch: _Batch, receipt: Receipt) -> None:
        self._unbroken = self._unbroken and receipt.final
        if not self._unbroken:
            return
        try:
            self._bookmark.reached(batch.positions, accepted=receipt.accepted, rejected=receipt.rejected)
        except PunieTraceError as error:
            self._account.problem(f"{error.message} (so it would be sent again)")
