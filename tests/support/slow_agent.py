"""The slow demo agent of `examples/`, as it is and with its lines mended."""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "slow_agent"

# The lines that README.md says to write: in which file, what stands there, what to write instead.
MENDED = (
    ("agent.py", "RESULT_LIMIT = 1_000_000", "RESULT_LIMIT = 250"),
    (
        "agent.py",
        'return f"It is {datetime.now():%Y-%m-%d %H:%M:%S}. {INSTRUCTIONS}"',
        "return INSTRUCTIONS",
    ),
    ("shop.py", "RESULT_LIMIT = 1_000_000", "RESULT_LIMIT = 200"),
    ("shop.py", 'return f"It is {now}. {INSTRUCTIONS}"', "return INSTRUCTIONS"),
)


def copy_agent(folder: Path, *, mended: bool = False) -> Path:
    """The example in `folder`; `mended` with the one-line changes. Raises ValueError if a line isn't there."""
    target = Path(shutil.copytree(EXAMPLE, folder / "slow_agent"))
    for name, before, after in MENDED if mended else ():
        file = target / name
        text = file.read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise ValueError(f"{file} has {before!r} {text.count(before)} times")
        file.write_text(text.replace(before, after), encoding="utf-8")
    return target
