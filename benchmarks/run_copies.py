"""Lines of a run that exists, many times over, each time with other ids, times, numbers and digests.

For `loading.py` and `scale.py`: what a file of many such runs holds, with the content and the counts that
made-up spans lack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

_SPREAD: Final = 0x9E3779B97F4A7C15  # odd, so that every turn has digits of its own
_HEX: Final = re.compile(r'(?<=")(?:[0-9a-f]{16}|[0-9a-f]{32})(?=")')
_NUMBER: Final = re.compile(r'(?<="intValue":")[0-9]+(?=")|(?<=TimeUnixNano":")[0-9]+(?=")')
_DOUBLE: Final = re.compile(r'(?<="doubleValue":)[0-9]+\.[0-9]+(?=[,}])')


def copies_of(run: Path, least: int) -> Iterator[str]:
    """At least so many lines of the journals in `run`, a run's folder."""
    lines = [line for file in sorted(run.glob("spans/*.jsonl")) for line in file.read_text().splitlines()]
    if not lines:
        raise SystemExit(f"{run}: no journal in spans/")
    for turn in range(1, least // len(lines) + 2):
        for line in lines:
            other = _HEX.sub(partial(_other_hex, turn), line)
            other = _NUMBER.sub(partial(_other_number, turn), other)
            yield _DOUBLE.sub(partial(_other_double, turn), other)


def _other_hex(turn: int, found: re.Match[str]) -> str:
    """Another id or digest, the same one wherever it stands in this turn."""
    return f"{int(found[0], 16) ^ turn * _SPREAD % 2**64:0{len(found[0])}x}"


def _other_number(turn: int, found: re.Match[str]) -> str:
    return str(int(found[0]) + turn)


def _other_double(turn: int, found: re.Match[str]) -> str:
    return repr(float(found[0]) * (1 + turn / 7))
