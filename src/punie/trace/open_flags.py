"""Flags of `os.open` that Windows lacks; there they are 0, and what they guard against isn't guarded against."""

from __future__ import annotations

import os
from typing import Final

READ: Final[int] = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
DO_NOT_WAIT: Final[int] = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe would wait for who writes to it."""
NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
"""A link as the last step of the path is an error."""
