"""How large an experiment is by default: planted speed-ups are decided with it.

`benchmarks/speculative_rates.py` shows how often. In a file of its own, since `--help` names them and imports no more.
"""

from __future__ import annotations

from typing import Final

DEFAULT_BLOCKS: Final = 8
DEFAULT_REPEATS: Final = 1
DEFAULT_MAX_TOKENS: Final = 1024
"""Of one answer; the server's own default, 512, cuts long ones."""
