"""A smaller input with the same fault: what is taken away as long as the fault stays is what it doesn't need."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from fuzzing.worker import try_input

_MOST_S: Final = 20.0
Fails = Callable[[bytes], bool]


def minimise(kind: str, content: bytes, fault: str) -> bytes:
    """The smallest that was found in a few seconds."""
    until_s = time.monotonic() + _MOST_S

    def fails(smaller: bytes) -> bool:
        if time.monotonic() > until_s:
            return False
        with tempfile.TemporaryDirectory() as folder:
            return try_input(0, kind, smaller, Path(folder)).fault == fault

    content = _by_structure(content, fails)
    content = _by_pieces(content, b"\n", fails)
    return _by_structure(content, fails)


def _by_pieces(content: bytes, joint: bytes, fails: Fails) -> bytes:
    """Without as many of its lines as can go: halves first, then ever smaller parts."""
    pieces = content.split(joint)
    size = len(pieces) // 2
    while size:
        at = 0
        while at < len(pieces):
            rest = pieces[:at] + pieces[at + size :]
            if fails(joint.join(rest)):
                pieces = rest
            else:
                at += size
        size //= 2
    return joint.join(pieces)


def _by_structure(content: bytes, fails: Fails) -> bytes:
    """Of JSON, without the items and keys that can go, outermost first."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not fails(_dumps(document)):  # it needs the spelling that was lost
        return content
    again = True
    while again:
        again = False
        for owner, key in [*_places(document)]:
            if _can_go(document, owner, key, fails):
                again = True
                break
    return _dumps(document)


def _can_go(document: Any, owner: Any, key: Any, fails: Fails) -> bool:  # noqa: ANN401 # any JSON
    before = owner.copy()
    del owner[key]
    if fails(_dumps(document)):
        return True
    owner.clear()
    owner.update(before) if isinstance(owner, dict) else owner.extend(before)
    return False


def _places(document: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 # any JSON
    level = [document]
    while level:
        below = []
        for value in level:
            keys = [*value] if isinstance(value, dict) else [*range(len(value) - 1, -1, -1)]
            yield from ((value, key) for key in keys)
            below += [item for key in keys if isinstance(item := value[key], dict | list)]
        level = below


def _dumps(document: Any) -> bytes:  # noqa: ANN401 # any JSON
    return json.dumps(document, indent=None).encode()
