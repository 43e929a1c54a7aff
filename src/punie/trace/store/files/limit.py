"""How large a packed file may become, and in which time: ten megabytes of gzip can be ten gigabytes of zeros."""

from __future__ import annotations

import os
from typing import Final

from punie.trace.errors import InputError, UsageError

VARIABLE: Final = "PUNIE_MAX_UNPACKED_BYTES"
PIECE_BYTES: Final = 8 << 20  # unpacked at once
# handed over at once: what a member leaves of it is copied, and members may be tiny
PACKED_BYTES: Final = 16 << 10
_SLOWEST_BYTES: Final = 4 << 20  # of what is sound, in a second of processor time
_FREE_S: Final = 10
_FREE_BYTES: Final = 64 << 20
_TIMES: Final = 24  # traces as JSON become a fifteenth to a twentieth when they are packed


class UnpackedLimit:
    """Counts what one file unpacks to, in all its parts; raises `InputError` that names the file past the limit.

    `times` is how much larger than packed what is in sound files may be.
    """

    def __init__(self, file: str, packed_bytes: int, times: int = _TIMES) -> None:
        self.file = file
        self._most_bytes = _most_from_environment() or _FREE_BYTES + times * packed_bytes
        self._left_bytes = self._most_bytes

    @property
    def cpu_s(self) -> int:
        """The processor time, in seconds, within which a sound file has unpacked to as much as the limit allows."""
        return _FREE_S + self._most_bytes // _SLOWEST_BYTES

    def count(self, unpacked_bytes: int) -> None:
        """Count what was unpacked. Raises `InputError`."""
        self._left_bytes -= unpacked_bytes
        if self._left_bytes < 0:
            raise InputError(
                f"{self.file}: unpacks to more than {self._most_bytes} bytes",
                remedy=f"If it is sound, unpack it first, or raise the limit with {VARIABLE}.",
            )


def _most_from_environment() -> int | None:
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 15):
        raise UsageError(f"{VARIABLE}={text}: no whole number of bytes", remedy=f"e.g. {VARIABLE}=8000000000")
    return int(text)
