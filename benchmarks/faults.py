"""What is lost when things fail, here and with OpenTelemetry's own SDK: `python benchmarks/faults.py`.

The faults of `tests/faults`, each with our journal and shipper and with `BatchSpanProcessor` and the OTLP/HTTP exporter
as they come, time-outs included, in processes of their own against the same receiver. What passes lasts 20 s
(`--outage`). Ours sends later what a receiver missed: `punie-trace ship`, to a receiver that is well again; the SDK has
nothing to send it from. A forked child ends as one of `multiprocessing` does, without its exit handlers. Faults of a
journal, or of the model server's spans, have no counterpart in the SDK.

It prints the table of `docs/promises.md`, in Markdown. Counts are of different spans; *twice* is how many of them came
more than once; *lost* is in neither journal nor receiver at the end.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fault_rows import Fault, Outcome, faults, meet_all
from traced_program import Trouble, Writer

_OUTAGE_S: Final = 20.0
_SHOWN: Final = 90  # characters of what was said
_OURS_ALONE: Final = frozenset(
    {Trouble.JOURNAL_REMOVED, Trouble.JOURNAL_CUT, Trouble.DISK_FULL, Trouble.DISK_SLOW}
)
_TITLES: Final = (
    *("fault", "made", "journalled", "arrived", "after `ship`", "twice", "lost", "printed", "exit codes"),
    *("SDK: arrived", "twice", "lost", "printed"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Let every fault happen twice and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outage", type=float, default=_OUTAGE_S, help="seconds (default: %(default)s)")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    options = parser.parse_args(arguments)
    known = faults(options.outage, pause_s=3)
    chosen = [replace(fault, timeout_s=None) for fault in known if options.only in fault.name]
    ours = meet_all(chosen)
    sdk = meet_all([replace(fault, writer=Writer.SDK) for fault in chosen if _concerns_sdk(fault)])
    print(f"{_versions()}; outages of {options.outage:g} s.\n")
    print(_row(_TITLES))
    print(_row(["---", *["---:"] * 6, "---", "---", *["---:"] * 3, "---"]))
    for fault in chosen:
        print(_row([fault.name, *_ours(ours[fault.name]), *_sdk(sdk.get(fault.name))]))
    return 0


def _concerns_sdk(fault: Fault) -> bool:
    return fault.writer is Writer.OURS and fault.program.trouble not in _OURS_ALONE


def _ours(found: Outcome) -> list[str]:
    codes = sorted({*found.exit_codes})
    counts = (found.made, found.journalled, found.arrived, found.later, found.twice, found.lost)
    return [*map(str, counts), _said(found.said), f"{', '.join(map(str, codes))}; `ship` {found.ship_code}"]


def _sdk(found: Outcome | None) -> list[str]:
    if found is None:
        return ["–"] * 4
    return [str(found.arrived), str(found.twice), str(found.made - found.arrived), _said(found.said)]


def _said(text: str) -> str:
    """The first line, without what differs from run to run."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return "nothing"
    line = re.sub(r"^sent to \S+ \(\S+\): |/\S+/spans/|127\.0\.0\.1:\d+|host='\S+', port=\d+", "", lines[0])
    line = re.sub(r"\w+-\d+\.jsonl", "the journal", line).replace("|", "/")
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _versions() -> str:
    packages = ("punie-trace", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{', '.join(f'{name} {version(name)}' for name in packages)}, Python {python}"


if __name__ == "__main__":
    sys.exit(main())
