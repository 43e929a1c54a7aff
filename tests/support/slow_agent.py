"""The slow demo agent of `examples/`, as it is and with its lines mended."""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "slow_agent"

# The lines that README.md says to write: what stands there, what to write instead.
MENDED = (
    ("RESULT_LIMIT = 1_000_000", "RESULT_LIMIT = 250"),
    ('return f"It is {datetime.now():%Y-%m-%d %H:%M:%S}. {INSTRUCTIONS}"', "return INSTRUCTIONS"),
)


def copy_agent(folder: Path, *, mended: bool = False) -> Path:
    """The example in `folder`; `mended` with the one-line changes. Raises ValueError if a line isn't there."""
    target = Path(shutil.copytree(EXAMPLE, folder / "slow_agent"))
    if mended:
        file = target / "agent.py"
        text = file.read_text(encoding="utf-8")
        for before, after in MENDED:
            if text.count(before) != 1:
                raise ValueError(f"{file} has {before!r} {text.count(before)} times")
            text = text.replace(before, after)
        file.write_text(text, encoding="utf-8")
    return target
