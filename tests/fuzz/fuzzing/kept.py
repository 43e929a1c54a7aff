"""The inputs that once failed, as files: `KIND-WHAT-DIGEST`; the kind says what takes them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

KEPT: Final = Path(__file__).parents[1] / "kept"


def keep(folder: Path, kind: str, content: bytes, fault: str) -> Path:
    """Write an input that failed with `fault`; returns where."""
    words = "-".join(re.findall(r"[a-z0-9]+", fault.lower().replace(".py", ""))[:7])
    path = folder / f"{kind}-{words}-{hashlib.sha256(content).hexdigest()[:6]}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def kept() -> list[Path]:
    """All of them."""
    return sorted(path for path in KEPT.iterdir() if path.is_file())


def kind_of(path: Path) -> str:
    """Which kind of input it is."""
    return path.name.partition("-")[0]
