"""How Python is started as a child."""

from __future__ import annotations

from typing import Final

SAFELY: Final = "-P"
"""Python's flag for children: a file such as `mlx.py` or `argparse.py` in the working directory is not imported."""
