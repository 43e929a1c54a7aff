"""The figures at scale in one command, each beside its peers: `python benchmarks/scale.py`.

| part | file | aim |
| --- | --- | --- |
| commands | `report_speed.py` | a line each: `report`, its JSON, two processes, memory, `compare`, `--help`, growth |
| ledger of all phases | `ledger_speed.py` | at most 5 times a plain loop that gives the phases alone |
| critical path in memory | `critical_path.py` | none: what the kernels do without reading |
| OTLP JSON lines | `loading.py` | none: what typed structs cost beside msgspec alone |

Each part runs in a process of its own, one after the other, and says what it compared and whether its aim is met.
`--quick` takes a tenth of the spans: it shows that all parts work, its ratios are not the ones to quote.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark: its title, its file beside this one, and how many traces `--quick` gives it."""

    title: str
    file: str
    quick_traces: int


PARTS: Final = (
    Part("Commands", "report_speed.py", 530),
    Part("Ledger", "ledger_speed.py", 5_000),
    Part("Critical path in memory", "critical_path.py", 500),
    Part("OTLP JSON lines", "loading.py", 1_000),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print all parts; 1 if one of them failed (an aim that is not met is a figure, no failure)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the spans and two rounds")
    options = parser.parse_args(arguments)
    failed = [part.title for part in PARTS if not _run(part, quick=options.quick)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(part: Part, *, quick: bool) -> bool:
    print(f"\n{part.title}\n{'-' * len(part.title)}", flush=True)
    size = ["--traces", str(part.quick_traces), "--rounds", "2"] if quick else []
    return subprocess.run([sys.executable, str(Path(__file__).with_name(part.file)), *size]).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
