"""Durations that a server reports in its answer, and the protocol of readers of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol

_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_MOST: Final = 1 << 53  # 104 days in nanoseconds: what says more is no duration, and no count


@dataclass(frozen=True, slots=True)
class BodyTimings:
    """What one answer says of its own making, in nanoseconds and tokens; None for what it doesn't say.

    `source` names the server's kind. `load_ns` is the time in which it loaded the model, `queue_ns` in which the
    request waited. A duration is 0 where the server reports none: some report only how many tokens they drafted.
    `prompt_tokens` counts cached ones too.
    """

    source: str
    prefill_ns: int = 0
    decode_ns: int = 0
    load_ns: int = 0
    queue_ns: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    drafted_tokens: int | None = None
    accepted_tokens: int | None = None


class BodyFormat(Protocol):
    """One server's format of durations. `formats.py` lists them."""

    @property
    def marker(self) -> bytes:
        """Bytes without which a body isn't in this format: what is parsed is decided by them."""
        ...

    def read(self, document: Mapping[str, object]) -> BodyTimings | None:
        """The timings in a JSON body, or in one event of a stream; None if it isn't in this format."""
        ...


def with_durations(timings: BodyTimings, prefill_ns: int | None, decode_ns: int | None) -> BodyTimings | None:
    """`timings` with both; where one isn't reported, its drafts alone; None without drafts either."""
    if prefill_ns is not None and decode_ns is not None:
        return replace(timings, prefill_ns=prefill_ns, decode_ns=decode_ns)
    if timings.drafted_tokens is None:
        return None
    return BodyTimings(
        timings.source, drafted_tokens=timings.drafted_tokens, accepted_tokens=timings.accepted_tokens
    )


def later(known: BodyTimings | None, timings: BodyTimings | None) -> BodyTimings | None:
    """What counts of two events or lines: the later one, unless only the one before it reports durations."""
    if timings is None or (known is not None and known.decode_ns and not timings.decode_ns):
        return known
    return timings


def from_ms(value: object) -> int | None:
    """Nanoseconds from milliseconds; None for what is no duration."""
    return _duration(value, _NS_PER_MS)


def from_s(value: object) -> int | None:
    """Nanoseconds from seconds; None for what is no duration."""
    return _duration(value, _NS_PER_S)


def from_ns(value: object) -> int | None:
    """Nanoseconds as they are; None for what is no duration."""
    return _duration(value, 1)


def count(value: object) -> int | None:
    """A number of tokens; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


def mapping(value: object) -> Mapping[str, object]:
    """A JSON object; an empty one for what is none."""
    return value if isinstance(value, Mapping) else _NOTHING


def _duration(value: object, unit_ns: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value * unit_ns) if 0 <= value < _MOST / unit_ns else None
