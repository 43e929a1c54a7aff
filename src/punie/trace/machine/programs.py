"""Asks one of the system's own programs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Final

RunProgram = Callable[[Sequence[str]], str]
"""How a program is asked: its command in, what it printed out."""
_MOST_S: Final = 10.0


def program_output(command: Sequence[str]) -> str:
    """What a program of the system prints; nothing if it isn't there, fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MOST_S, check=False)
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
